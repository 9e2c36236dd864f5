/**
 * The units in the order in which they became part of this daemon's state, for followers of the early form. They are
 * kept in memory only, and only while a follower requests them. Source: docs/decisions/0084-a-feed-in-two-forms.md.
 */
import { createCipheriv, createDecipheriv } from "node:crypto";
import { type ByteString, bytesOf } from "../../../protocol/byte-string.js";
import type { Reply } from "../../../protocol/reply.js";
import type { Steps } from "../../../protocol/steps.js";
import { hexOf } from "../../../protocol/version-2/envelope.js";
import type { Environment } from "../../net/process/clock-and-randomness.js";
import type { Entry } from "../../timeline/entries/entry.js";
import type { FoldedEntry, UnitAnswer } from "../../timeline/fold/fold.js";
import {
  ARGUMENT_BYTES,
  type RecalledUnit,
  RecallFailure,
  recalledUnits,
} from "../../timeline/history-fold.js";

/** Milliseconds since the last request after which nothing is kept. */
const IDLE_MS = 600_000;
/** The maximum bytes of the kept units, and those that remain when the oldest of them are dropped. */
const KEPT_BYTES = 16 * 1024 * 1024;
const REMAINING_BYTES = 14 * 1024 * 1024;
/** Estimated bytes of a unit without its envelope. */
const UNIT_BYTES = 500;
/** The maximum number of kept units that are checked for a page. */
const CHECKED_MAX = 10_000;
/** The maximum bytes of envelopes in a page, unless its only envelope has more. */
const PAGE_BYTES = 1024 * 1024;
const EPOCH_BYTES = 8;
const CIPHER = "aes-128-ecb";
/** The bytes of a cipher's key and block. */
const BLOCK_BYTES = 16;
/**
 * The bytes of the number in a position. Those after it are 0 in the position of a unit, and random in that of a page.
 */
const NUMBER_BYTES = 6;
const ZEROS = "\0".repeat(BLOCK_BYTES - NUMBER_BYTES);
const NO_BYTES = Buffer.alloc(0);

interface KeptUnit extends Omit<ArrivedUnit, "position"> {
  /** Its share of the bytes of its envelope, and its own. */
  readonly bytes: number;
}

/** A unit in the order of arrival. */
export interface ArrivedUnit extends Omit<RecalledUnit, "answer"> {
  /** The position after it, which is valid at this daemon. */
  readonly position: ByteString;
  /** Null if it is not known, because the unit was applied together with many others. */
  readonly answer: UnitAnswer | null;
}

export interface EarlyPage {
  readonly units: readonly ArrivedUnit[];
  readonly position: ByteString;
  readonly hasMore: boolean;
}

/** The selection of a page. */
export interface EarlyQuery {
  /** The position of an earlier page, or null to begin now. */
  readonly after: ByteString | null;
  readonly limit: number;
  readonly isWanted: (unit: Omit<ArrivedUnit, "position">) => Steps<boolean>;
}

export class Arrivals {
  readonly #environment: Environment;
  readonly #shorten: (reply: Reply) => Reply;
  /** Distinguishes positions of this daemon, since it began to keep arrivals, from all others. */
  #epoch = "";
  /** Encrypts the numbers in positions, so that followers cannot count units that they may not see. */
  #cipherKey = NO_BYTES;
  #kept: KeptUnit[] = [];
  /** The number of units before those that are kept. */
  #dropped = 0;
  #bytes = 0;
  #usedAt = Number.NEGATIVE_INFINITY;

  /** @param shorten  returns a short form of a reply */
  constructor(environment: Environment, shorten: (reply: Reply) => Reply) {
    this.#environment = environment;
    this.#shorten = shorten;
  }

  /** Adds an entry that has become part of the state. */
  add(entry: Entry, answers: readonly UnitAnswer[] | null): void {
    if (this.#epoch === "") return;
    if (this.#environment.uptime() - this.#usedAt > IDLE_MS) {
      this.#clear();
      return;
    }
    const { id, body, envelope } = entry;
    const kept = { id, envelope, body: NO_BYTES, signature: NO_BYTES };
    const units = recalledUnits(kept, answers ?? []);
    for (const { index, commands, answer } of units) {
      const short = answers === null ? null : { ...answer, reply: this.#shorten(answer.reply) };
      const count = commands.reduce((sum, argv) => sum + argv.length, 0);
      const bytes = body.length / units.length + UNIT_BYTES + count * ARGUMENT_BYTES;
      this.#kept.push({ entry: kept, index, commands, answer: short, bytes });
      this.#bytes += bytes;
    }
    if (this.#bytes > KEPT_BYTES) this.#dropOldest();
  }

  /** Drops many units in one step, because each step moves those that remain. */
  #dropOldest(): void {
    let dropped = 0;
    for (; this.#bytes > REMAINING_BYTES && dropped < this.#kept.length - 1; dropped++)
      this.#bytes -= (this.#kept[dropped] as KeptUnit).bytes;
    this.#kept.splice(0, dropped);
    this.#dropped += dropped;
  }

  /** Adds the entries of members that have become part of the state. @param answered  those whose answers are known */
  addAll(entries: readonly Entry[], answered: readonly FoldedEntry[]): void {
    if (this.#epoch === "") return;
    const answers = new Map(answered.map((each) => [each.entry.id, each.answers]));
    for (const entry of entries) this.add(entry, answers.get(entry.id) ?? null);
  }

  /** Reads a page in steps. @throws RecallFailure  the position is not one of this daemon, or too old */
  *page({ after, limit, isWanted }: EarlyQuery): Steps<EarlyPage> {
    if (this.#epoch === "") this.#begin();
    this.#usedAt = this.#environment.uptime();
    const units: ArrivedUnit[] = [];
    const epoch = this.#epoch;
    let next = after === null ? this.#newest : this.#numberOf(after);
    const end = Math.min(this.#newest, next + CHECKED_MAX);
    let bytes = 0;
    for (; next < end; next++) {
      const kept = this.#kept[next - this.#dropped];
      // Units may be added and dropped between two steps. The next page then begins with those that were dropped.
      if (epoch === this.#epoch && kept === undefined && units.length > 0) break;
      if (kept === undefined || epoch !== this.#epoch) throw new RecallFailure(TOO_OLD);
      if (!(yield* isWanted(kept))) continue;
      if (units.length === limit || bytes >= PAGE_BYTES) break;
      units.push({ ...kept, position: this.#positionOf(next + 1, ZEROS) });
      bytes += kept.bytes;
    }
    const salt = this.#environment.randomBytes(BLOCK_BYTES - NUMBER_BYTES);
    return { units, position: this.#positionOf(next, salt), hasMore: next < this.#newest };
  }

  /** The number of units that have arrived. */
  get #newest(): number {
    return this.#dropped + this.#kept.length;
  }

  #begin(): void {
    this.#epoch = hexOf(this.#environment.randomBytes(EPOCH_BYTES));
    this.#cipherKey = Buffer.from(this.#environment.randomBytes(BLOCK_BYTES), "latin1");
  }

  #positionOf(number: number, salt: ByteString): ByteString {
    const block = Buffer.from("\0".repeat(NUMBER_BYTES) + salt, "latin1");
    block.writeUIntBE(number, 0, NUMBER_BYTES);
    const cipher = createCipheriv(CIPHER, this.#cipherKey, null).setAutoPadding(false);
    return `${this.#epoch}-${hexOf(bytesOf(cipher.update(block)))}`;
  }

  #numberOf(position: ByteString): number {
    const [epoch, block = ""] = position.split("-");
    const cipher = createDecipheriv(CIPHER, this.#cipherKey, null).setAutoPadding(false);
    const number = cipher.update(Buffer.from(block, "hex")).readUIntBE(0, NUMBER_BYTES);
    if (epoch !== this.#epoch || number > this.#newest) throw new RecallFailure(OTHER_POSITION);
    if (number < this.#dropped) throw new RecallFailure(TOO_OLD);
    return number;
  }

  #clear(): void {
    this.#epoch = "";
    this.#kept = [];
    this.#dropped = 0;
    this.#bytes = 0;
  }
}

/** Whether a text has the form of a position of a page. */
export const isEarlyPosition = (text: ByteString): boolean => /^[\da-f]{16}-[\da-f]{32}$/.test(text);

const CURE =
  "read a snapshot of the current state (dbsync export), and then follow the feed: from now (early), or from a date before the snapshot (final)";
const OTHER_POSITION = `this position is not known here, because it belongs to another daemon, or to this daemon before a restart or a pause: ${CURE}`;
const TOO_OLD = `this position is older than the stored arrivals: ${CURE}`;
