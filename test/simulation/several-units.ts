/**
 * Envelopes with several units on which members decide one after the other: draws their commands, and checks that the
 * outcomes of one envelope agree with each other.
 */

import type { Entry } from "../../daemon/timeline/entries/entry.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { Condition } from "../../protocol/version-2/envelope.js";
import { unitId } from "../../protocol/version-2/unit-names.js";
import type { SeededRandom } from "../support/seeded-random.js";
import { shortId } from "./cast.js";

type Argv = readonly ByteString[];

/** A unit of an envelope before it is signed. */
export interface DrawnUnit {
  readonly argv: Argv;
  readonly conditions: readonly Condition[] | null;
}

/** What units are drawn from. */
export interface UnitSource {
  readonly random: SeededRandom;
  /** Keys of numbers, of texts and of hashes. */
  readonly numbers: readonly ByteString[];
  readonly texts: readonly ByteString[];
  readonly hashes: readonly ByteString[];
  /** Returns a value that no other command uses. */
  readonly value: () => ByteString;
  /** Returns a condition that holds for the current state of a key on one daemon. */
  readonly condition: (key: ByteString) => Condition;
}

const UNITS: readonly [number, number] = [2, 8];
/** The share of the units with texts that use the same key, so that outcomes depend on those before them. */
const SAME_KEY = 0.6;
const FIELDS = 2;

/** Draws the units of one envelope. */
export function drawUnits(source: UnitSource): DrawnUnit[] {
  const { random, numbers, texts, hashes, value, condition } = source;
  const favourite = random.oneOf(texts);
  const text = () => (random.chance(SAME_KEY) ? favourite : random.oneOf(texts));
  const ifAsNow = (argv: Argv): DrawnUnit => ({ argv, conditions: [condition(argv[1] as ByteString)] });
  const always = (argv: Argv): DrawnUnit => ({ argv, conditions: null });
  const makers: readonly (() => DrawnUnit)[] = [
    () => always(["INCR", random.oneOf(numbers)]),
    () => ifAsNow(["INCR", random.oneOf(numbers)]),
    () => always(["SET", text(), value(), random.oneOf(["NX", "XX"])]),
    () => always(["SET", text(), value(), "NX"]),
    () => always(["SETNX", text(), value()]),
    () => ifAsNow(["SET", text(), value()]),
    () => ifAsNow(["SET", text(), value(), random.oneOf(["NX", "XX"])]),
    () => always(["DEL", text()]),
    () => ifAsNow(["DEL", text()]),
    () => always(["HSETNX", random.oneOf(hashes), `f${random.below(FIELDS)}`, value()]),
    () => always(["DEL", random.oneOf(hashes)]),
  ];
  return Array.from({ length: random.between(...UNITS) }, () => random.oneOf(makers)());
}

/** Returns the fields of the header with the conditions of units. */
export function conditionsIn(units: readonly DrawnUnit[]): {
  if: readonly Condition[] | null;
  ifs: ReadonlyMap<number, readonly Condition[]> | null;
} {
  if (units.length === 1) return { if: units[0]?.conditions ?? null, ifs: null };
  const ifs = new Map(
    units.flatMap(({ conditions }, index) => (conditions === null ? [] : [[index, conditions] as const])),
  );
  return { if: null, ifs: ifs.size === 0 ? null : ifs };
}

/** What the outcomes of earlier units show about a key or the field of a hash; undefined if unknown. */
interface Known {
  readonly isPresent?: boolean;
  /** The unit that wrote the key last, empty if the key is absent. */
  readonly writer?: ByteString;
}

/** A requirement of a unit: a known fact that it needs. */
interface Needed {
  readonly name: string;
  readonly fact: Known;
}

/**
 * Checks the outcomes of a decision on several of the units that `drawUnits` returns against each other: whether a key
 * exists after a unit, and which unit has written it, follows from that unit's outcome.
 * @returns the outcomes that are wrong whatever the state before was
 */
export function disagreements({ id, envelope }: Entry): string[] {
  const known = new Map<string, Known>();
  const { commands, decided, db } = envelope;
  const problems: string[] = [];

  for (const [index, argv] of commands.entries()) {
    const conditions = envelope.ifs?.get(index) ?? [];
    const needed: Needed[] = conditions.map(({ key, writer }) => ({
      name: key,
      fact: { writer, isPresent: writer !== "" },
    }));
    needed.push(...requirementOf(argv));

    const outcome = decided?.outcomes[index];
    const holds = needed.map((need) => isTrue(need.fact, known.get(need.name)));
    const expected = holds.includes(false) ? "unmet" : holds.includes(null) ? null : "applied";
    if (expected !== null && expected !== outcome)
      problems.push(
        `${shortId(id)} has unit ${index} (${argv.join(" ")}, db ${db}) as ${outcome} instead of ${expected}`,
      );
    learn(known, needed, outcome === "applied");
    if (outcome === "applied") change(known, argv, unitId(id, index));
  }
  return problems;
}

function requirementOf([name = "", key = "", ...words]: Argv): readonly Needed[] {
  if (name === "HSETNX") return [{ name: `${key} ${words[0]}`, fact: { isPresent: false } }];
  if (name === "SETNX" || words.includes("NX")) return [{ name: key, fact: { isPresent: false } }];
  return words.includes("XX") ? [{ name: key, fact: { isPresent: true } }] : [];
}

/** Whether a fact is true, or null if it is not known. */
function isTrue({ isPresent, writer }: Known, known: Known = {}): boolean | null {
  if (known.isPresent !== undefined && known.isPresent !== isPresent) return false;
  if (writer !== undefined && writer !== "")
    return known.writer === undefined ? null : known.writer === writer;
  return known.isPresent === undefined ? null : true;
}

/** Records what follows from whether a unit was applied. */
function learn(known: Map<string, Known>, needed: readonly Needed[], isApplied: boolean): void {
  for (const { name, fact } of isApplied ? needed : []) known.set(name, { ...known.get(name), ...fact });
  const [only, another] = needed;
  if (isApplied || only === undefined || another !== undefined) return;
  const { isPresent, writer } = only.fact;
  // If a key does not have an expected writer, it may be absent, or have another one.
  if (writer === undefined || writer === "")
    known.set(only.name, { ...known.get(only.name), isPresent: !isPresent });
}

/** Records the effect of a unit. */
function change(known: Map<string, Known>, [name, key = "", field]: Argv, unit: ByteString): void {
  const isDeleted = name === "DEL";
  known.set(key, { isPresent: !isDeleted, writer: isDeleted ? "" : unit });
  if (name === "HSETNX") known.set(`${key} ${field}`, { isPresent: true });
  if (isDeleted) for (let i = 0; i < FIELDS; i++) known.set(`${key} f${i}`, { isPresent: false });
}
