/** Tests which daemon requests the decision with which a pattern of decided keys begins. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { EntryRecorder } from "../../../../daemon/cluster/replica/entry-recorder.js";
import { PatternOrders } from "../../../../daemon/cluster/replica/pattern-orders.js";
import type { NodeState } from "../../../../daemon/cluster/replica/replica-context.js";
import { notApplied, refused } from "../../../../daemon/engine/answers/request.js";
import { makeIdentity } from "../../../../daemon/engine/trust/identity.js";
import { type DecidedPattern, DecidedPatterns } from "../../../../daemon/store/rights/decided-patterns.js";
import type { KeyRecord } from "../../../../daemon/store/rights/key-record.js";
import { double } from "../../../support/double.js";
import { nextTurn } from "../../../support/until.js";

const AT = 1_790_000_000_000;
const patternOf = (glob: string): DecidedPattern => ({ glob, db: null, announcedAt: 1, isBegun: false });
const [FIRST, SECOND] = [patternOf("d:*"), patternOf("e:*")];

interface Scene {
  /** The commands on which the daemon has requested a decision. */
  readonly requested: string[];
  /** The patterns that may begin. */
  readonly beginnings: { ready: readonly DecidedPattern[] };
  readonly runFor: (milliseconds: number) => Promise<void>;
}

/** Makes a daemon with two patterns that have not begun. Each of its requests is refused. */
function makeScene({ isKeeper }: { readonly isKeeper: boolean }): Scene {
  const identity = makeIdentity();
  let now = 0;
  const requested: string[] = [];
  const beginnings: Scene["beginnings"] = { ready: [] };
  const keeper = isKeeper ? identity.id : "k".repeat(32);
  const node = double<NodeState>({
    identity,
    signers: { cluster: "c".repeat(32) },
    settings: { window: { future: 5_000 } },
    environment: {
      uptime: () => now,
      clock: () => AT + now,
      randomBytes: (count) => "r".repeat(count),
    },
    peering: { decisions: { figures: { keeper }, beginnings } },
  });
  const recorder = double<EntryRecorder>({
    ring: {
      patterns: DecidedPatterns.NONE.with(FIRST).with(SECOND),
      find: () => double<KeyRecord>({ revokedAt: null, addedAt: 0 }),
    },
    newest: { at: 0, seq: 0 },
    floor: 0,
    commonClock: AT,
    async decide({ id, envelope }) {
      requested.push(...envelope.commands.map((argv) => argv.join(" ")));
      return notApplied(id, refused("cannot-decide", ""));
    },
  });
  const orders = new PatternOrders(node, recorder);
  const runFor = async (milliseconds: number): Promise<void> => {
    for (const end = now + milliseconds; now < end; now += 100) {
      orders.tick();
      await nextTurn();
    }
  };
  return { requested, beginnings, runFor };
}

test("the keeper begins a pattern as soon as it may begin, and requests it again after a refusal", async () => {
  const { requested, beginnings, runFor } = makeScene({ isKeeper: true });
  await runFor(1_000);
  assert.deepEqual(requested, []);

  beginnings.ready = [FIRST];
  await runFor(200);
  assert.deepEqual(requested, ["CLUSTER DECIDED d:*", "CLUSTER DECIDED d:*"]);
});

test("another member begins a pattern that the keeper has not begun for 5 s", async () => {
  const { requested, beginnings, runFor } = makeScene({ isKeeper: false });
  beginnings.ready = [FIRST];
  await runFor(4_000);
  beginnings.ready = [];
  await runFor(100);
  beginnings.ready = [FIRST, SECOND];
  await runFor(4_900);
  // The keeper begins the patterns one after the other.
  beginnings.ready = [SECOND];
  await runFor(5_000);
  assert.deepEqual(requested, []);

  await runFor(100);
  assert.deepEqual(requested, ["CLUSTER DECIDED e:*"]);
});
