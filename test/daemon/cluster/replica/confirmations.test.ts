/**
 * Tests that a client that waits for a final or replicated result receives the result only when it is final or
 * replicated.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Confirmations } from "../../../../daemon/cluster/replica/recorder.js";
import type { NodeState } from "../../../../daemon/cluster/replica/replica-context.js";
import { double } from "../../../support/double.js";

test("clients wait for final results, with few timers, until the state includes them", async () => {
  let [isFolded, checks, timers] = [false, 0, 0];
  const node = double<NodeState>({
    peering: { stable: () => Promise.resolve(), replicated: () => Promise.resolve() },
    timeline: {
      isFolded: () => {
        checks++;
        return isFolded;
      },
      hasFolded: () => true,
      handover: { adoptions: 0 },
    },
    environment: {
      setTimer: (ms, step) => {
        if (ms < 1000) timers++;
        const timer = setTimeout(step, ms < 1000 ? 1 : ms);
        return () => clearTimeout(timer);
      },
    },
  });
  const confirmations = new Confirmations(node);
  const orderKey = { at: 1, seq: 0, id: "" };
  const all = Array.from({ length: 100 }, () => confirmations.confirm(orderKey, { kind: "stable" }));
  while (checks < 500) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(timers <= checks / 50, `${timers} timers for ${checks} checks`);
  isFolded = true;
  assert.ok((await Promise.all(all)).every((isConfirmed) => isConfirmed));
  confirmations.stop();
});

test("a unit from before an adopted snapshot is confirmed only if the state still includes it", async () => {
  for (const kind of ["stable", "replicated"] as const) {
    for (const [adoptions, isIncluded] of [
      [0, false],
      [1, true],
      [1, false],
    ] as const) {
      const handover = { adoptions: 0 };
      let finish = () => {};
      const confirmation = new Promise<void>((resolve) => (finish = resolve));
      const node = double<NodeState>({
        peering: { stable: () => confirmation, replicated: () => confirmation },
        timeline: { isFolded: () => true, hasFolded: () => isIncluded, handover },
        environment: { setTimer: () => () => {} },
      });
      const confirmations = new Confirmations(node);
      const wait = kind === "stable" ? { kind } : { kind, daemons: 2 };
      const confirmed = confirmations.confirm({ at: 1, seq: 0, id: "" }, wait);
      handover.adoptions = adoptions;
      finish();
      assert.equal(await confirmed, adoptions === 0 || isIncluded, kind);
      confirmations.stop();
    }
  }
});
