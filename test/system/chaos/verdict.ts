/** Compares the outcomes that clients received in the crash test with the final state of the daemons. */
import assert from "node:assert/strict";
import type { Entry } from "../../../daemon/timeline/entries/entry.js";
import type { State } from "./state.js";
import type { Outcome, ReportedWrite } from "./write.js";

export type Tally = Readonly<Record<Outcome | "lost with a folder", number>>;

/**
 * Checks that every acknowledged write was applied, and that each write reported as not applied was not applied.
 * @param erased  the entries that only one daemon had when its folder was lost
 */
export function checkWrites(writes: readonly ReportedWrite[], state: State, erased: readonly Entry[]): Tally {
  const tally = { replicated: 0, acknowledged: 0, unknown: 0, "not-applied": 0, "lost with a folder": 0 };
  const pushed = pushedOf(state);
  const excused = tokensOf(erased);
  for (const write of writes) {
    const { token, outcome, list } = write;
    tally[outcome]++;
    const [isThere, isWhole] = presence(write, state, pushed);
    const text = JSON.stringify(write);
    if (list !== "" && isThere) assert.equal(pushed.get(token), list, `the list contains it: ${text}`);
    if (outcome === "not-applied") assert.ok(!isThere, `reported as not applied, but applied: ${text}`);
    if (outcome === "replicated") assert.ok(isWhole, `stored on two daemons' disks, but lost: ${text}`);
    if (outcome !== "acknowledged" || isWhole) continue;
    assert.ok(excused.has(token), `acknowledged, but lost: ${text}`);
    tally["lost with a folder"]++;
  }
  checkCounters(writes, state, erased);
  return tally;
}

/** Returns the pushed tokens with the lists that contain them. @throws AssertionError if a token was pushed twice */
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
 * Returns whether any part of a write was applied, and whether all parts were. Increments are ignored, since a counter
 * does not show which writes have incremented it. A write that only increments a counter therefore yields false and
 * true.
 */
function presence(
  { token, sets, list, claim }: ReportedWrite,
  { texts }: State,
  pushed: ReadonlyMap<string, string>,
): [isThere: boolean, isWhole: boolean] {
  const parts = [
    ...(sets ? [texts.get(token) === token] : []),
    ...(list === "" ? [] : [pushed.has(token)]),
    ...(claim === "" ? [] : [texts.get(claim) === token]),
  ];
  return [parts.includes(true), !parts.includes(false)];
}

/**
 * Checks that each counter is at least the number of acknowledged INCRs, and at most this number plus the number of
 * INCRs whose outcome is unknown.
 */
function checkCounters(writes: readonly ReportedWrite[], { texts }: State, erased: readonly Entry[]): void {
  const bounds = new Map<string, { least: number; most: number }>();
  for (const { counter, outcome } of writes) {
    if (counter === "") continue;
    const bound = bounds.get(counter) ?? { least: 0, most: 0 };
    bounds.set(counter, bound);
    if (outcome === "acknowledged" || outcome === "replicated") bound.least++;
    if (outcome !== "not-applied") bound.most++;
  }
  for (const [name, key = ""] of erased.flatMap(({ envelope }) => envelope.commands)) {
    const bound = name === "INCR" ? bounds.get(key) : undefined;
    if (bound !== undefined) bound.least--;
  }
  for (const [counter, { least, most }] of bounds) {
    const value = Number(texts.get(counter) ?? 0);
    assert.ok(
      value >= least && value <= most,
      `${counter} is ${value}, and must be from ${least} to ${most}`,
    );
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
