/** Checks the outcome of the crash test: the results that clients received against the daemons' final state. */
import assert from "node:assert/strict";
import type { Entry } from "../../../timeline/entries/entry.js";
import type { State } from "./state.js";
import type { Told, ToldWrite } from "./write.js";

export type Tally = Readonly<Record<Told | "lost with a folder", number>>;

/**
 * Checks that every acknowledged write is there, and none that was reported as not applied.
 * @param erased  entries that only one daemon had when its folder was removed
 */
export function checkWrites(writes: readonly ToldWrite[], state: State, erased: readonly Entry[]): Tally {
  const tally = { replicated: 0, acknowledged: 0, unknown: 0, "not-applied": 0, "lost with a folder": 0 };
  const pushed = pushedOf(state);
  const excused = tokensOf(erased);
  for (const write of writes) {
    const { token, told, list } = write;
    tally[told]++;
    const [isThere, isWhole] = presence(write, state, pushed);
    const shown = JSON.stringify(write);
    if (list !== "" && isThere) assert.equal(pushed.get(token), list, `in its list: ${shown}`);
    if (told === "not-applied") assert.ok(!isThere, `was told not to be applied, and is: ${shown}`);
    if (told === "replicated") assert.ok(isWhole, `two daemons had it on disk, and it is lost: ${shown}`);
    if (told !== "acknowledged" || isWhole) continue;
    assert.ok(excused.has(token), `was acknowledged, and is lost: ${shown}`);
    tally["lost with a folder"]++;
  }
  checkCounters(writes, state, erased);
  return tally;
}

/** Returns where each token was pushed. @throws AssertionError  one was pushed twice */
function pushedOf({ lists }: State): Map<string, string> {
  const pushed = new Map<string, string>();
  for (const [list, tokens] of lists) {
    for (const token of tokens) {
      assert.ok(!pushed.has(token), `${token} was applied twice`);
      pushed.set(token, list);
    }
  }
  return pushed;
}

/**
 * Returns whether any part of a write is there, and whether all parts are. A write that only raises a counter leaves no
 * trace, and so counts as complete and as absent.
 */
function presence(
  { token, sets, list }: ToldWrite,
  { texts }: State,
  pushed: ReadonlyMap<string, string>,
): [isThere: boolean, isWhole: boolean] {
  const parts = [...(sets ? [texts.get(token) === token] : []), ...(list === "" ? [] : [pushed.has(token)])];
  return [parts.includes(true), !parts.includes(false)];
}

/** Checks that a counter is at least the number of acknowledged INCRs, and at most that plus the unknown ones. */
function checkCounters(writes: readonly ToldWrite[], { texts }: State, erased: readonly Entry[]): void {
  const bounds = new Map<string, { least: number; most: number }>();
  for (const { counter, told } of writes) {
    if (counter === "") continue;
    const bound = bounds.get(counter) ?? { least: 0, most: 0 };
    bounds.set(counter, bound);
    if (told === "acknowledged" || told === "replicated") bound.least++;
    if (told !== "not-applied") bound.most++;
  }
  for (const [name, key = ""] of erased.flatMap(({ envelope }) => envelope.commands)) {
    const bound = name === "INCR" ? bounds.get(key) : undefined;
    if (bound !== undefined) bound.least--;
  }
  for (const [counter, { least, most }] of bounds) {
    const value = Number(texts.get(counter) ?? 0);
    assert.ok(value >= least && value <= most, `${counter} is ${value}, and must be ${least} to ${most}`);
  }
}

function tokensOf(entries: readonly Entry[]): Set<string> {
  const tokens = new Set<string>();
  for (const [name, key = "", value = ""] of entries.flatMap(({ envelope }) => envelope.commands)) {
    if (name === "SET") tokens.add(key);
    if (name === "RPUSH") tokens.add(value);
  }
  return tokens;
}
