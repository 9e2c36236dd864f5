/** Valid envelopes for another daemon or another time. */
import { bodyOf, pairsFor, SET, signedVector, withPair } from "./body.js";
import { NOW, type Resp, STARTED_AT } from "./scene.js";
import type { BadVector } from "./vector.js";

/** The name of each vector, a header field with its value, the code of the refusal, and a note. */
const CASES: readonly (readonly [string, string, Resp, string, string])[] = [
  ["for-another-cluster", "cluster", "\0".repeat(32), "wrong-cluster", "the id of another cluster"],
  ["for-another-daemon", "only", "\0".repeat(32), "wrong-daemon", "an id that no daemon has"],
  ["for-somebody", "as", "alice", "not-a-daemon", "only a daemon's key may use `as`"],
  ["database-16", "db", "16", "wrong-db", "the memory database has the numbers 0 to 15"],
  ["a-minute-late", "at", String(NOW - 60_000), "skew", "the maximum is 30 s"],
  ["just-late", "at", String(NOW - 30_000), "skew", "the date must be less than 30 s in the past"],
  ["just-early", "at", String(NOW + 5_000), "skew", "the date must be less than 5 s in the future"],
  ["a-minute-early", "at", String(NOW + 60_000), "skew", "the maximum is 5 s"],
  ["in-1970", "at", "0", "skew", "the maximum is 30 s"],
  ["in-287396", "at", "9007199254740991", "skew", "the maximum is 5 s"],
  [
    "before-the-start",
    "at",
    String(STARTED_AT - 1),
    "too-old",
    "within the window, but before the daemon started",
  ],
  ["at-the-start", "at", String(STARTED_AT), "too-old", "dated exactly at the daemon's start"],
];

export function badHeaders(): BadVector[] {
  const ofOne = CASES.map(([name, field, value, code, note]) =>
    signedVector({ name, stage: "header", code, note }, bodyOf(withPair(pairsFor(name), field, value))),
  );
  const [name, note] = ["units-by-a-client", "only a daemon's key may use `units`"];
  const units = bodyOf(withPair(pairsFor(name), "units", ["1", "2"]), [...SET, ...SET, ...SET]);
  return [...ofOne, signedVector({ name, stage: "header", code: "not-a-daemon", note }, units)];
}
