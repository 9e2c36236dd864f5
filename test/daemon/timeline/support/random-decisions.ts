/**
 * Random envelopes on whose units members decide, and random decisions on them: several units of one envelope often
 * touch the same key, have conditions of their own, and are sometimes malformed or forbidden.
 */
import type { Entry } from "../../../../daemon/timeline/entries/entry.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { SHARING_NAME } from "../../../../protocol/implicit-condition.js";
import { writeCommand } from "../../../../protocol/resp/resp-writer.js";
import { readEntryBody, writeDecision } from "../../../../protocol/version-2/decision-body.js";
import {
  type Condition,
  type DecidedOutcome,
  type Envelope,
  readBody,
  unitsIn,
} from "../../../../protocol/version-2/envelope.js";
import { writeBody } from "../../../../protocol/version-2/envelope-body.js";
import { unitId } from "../../../../protocol/version-2/unit-names.js";
import { randomCall } from "../../../conformance/call.js";
import { commandGrammars } from "../../../conformance/families.js";
import { Generator } from "../../../conformance/grammar.js";
import type { SeededRandom } from "../../../support/seeded-random.js";
import { EPOCH } from "../../store/random-unit.js";
import { hash, KEY_IDS } from "./random-timeline.js";

type Argv = readonly ByteString[];

const sharing = commandGrammars.filter(({ name }) => SHARING_NAME.test(name));
const UNITS_MAX = 8;
const DATABASES_USED = 3;

/** The outcomes of each of several units, and of a single one. */
const SEVERAL_UNITS: readonly DecidedOutcome[] = ["applied", "unmet"];
const ONE_UNIT: readonly DecidedOutcome[] = [...SEVERAL_UNITS, "too-much"];

export class RandomDecisions {
  readonly #random: SeededRandom;
  readonly #g: Generator;
  /** Entries whose keys and dates are used. */
  readonly #made: Entry[];
  #slot = 0;

  constructor(random: SeededRandom, made: readonly Entry[]) {
    this.#random = random;
    this.#g = new Generator({ random, now: EPOCH });
    this.#made = [...made];
  }

  /** Returns random decisions with the dates of other entries. */
  entries(count: number): Entry[] {
    const random = this.#random;
    return Array.from({ length: count }, () => {
      const body = this.envelope();
      const units = unitsIn(readBody(body));
      const words = units.length === 1 ? ONE_UNIT : SEVERAL_UNITS;
      const outcomes = units.map(() => random.oneOf(words));
      const { at, seq } = random.oneOf(this.#made).envelope;
      const entry = this.decision(body, { at, seq: seq + random.below(2) }, outcomes);
      this.#made.push(entry);
      return entry;
    });
  }

  /** Returns the decision on an envelope. */
  decision(
    body: Buffer,
    { at, seq }: Pick<Envelope, "at" | "seq">,
    outcomes: readonly DecidedOutcome[],
    slot = ++this.#slot,
  ): Entry {
    const previous = slot === 1 ? null : { at: EPOCH, seq: 0, id: hash("previous") };
    const unit = { body, signature: Buffer.alloc(0) };
    const bytes = writeDecision({ slot, index: 0, count: 1, previous, at, seq, outcomes, unit });
    return {
      id: hash(bytes.toString("latin1")),
      body: bytes,
      signature: unit.signature,
      envelope: readEntryBody(bytes),
    };
  }

  /** Returns the body of a client's envelope with `decide`. */
  envelope(): Buffer {
    const random = this.#random;
    const count = random.chance(0.2) ? 1 : random.between(2, UNITS_MAX);
    const key = this.#g.key();
    const commands = Array.from({ length: count }, () =>
      this.#command(random.chance(0.6) ? key : this.#g.key()),
    );

    const ifs = new Map<number, readonly Condition[]>();
    for (let i = 0; i < count; i++)
      if (random.chance(0.3)) ifs.set(i, this.#conditions(commands[i]?.[1] ?? key));

    const header = {
      key: random.chance(0.1) ? random.oneOf(KEY_IDS) : (KEY_IDS[0] as ByteString),
      cluster: "c".repeat(32),
      at: EPOCH,
      seq: 0,
      nonce: this.#g.bytes(16),
      db: random.chance(0.8) ? 0 : random.below(DATABASES_USED),
      if: count === 1 ? (ifs.get(0) ?? null) : null,
      ifs: count === 1 || ifs.size === 0 ? null : ifs,
      decide: true,
    };
    return Buffer.from(writeBody(header, commands.map(writeCommand)), "latin1");
  }

  #command(key: ByteString): Argv {
    const random = this.#random;
    const value = this.#g.bytes(2);
    if (random.chance(0.4)) return randomCall(this.#g, random.oneOf(sharing));
    return random.oneOf<Argv>([
      ["SET", key, value, random.oneOf(["NX", "XX", "nx"])],
      ["SET", key, value],
      ["SETNX", key, value],
      ["MSETNX", key, value, this.#g.key(), value],
      ["HSETNX", key, random.oneOf(["f", "g"]), value],
      ["INCR", key],
      ["DEL", key],
    ]);
  }

  #conditions(key: ByteString): Condition[] {
    const random = this.#random;
    return Array.from({ length: random.between(1, 2) }, () => {
      const writer = this.#made.length > 0 && random.chance(0.4) ? random.oneOf(this.#made) : null;
      const written = writer?.envelope.commands[0]?.[1] ?? key;
      return {
        db: writer?.envelope.db ?? 0,
        key: writer === null ? key : written,
        writer: writer === null ? "" : unitId(writer.id, 0),
      };
    });
  }
}
