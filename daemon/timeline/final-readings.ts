/**
 * Reads the final units in order, in pages, for followers. A reading keeps its own state between two pages, so that the
 * next page continues it. Followers at about the same position share a reading, and the units that it read last.
 * Source: docs/decisions/0084-a-feed-in-two-forms.md.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import type { Reply } from "../../protocol/reply.js";
import { BACKGROUND_TURN_MS, inTurns, type Steps, type TurnClock } from "../../protocol/steps.js";
import { dateText, ENTRY_ORDER_KEY_BYTES } from "../../protocol/version-2/envelope.js";
import { entryKeyOf, unitOrderKey } from "../../protocol/version-2/unit-names.js";
import { MissingCode } from "../store/rows/command-families.js";
import type { Entry } from "./entries/entry.js";
import type { Storage } from "./entries/storage.js";
import type { Fold, UnitAnswer } from "./fold/fold.js";
import {
  ARGUMENT_BYTES,
  beginningsOf,
  earliestOf,
  prunedTo,
  REMOVED,
  type RecalledUnit,
  RecallFailure,
  recalledUnits,
  STOPPED,
  tooEarly,
} from "./history-fold.js";
import { Refold } from "./snapshots/refold.js";
import type { Beginning } from "./snapshots/ring-entries.js";
import { DamagedSnapshot } from "./snapshots/snapshot.js";
import type { SnapshotSource } from "./snapshots/snapshot-stores.js";

/** The maximum number of readings. Each has a state in memory, as large as the served state. */
const READINGS_MAX = 2;
/** Milliseconds after which a reading that no follower uses is dropped, or may be replaced by another one. */
const IDLE_MS = 60_000;
const REPLACED_AFTER_MS = 5_000;
/** The maximum bytes of commands in a page, unless its only unit has more. */
const PAGE_BYTES = 1024 * 1024;
/** The bytes of commands that a reading keeps for followers that are behind the first one. */
const KEPT_BYTES = 8 * 1024 * 1024;
/** Milliseconds after which a page is returned even if it is empty, because the reading is still far away. */
const PAGE_MS = 2_000;
/**
 * Milliseconds to which the position of a page without units is rounded down; less only if the reading has already
 * dropped units after that date.
 */
const ROUNDED_MS = 1_000;
const LESS_ROUNDED_MS = [100, 10, 1];
/** Expired keys that are dropped after each page. */
const EXPIRED_MAX = 10_000;
/** Estimated bytes of a unit without its commands. */
const UNIT_BYTES = 300;

/** A unit with its position, and the label of its signer at that position. */
export interface PlacedUnit extends RecalledUnit {
  /** The order key, 46 bytes. */
  readonly position: ByteString;
  readonly label: ByteString;
}

export interface FinalPage {
  readonly units: readonly PlacedUnit[];
  /** The position after which the next page begins. */
  readonly position: ByteString;
  /** Whether the next page can be requested now. */
  readonly hasMore: boolean;
}

/** The selection of a page. */
export interface PageQuery {
  /** The order key after which the page begins. */
  readonly after: ByteString;
  /** The date before which everything is final, in milliseconds since 1970. */
  readonly final: number;
  readonly limit: number;
  readonly isWanted: (unit: RecalledUnit) => Steps<boolean>;
}

/** What readings are made from. */
export interface ReadingParts extends Beginning {
  readonly storage: Storage;
  readonly snapshots: SnapshotSource | null;
  readonly clock: TurnClock;
  /** Returns a short form of a reply, which keeps no data of the state in memory. */
  readonly shorten: (reply: Reply) => Reply;
  /** Runs a step once after milliseconds. @returns a function that cancels it */
  readonly setTimer: (milliseconds: number, step: () => void) => () => void;
}

/** Returns the last position that a unit dated before a date can have; empty if there is none. */
export const lastBefore = (date: number): ByteString =>
  date < 1 ? "" : unitOrderKey(date - 1, 0xffff, "\xff".repeat(32), 0xffff_ffff);

/** Returns the first date of which units can follow a position. */
function firstDateAfter(position: ByteString): number {
  if (position === "") return 0;
  const { at } = entryKeyOf(position);
  return position === lastBefore(at + 1) ? at + 1 : at;
}

/** Whether a position is that of a unit whose entry is not stored, although it is not older than what is stored. */
function isUnknown(position: ByteString, storage: Storage): boolean {
  if (position === "") return false;
  const { at } = entryKeyOf(position);
  if (position === lastBefore(at + 1) || at <= prunedTo(storage)) return false;
  const orderKey = Buffer.from(position.slice(0, ENTRY_ORDER_KEY_BYTES), "latin1");
  for (const [found] of storage.entries(orderKey, null)) return !orderKey.equals(found);
  return true;
}

export class FinalReadings {
  readonly #parts: ReadingParts;
  #readings: Reading[] = [];
  #cancelTimer: (() => void) | null = null;
  #isStopped = false;

  constructor(parts: ReadingParts) {
    this.#parts = parts;
  }

  /** Returns a page. Rejects with RecallFailure. */
  async page(query: PageQuery): Promise<FinalPage> {
    const { after, final } = query;
    // Another daemon may already know a later final date.
    if (after >= lastBefore(final)) return { units: [], position: after, hasMore: false };

    const { storage } = this.#parts;
    // Entries that were accepted before the date became final may still be in flight to the disk.
    await storage.flushed().catch(({ message }: Error) => {
      throw new RecallFailure(message, "TRYAGAIN");
    });

    if (this.#isStopped) throw new RecallFailure(STOPPED, "TRYAGAIN");
    if (isUnknown(after, storage)) throw new RecallFailure(UNKNOWN);

    const reading = this.#readingAt(after);
    try {
      return await reading.page(query);
    } catch (problem) {
      this.#readings = this.#readings.filter((each) => each !== reading);
      throw problem instanceof MissingCode ? new RecallFailure(problem.message) : problem;
    }
  }

  /** Ends all readings. */
  stop(): void {
    this.#isStopped = true;
    this.#cancelTimer?.();
    for (const reading of this.#readings) reading.isStopped = true;
    this.#readings = [];
  }

  /** Returns the reading that is the furthest of those that can continue after a position, or a new one. */
  #readingAt(after: ByteString): Reading {
    const { uptime } = this.#parts.clock;
    let found: Reading | null = null;
    for (const each of this.#readings)
      if (each.covers(after) && (found === null || each.end > found.end)) found = each;

    if (found === null) {
      this.#makeRoom();
      found = new Reading(this.#parts, after);
      this.#readings.push(found);
      this.#dropLater();
    }

    found.usedAt = uptime();
    return found;
  }

  #makeRoom(): void {
    if (this.#readings.length < READINGS_MAX) return;

    const until = this.#parts.clock.uptime() - REPLACED_AFTER_MS;
    const [oldest] = this.#readings
      .filter(({ isBusy, usedAt }) => !isBusy && usedAt <= until)
      .sort((a, b) => a.usedAt - b.usedAt);
    if (oldest === undefined)
      throw new RecallFailure(
        `followers read ${READINGS_MAX} other parts of the history: try again, or follow another daemon`,
        "TRYAGAIN",
      );

    this.#readings = this.#readings.filter((each) => each !== oldest);
  }

  #dropLater(): void {
    this.#cancelTimer ??= this.#parts.setTimer(IDLE_MS, () => {
      this.#cancelTimer = null;
      const from = this.#parts.clock.uptime() - IDLE_MS;
      this.#readings = this.#readings.filter(({ usedAt, isBusy }) => isBusy || usedAt > from);
      if (this.#readings.length > 0) this.#dropLater();
    });
  }
}

class Reading {
  /** When a follower last used it; `uptime` milliseconds. */
  usedAt = 0;
  isStopped = false;
  /** Everything at or before this position has been read. */
  end: ByteString;
  readonly #parts: ReadingParts;
  /** The units after `#start` that were read, in order. */
  #units: PlacedUnit[] = [];
  #start: ByteString;
  #bytes = 0;
  /** The bytes that were read in this turn. */
  #turnBytes = 0;
  #fold: Fold | null = null;
  #refold: Refold | null = null;
  /** The date up to which the current refold reads. */
  #until = -1;
  /** The page in progress, after which the next one begins. */
  #last: Promise<unknown> = Promise.resolve();
  #pending = 0;
  /** Why the reading has ended: pages that were requested before that must not continue after what was not read. */
  #failure: unknown = null;
  #damagedSnapshots = 0;

  constructor(parts: ReadingParts, after: ByteString) {
    this.#parts = parts;
    this.#start = after;
    this.end = after;
  }

  get isBusy(): boolean {
    return this.#pending > 0;
  }

  /** Whether all units between a position and the end are in memory. */
  covers(after: ByteString): boolean {
    return after >= this.#start && after <= this.end;
  }

  async page(query: PageQuery): Promise<FinalPage> {
    this.#pending++;
    const page = this.#last.then(() => {
      if (this.#failure !== null) throw this.#failure;
      return this.#page(query);
    });
    this.#last = page.catch((problem: unknown) => {
      this.#failure = problem;
    });

    try {
      return await page;
    } finally {
      this.#pending--;
    }
  }

  /** The position of a page contains no id of a unit that is not in it: the caller may not know that there is one. */
  async #page({ after, final, limit, isWanted }: PageQuery): Promise<FinalPage> {
    // The page before it may have dropped units that this page needs.
    if (!this.covers(after)) return { units: [], position: after, hasMore: true };

    const { clock } = this.#parts;
    let endsAt = clock.uptime() + PAGE_MS;
    let read = after;

    for (let hasAdvanced = false; ; hasAdvanced = true) {
      const selection = this.#select(read, limit, isWanted);
      const { units, isFull } = await inTurns(selection, clock, { milliseconds: BACKGROUND_TURN_MS });
      const last = units.at(-1)?.position ?? after;
      if (isFull) return { units, position: last, hasMore: true };

      read = this.end;
      const end = lastBefore(final);
      // A page for another follower may have read beyond this final date.
      if (read >= end) {
        const beyond = units.findLast(({ position }) => position > end);
        return { units, position: beyond?.position ?? end, hasMore: false };
      }
      if (units.length > 0) return { units, position: last, hasMore: true };

      if (hasAdvanced && clock.uptime() > endsAt) {
        const position = this.#dateAfter(after);
        if (position !== null) return { units, position, hasMore: true };
        endsAt = clock.uptime() + PAGE_MS;
      }

      await this.#advance(final, read, endsAt);
    }
  }

  /** Returns the first selected units after a position, and whether another one follows them. */
  *#select(
    after: ByteString,
    limit: number,
    isWanted: PageQuery["isWanted"],
  ): Steps<{ readonly units: readonly PlacedUnit[]; readonly isFull: boolean }> {
    const units: PlacedUnit[] = [];
    let bytes = 0;
    for (let next = this.#indexAfter(after); next < this.#units.length; next++) {
      const unit = this.#units[next] as PlacedUnit;
      if (!(yield* isWanted(unit))) continue;
      if (units.length === limit || bytes >= PAGE_BYTES) return { units, isFull: true };
      units.push(unit);
      bytes += bytesOf(unit);
    }
    return { units, isFull: false };
  }

  /**
   * Returns the position of a page without units that begins after a position: a date at which the reading can
   * continue, or the same position. Returns null if there is none, because very many units have the same date.
   */
  #dateAfter(after: ByteString): ByteString | null {
    const at = firstDateAfter(this.end);
    const rounded = (milliseconds: number) => lastBefore(at - (at % milliseconds));
    const positions = [rounded(ROUNDED_MS), after, ...LESS_ROUNDED_MS.map(rounded)];
    return positions.find((each) => each >= after && this.covers(each)) ?? null;
  }

  #indexAfter(position: ByteString): number {
    let low = 0;
    let high = this.#units.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#units[middle] as PlacedUnit).position <= position) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /**
   * Reads until there are enough units for a page, the final date is reached, or a time is over.
   * @param checked  the position up to which the page has selected its units; later ones are not dropped
   */
  async #advance(final: number, checked: ByteString, endsAt: number): Promise<void> {
    const { uptime, soon } = this.#parts.clock;
    for (let isDone = false; !isDone; ) {
      isDone = this.#runTurn(final) || this.#turnBytes >= PAGE_BYTES || uptime() > endsAt;
      // Also after the last turn, because a page that has found nothing continues with the next one.
      await new Promise<void>((resolve) => soon(resolve));
      if (this.isStopped) throw new RecallFailure(STOPPED, "TRYAGAIN");
    }

    this.#turnBytes = 0;
    this.#fold?.dropExpired(EXPIRED_MAX);
    this.#fold?.voids.drop(this.#fold.cutAt);

    const droppedMax = Math.min(this.#indexAfter(checked), this.#units.length - 1);
    let dropped = 0;
    for (; this.#bytes > KEPT_BYTES && dropped < droppedMax; dropped++)
      this.#bytes -= bytesOf(this.#units[dropped] as PlacedUnit);
    if (dropped === 0) return;

    this.#start = (this.#units[dropped - 1] as PlacedUnit).position;
    this.#units = this.#units.slice(dropped);
  }

  /** Reads for one turn of the event loop. @returns whether everything before the final date has been read */
  #runTurn(final: number): boolean {
    const { clock, storage } = this.#parts;
    const refold = this.#current(final);

    // Entries that were not read yet may be removed at the end of this turn, but not earlier.
    if (prunedTo(storage) > (this.#fold?.cutAt ?? -1) && this.#fold !== null)
      throw new RecallFailure(REMOVED, "TRYAGAIN");

    const endsAt = clock.uptime() + BACKGROUND_TURN_MS;
    do {
      const step = this.#step(refold);
      if (step === null) return false;
      if (step.done !== true) continue;

      this.#fold = step.value;
      this.#refold = null;
      const end = lastBefore(this.#until + 1);
      if (end > this.end) this.end = end;
      return this.#until >= final - 1;
    } while (clock.uptime() < endsAt && this.#turnBytes < PAGE_BYTES);
    return false;
  }

  /** Returns null if the snapshot is damaged, so that the reading begins again with an earlier one. */
  #step(refold: Refold): IteratorResult<undefined, Fold> | null {
    try {
      return refold.steps.next();
    } catch (problem) {
      if (!(problem instanceof DamagedSnapshot)) throw problem;
      this.#damagedSnapshots++;
      this.#refold = null;
      return null;
    }
  }

  #current(final: number): Refold {
    if (this.#refold !== null) return this.#refold;
    this.#until = final - 1;
    this.#refold = this.#refoldFrom(this.#fold ?? this.#beginning());
    return this.#refold;
  }

  #beginning(): number | null {
    const { storage, snapshots } = this.#parts;
    const from = firstDateAfter(this.end);
    const beginning = beginningsOf(storage, snapshots, from)[this.#damagedSnapshots];
    if (beginning !== undefined) return beginning;
    const earliest = earliestOf(storage, snapshots);
    const limit =
      earliest < Number.MAX_SAFE_INTEGER ? `, but not before ${earliest} (${dateText(earliest)})` : "";
    throw new RecallFailure(tooEarly(from, FROM_A_SNAPSHOT + limit));
  }

  #refoldFrom(from: number | Fold | null): Refold {
    return new Refold({
      ...this.#parts,
      from,
      until: this.#until,
      tailEnd: this.#until,
      tailBytes: Number.POSITIVE_INFINITY,
      index: null,
      skips: () => false,
      begun: (fold) => {
        this.#fold = fold;
      },
      found: (entry, answers) => this.#found(entry, answers),
      damaged: () => {
        throw new RecallFailure(DAMAGED, "TRYAGAIN");
      },
      isFull: () => this.#turnBytes >= PAGE_BYTES,
    });
  }

  #found({ id, envelope }: Entry, answers: readonly UnitAnswer[]): void {
    const { at, seq, key } = envelope;
    const { shorten } = this.#parts;

    // The bytes of the entry are valid only now.
    const entry = { id, envelope, body: NO_BYTES, signature: NO_BYTES };
    const label = this.#fold?.ring.find(key)?.label ?? "";

    for (const unit of recalledUnits(entry, answers)) {
      const position = unitOrderKey(at, seq, id, unit.index);
      if (position <= this.end) continue;
      const answer = { ...unit.answer, reply: shorten(unit.answer.reply) };
      const placed = { ...unit, answer, position, label };
      this.#units.push(placed);
      this.#bytes += bytesOf(placed);
      this.#turnBytes += bytesOf(placed);
      this.end = position;
    }
  }
}

const NO_BYTES = Buffer.alloc(0);

function bytesOf({ commands }: RecalledUnit): number {
  let bytes = UNIT_BYTES;
  for (const argv of commands) for (const argument of argv) bytes += argument.length + ARGUMENT_BYTES;
  return bytes;
}

const FROM_A_SNAPSHOT =
  "read a snapshot of the current state (dbsync export), and then follow the feed from a date before that snapshot";
const UNKNOWN = `this position is not known here, because it belongs to another cluster, or to data that this cluster has lost: ${FROM_A_SNAPSHOT}`;
const DAMAGED =
  "an entry of the timeline is damaged here, so the feed would have a gap: follow another daemon until members have sent the entry again";
