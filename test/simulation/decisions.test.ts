/** Tests which contradictions between decisions the simulation reports, after the lists of members have changed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Entry, orderKeyOf, writeOrderKey } from "../../daemon/timeline/entries/entry.js";
import { bytesOf } from "../../protocol/byte-string.js";
import { writeCertificate } from "../../protocol/members/decision-messages.js";
import { writeBulk } from "../../protocol/resp/resp-writer.js";
import { readEntryBody, writeDecision } from "../../protocol/version-2/decision-body.js";
import type { DecidedOutcome } from "../../protocol/version-2/envelope.js";
import { DecisionLedger } from "./decisions.js";
import { sha256, sign } from "./signatures.js";

const LISTS: Readonly<Record<string, string>> = { "1": "abc", "2": "ac", "3": "c" };
const hashOf = (list: string) => list.repeat(32);

/** Returns the decision of the first slot that a list has made. */
function decisionOf(list: string): Entry {
  const body = writeDecision({
    slot: 1,
    index: 0,
    count: 1,
    previous: null,
    at: Number(list),
    seq: 0,
    outcomes: ["unmet"],
    unit: null,
  });
  const ballot = { list: 1, listHash: hashOf(list), round: 1, member: "m".repeat(32), attempt: 0 };
  const signature = writeCertificate({ ballot, path: [], votes: [] });
  return { id: sha256(bytesOf(body)), body, signature, envelope: readEntryBody(body) };
}

/** Returns how many contradictions are reported if two lists have decided one slot. */
function reported(one: string, other: string, final: readonly string[], lost: readonly string[]): number {
  const ledger = new DecisionLedger();
  for (const [list, members] of Object.entries(LISTS)) ledger.members.set(hashOf(list), [...members]);
  ledger.folded([one, other].map(decisionOf), { sent: new Map(), violate: assert.fail });
  const keys = new Set(lost.map((list) => bytesOf(writeOrderKey(orderKeyOf(decisionOf(list))))));
  const ids = new Set(final.map((list) => decisionOf(list).id));
  return ledger.broken({ ids, isLost: (orderKey) => keys.has(orderKey) }, false).length;
}

test("a slot is decided again only if the first decision is lost, and too few members of its list remained", () => {
  assert.equal(reported("1", "3", ["3"], ["1"]), 0, "a and b may have decided");
  assert.equal(reported("3", "1", ["3"], ["1"]), 0, "the order in which they are found does not matter");
  assert.equal(reported("1", "2", ["2"], ["1"]), 1, "one of a and c has the decision");
  assert.equal(reported("2", "3", ["3"], ["2"]), 1, "c has the decision");
  assert.equal(reported("1", "3", ["3"], []), 1, "a member must have it");
  assert.equal(reported("1", "3", ["1", "3"], ["1"]), 1, "it is not lost");
  assert.equal(reported("3", "1", ["1"], ["3"]), 1, "the members of the first list are not removed by it");
});

const KEY = { id: "k".repeat(32), spki: "spki" };
const [MET, UNMET] = ["decided", "decided unmet"];

/** Returns the envelope of a client, the decision on it with some outcomes, and a ledger that knows it. */
function decidedBy(outcomes: readonly DecidedOutcome[]) {
  const header = { cluster: "c".repeat(32), nonce: "n".repeat(16), at: 1, seq: 0, decide: true };
  const ifs = new Map(outcomes.map((_, index) => [index, [{ db: 0, key: "k", writer: "" }]]));
  const client = sign(KEY, { ...header, ifs }, Array(outcomes.length).fill(["INCR", "k"]));
  const place = { slot: 1, index: 0, count: 1, previous: null, at: 2, seq: 0 };
  const body = writeDecision({ ...place, outcomes, unit: client });
  const decision = { id: sha256(body), body, signature: client.signature, envelope: readEntryBody(body) };
  const ledger = new DecisionLedger();
  ledger.folded([decision], { sent: new Map([[client.id, {}]]), violate: assert.fail });
  return { client, decision, ledger };
}

/** Returns what is broken if a daemon answers units with some flags, and their decision has other outcomes. */
function brokenBy(flags: readonly string[], outcomes: readonly DecidedOutcome[]): readonly string[] {
  const { client, decision, ledger } = decidedBy(outcomes);
  const replies = flags.map((each) => `:1\r\n${writeBulk(each)}`).join("");
  ledger.answered(client, { kind: "result", id: client.id, units: flags.length, errors: 0, replies });
  return ledger.broken({ ids: new Set([decision.id]), isLost: () => false }, false);
}

test("the acknowledged outcome of each unit of an envelope must be that of its decision", () => {
  const outcomes = ["applied", "unmet", "applied"] as const;
  assert.deepEqual(brokenBy([MET, UNMET, MET], outcomes), []);
  assert.equal(brokenBy([UNMET, UNMET, MET], outcomes).length, 1);
  assert.equal(brokenBy([MET, MET, MET], outcomes).length, 1);
  assert.equal(brokenBy([MET, UNMET, UNMET], outcomes).length, 1);
  assert.equal(brokenBy([UNMET, MET, UNMET], outcomes).length, 3);
});

test("an envelope that its daemon has refused as not applied must not be decided, unless it has no effect", () => {
  for (const outcome of ["applied", "unmet"] as const) {
    const { client, decision, ledger } = decidedBy([outcome, "unmet"]);
    ledger.refused(client.id, "d0");
    const broken = ledger.broken({ ids: new Set([decision.id]), isLost: () => false }, true);
    assert.equal(broken.length, outcome === "applied" ? 1 : 0);
  }
});
