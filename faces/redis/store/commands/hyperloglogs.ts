/**
 * HyperLogLog: estimates the number of different elements in at most 12 KiB. Behaviour, error texts and bytes are those
 * of Redis 7; test/conformance checks them. Unlike in Redis, PFCOUNT only reads: it does not cache its result in the
 * key.
 */

import { custom, echoed } from "../../../../daemon/store/arguments/command-errors.js";
import { narrow } from "../../../../daemon/store/arguments/number-arguments.js";
import { event, ifCounted, noEvents } from "../../../../daemon/store/events/event-rules.js";
import type { Data } from "../../../../daemon/store/keyspace/mutators.js";
import { stringLength, stringPart } from "../../../../daemon/store/keyspace/string-parts.js";
import { allLookedUp, family } from "../../../../daemon/store/rows/command-row.js";
import { none, read, recode, update, write } from "../../../../daemon/store/rows/key-spec.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { array, bulk, integer, OK, ONE, type Reply, status, ZERO } from "../../../../protocol/reply.js";
import {
  addToDense,
  CorruptSketch,
  estimateOf,
  isDenseSketch,
  REGISTERS,
  Sketch,
} from "../values/hyperloglog.js";

export const hyperloglogs = family("hyperloglog", {
  PFADD: {
    arity: -2,
    flags: ["write", "denyoom", "fast"],
    keys: [write(1)],
    since: "2.8.9",
    complexity: "O(1) for each element",
    summary: "Adds elements to a HyperLogLog, which is created if absent.",
    events: event("$", "pfadd", ifCounted),
    keyFlags: ["RW insert"],
    method: "key ...elements: number",
    keepsExpiryOf: 1,
    setsAgain: true,
    run: (data, argv) => guarded(() => pfadd(data, argv)),
  },
  PFCOUNT: {
    arity: -2,
    flags: ["readonly"],
    keys: [read(1, -1)],
    since: "2.8.9",
    complexity: "O(N), N: keys",
    summary: "Estimates the number of different elements of several HyperLogLogs together.",
    method: "key ...keys: number",
    run: (data, argv) => guarded(() => pfcount(data, argv)),
  },
  PFDEBUG: {
    arity: 3,
    flags: ["write", "denyoom", "admin"],
    keys: [recode(2)],
    since: "2.8.9",
    complexity: "O(1)",
    summary: "Returns how a HyperLogLog is stored: DECODE, ENCODING, GETREG, TODENSE.",
    events: noEvents,
    keyFlags: ["RW access"],
    run: (data, argv) => guarded(() => pfdebug(data, argv)),
  },
  PFMERGE: {
    arity: -2,
    flags: ["write", "denyoom"],
    keys: [update(1), read(2, -1)],
    since: "2.8.9",
    complexity: "O(N), N: keys",
    summary: "Merges HyperLogLogs into one.",
    events: event("$", "pfadd"),
    lookedUp: allLookedUp,
    keyFlags: ["RW access insert", "RO access"],
    method: 'key ...keys: "OK"',
    keepsExpiryOf: 1,
    setsAgain: true,
    run: (data, argv) => guarded(() => pfmerge(data, argv)),
  },
  PFSELFTEST: {
    arity: 1,
    flags: ["admin"],
    keys: none,
    since: "2.8.9",
    complexity: "O(1)",
    summary: "Checks that the registers of HyperLogLogs keep their values.",
    run: (data) => pfselftest(data),
  },
});

/** @throws CommandFailure instead of CorruptSketch */
function guarded(run: () => Reply): Reply {
  try {
    return run();
  } catch (problem) {
    if (problem instanceof CorruptSketch) throw custom("INVALIDOBJ Corrupted HLL object detected");
    throw problem;
  }
}

/** Cost in steps of copying a sketch, and of estimating or merging it. */
const SKETCH_STEPS = 1700;
/** Cost in steps of copying a sparse sketch to add elements. */
const SPARSE_STEPS = 50;
/** The maximum number of elements that are written into a dense sketch one by one. */
const PATCHES_MAX = 16;
/** Cost in steps of each register that is raised. */
const RAISED_STEPS = 2;
/**
 * Additional cost in steps of each register that is raised in a sparse sketch. A sparse sketch consists of runs of
 * equal registers, and the runs after the register must move.
 */
const RAISED_IN_RUNS_STEPS = 100;
const RUNS_REGISTERS_MAX = 1500;

/** Returns a copy of a key's sketch and counts the cost of copying it. @throws CommandFailure, BudgetExceeded */
function sketchAt(data: Data, key: ByteString, steps = SKETCH_STEPS): Sketch | undefined {
  const bytes = data.getString(key)?.value;
  if (bytes === undefined) return undefined;
  data.effort.work(steps);
  const sketch = Sketch.of(bytes);
  if (sketch === undefined) throw custom("WRONGTYPE Key is not a valid HyperLogLog string value.");
  return sketch;
}

function pfadd(data: Data, [, key, ...elements]: readonly ByteString[]): Reply {
  if (elements.length <= PATCHES_MAX) {
    const added = patchDense(data, key!, elements);
    if (added !== null) return added;
  }

  const present = sketchAt(data, key!, SPARSE_STEPS);
  const sketch = present ?? Sketch.empty();
  let isChanged = present === undefined;
  for (const element of elements) isChanged = sketch.add(element) || isChanged;
  if (!isChanged) return ZERO;

  sketch.forgetEstimate();
  store(data, key!, sketch);
  return ONE;
}

/** Adds elements to a dense sketch by writing only the changed bytes. @returns null if the key has no dense sketch */
function patchDense(data: Data, key: ByteString, elements: readonly ByteString[]): Reply | null {
  const entry = data.getString(key);
  if (entry === undefined) return null;
  const readBytes = (from: number, to: number) => stringPart(entry, from, to);
  if (!isDenseSketch(stringLength(entry), readBytes)) return null;
  const writeBytes = (at: number, bytes: ByteString) => data.patch(entry, at, bytes);
  let isChanged = false;
  for (const element of elements) isChanged = addToDense(element, readBytes, writeBytes) || isChanged;
  return isChanged ? ONE : ZERO;
}

function pfcount(data: Data, [, ...keys]: readonly ByteString[]): Reply {
  if (keys.length === 1)
    return integer(narrow(BigInt.asIntN(64, sketchAt(data, keys[0]!)?.estimate() ?? 0n)));
  return integer(narrow(estimateOf(highest(data, keys).registers)));
}

function pfmerge(data: Data, [, ...keys]: readonly ByteString[]): Reply {
  const { registers, isDense } = highest(data, keys);
  const sketch = sketchAt(data, keys[0]!) ?? Sketch.empty();
  if (isDense) sketch.makeDense();
  const current = sketch.registers;
  countRaised(
    data,
    sketch,
    registers.reduce((count, value, i) => count + Number(value > current[i]!), 0),
  );
  for (let i = 0; i < REGISTERS; i++) if (registers[i]! > current[i]!) sketch.raise(i, registers[i]!);
  sketch.forgetEstimate();
  store(data, keys[0]!, sketch);
  return OK;
}

/** Counts registers that are about to be raised. @throws BudgetExceeded */
function countRaised({ effort }: Data, { isDense }: Sketch, count: number): void {
  effort.work(RAISED_STEPS * count);
  if (!isDense) effort.work(RAISED_IN_RUNS_STEPS * Math.min(count, RUNS_REGISTERS_MAX));
}

/**
 * `PFDEBUG DECODE|ENCODING|GETREG|TODENSE key`; as in Redis, GETREG makes a sketch dense before it returns the
 * registers.
 */
function pfdebug(data: Data, [, word, key]: readonly ByteString[]): Reply {
  const sketch = sketchAt(data, key!);
  if (sketch === undefined) throw custom("ERR The specified key does not exist");

  const { isDense } = sketch;
  switch (word!.toLowerCase()) {
    case "decode":
      if (isDense) throw custom("ERR HLL encoding is not sparse");
      return bulk(sketch.runs);
    case "encoding":
      return status(isDense ? "dense" : "sparse");
    case "getreg":
    case "todense": {
      if (!isDense) {
        sketch.makeDense();
        store(data, key!, sketch);
      }
      if (word!.toLowerCase() === "todense") return isDense ? ZERO : ONE;
      return array([...sketch.registers].map((value) => integer(value)));
    }
    default:
      throw custom(`ERR Unknown PFDEBUG subcommand '${echoed(word!, Number.POSITIVE_INFINITY)}'`);
  }
}

/** The highest value that a register can have. */
const VALUE_MAX = 63;

function pfselftest(data: Data): Reply {
  const sketch = Sketch.empty();
  sketch.makeDense();
  countRaised(data, sketch, REGISTERS);
  const expected = (index: number) => (index % VALUE_MAX) + 1;
  for (let i = 0; i < REGISTERS; i++) sketch.raise(i, expected(i));
  if (sketch.registers.every((value, i) => value === expected(i))) return OK;
  throw custom("ERR TESTFAILED a register does not have the value that was set");
}

/** Returns the highest value of each register in all sketches. @throws CommandFailure, CorruptSketch */
function highest(data: Data, keys: readonly ByteString[]): { registers: Uint8Array; isDense: boolean } {
  const registers = new Uint8Array(REGISTERS);
  let isDense = false;
  for (const key of keys) {
    const sketch = sketchAt(data, key);
    if (sketch === undefined) continue;
    isDense ||= sketch.isDense;
    const others = sketch.registers;
    for (let i = 0; i < REGISTERS; i++) if (others[i]! > registers[i]!) registers[i] = others[i]!;
  }
  return { registers, isDense };
}

/** Stores a sketch in its key. If its length is unchanged, writes only the bytes that have changed. */
function store(data: Data, key: ByteString, sketch: Sketch): void {
  const { bytes } = sketch;
  const entry = data.getString(key);
  if (entry === undefined) {
    const entry = data.put(key, bytes);
    data.forms?.note(entry, "raw");
    return;
  }

  const old = entry.value;
  if (old.length !== bytes.length) {
    data.setBytes(entry, bytes);
    data.forms?.note(entry, "raw");
    return;
  }

  let from = 0;
  while (from < bytes.length && old.charCodeAt(from) === bytes.charCodeAt(from)) from++;
  let to = bytes.length;
  while (to > from && old.charCodeAt(to - 1) === bytes.charCodeAt(to - 1)) to--;
  if (from < to) data.patch(entry, from, bytes.slice(from, to));
}
