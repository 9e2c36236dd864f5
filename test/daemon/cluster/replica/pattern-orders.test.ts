/** Tests which daemon requests the decision that a pattern of decided keys begins. */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import type { EntryRecorder } from "../../../../daemon/cluster/replica/entry-recorder.js";
import { PatternOrders } from "../../../../daemon/cluster/replica/pattern-orders.js";
import type { NodeState } from "../../../../daemon/cluster/replica/replica-context.js";
import { DecidedPatterns } from "../../../../daemon/store/rights/decided-patterns.js";
import type { Entry } from "../../../../daemon/timeline/entries/entry.js";
import { nextTurn } from "../../../support/until.js";

const OWN = "o".repeat(32);
const AT = 1_700_000_000_000;
const PATTERN = { glob: "d:*", db: null, announcedAt: 1, isBegun: false };

/** Starts a daemon that knows a pattern which has not begun. */
function start(keeper: string): {
  readonly orders: PatternOrders;
  /** The commands of the units on which it has requested a decision. */
  readonly requested: string[];
  /** Whether the pattern may begin. */
  readonly beginnings: { ready: readonly (typeof PATTERN)[] };
  readonly runFor: (milliseconds: number) => Promise<void>;
} {
  const { privateKey: key } = generateKeyPairSync("ed25519");
  let now = 0;
  const requested: string[] = [];
  const beginnings: ReturnType<typeof start>["beginnings"] = { ready: [PATTERN] };
  const node = {
    identity: { id: OWN, spki: "", key },
    signers: { cluster: "c".repeat(32) },
    settings: { window: { past: 30_000, future: 5_000 } },
    environment: {
      uptime: () => now,
      clock: () => AT + now,
      randomBytes: (count: number) => "r".repeat(count),
    },
    peering: { decisions: { figures: { keeper }, beginnings } },
  };
  const recorder = {
    ring: { patterns: DecidedPatterns.NONE.with(PATTERN), find: () => ({ revokedAt: null }) },
    newest: { at: 0, seq: 0 },
    floor: 0,
    decide: async ({ envelope }: Entry) => {
      requested.push(...envelope.commands.map((argv) => argv.join(" ")));
      return { kind: "refused" };
    },
  };
  const orders = new PatternOrders(node as unknown as NodeState, recorder as unknown as EntryRecorder);
  const runFor = async (milliseconds: number): Promise<void> => {
    for (const end = now + milliseconds; now < end; now += 100) {
      orders.tick();
      await nextTurn();
    }
  };
  return { orders, requested, beginnings, runFor };
}

test("the keeper begins a pattern as soon as it may begin, and requests it again after a refusal", async () => {
  const { requested, beginnings, runFor } = start(OWN);
  beginnings.ready = [];
  await runFor(1_000);
  assert.deepEqual(requested, []);
  beginnings.ready = [PATTERN];
  await runFor(200);
  assert.deepEqual(requested, ["CLUSTER DECIDED d:*", "CLUSTER DECIDED d:*"]);
});

test("another member begins a pattern that the keeper does not begin, because its key is not authorized, for example", async () => {
  const { requested, beginnings, runFor } = start("k".repeat(32));
  await runFor(4_000);
  beginnings.ready = [];
  await runFor(100);
  beginnings.ready = [PATTERN];
  await runFor(4_900);
  assert.deepEqual(requested, []);
  await runFor(200);
  assert.deepEqual(requested.slice(0, 1), ["CLUSTER DECIDED d:*"]);
});
