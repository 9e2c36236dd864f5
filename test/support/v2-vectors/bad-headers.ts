/** Valid envelopes for another daemon or another time. */
import { bodyOf, pairsFor, signedVector, withPair } from "./body.js";
import { NOW, type Resp, STARTED_AT } from "./scene.js";
import type { BadVector } from "./vector.js";

/** The name of each vector, a header field with its value, the code of the refusal, and a note. */
const CASES: readonly (readonly [string, string, Resp, string, string])[] = [
  ["for-another-cluster", "cluster", "\0".repeat(32), "wrong-cluster", "another audience"],
  ["for-another-daemon", "only", "\0".repeat(32), "wrong-daemon", "the id of no daemon"],
  ["for-somebody", "as", "alice", "not-a-daemon", "only a daemon's key may say `as`"],
  ["database-16", "db", "16", "wrong-db", "the memory database has 0 to 15"],
  ["a-minute-late", "at", String(NOW - 60_000), "skew", "30 s is the most"],
  ["just-late", "at", String(NOW - 30_000), "skew", "less than 30 s is due"],
  ["just-early", "at", String(NOW + 5_000), "skew", "less than 5 s is due"],
  ["a-minute-early", "at", String(NOW + 60_000), "skew", "5 s is the most"],
  ["in-1970", "at", "0", "skew", "30 s is the most"],
  ["in-287396", "at", "9007199254740991", "skew", "5 s is the most"],
  [
    "before-the-start",
    "at",
    String(STARTED_AT - 1),
    "too-old",
    "within the window, but before the daemon started",
  ],
  ["at-the-start", "at", String(STARTED_AT), "too-old", "dated at the moment of the start itself"],
];

export function badHeaders(): BadVector[] {
  return CASES.map(([name, field, value, code, note]) =>
    signedVector({ name, stage: "header", code, note }, bodyOf(withPair(pairsFor(name), field, value))),
  );
}
