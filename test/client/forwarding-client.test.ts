/** Tests which policy a sidecar uses for its commands. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { FanOutClient } from "../../client/fan-out-client.js";
import { ForwardingClient } from "../../client/forwarding-client.js";
import type { CallSettings } from "../../client/settings/call-options.js";
import type { CallPolicy } from "../../client/shared/policy.js";

/** Returns the policies of sent commands. `watched` is the number of keys that the command's connection watches. */
function policiesOf(policy: CallPolicy, sent: readonly (readonly [command: string, watched: number])[]) {
  const policies: CallPolicy[] = [];
  const client: Pick<FanOutClient, "carry"> = {
    carry: (_bytes, _commandKind, settings) => void policies.push(settings.policy),
  };
  const settings: CallSettings = {
    timeout: 1,
    policy,
    format: "text",
    envelope: null,
    buffers: false,
    traceparent: null,
  };
  const carrier = new ForwardingClient(client as FanOutClient, settings);
  const carrying = { resolve: () => {}, reject: () => {} };
  for (const [command, size] of sent)
    carrier.send(command.split(" "), { db: 0, isStable: false, watched: { size } }, carrying);
  return policies;
}

test("a read while keys are watched needs a majority, unless a policy is set", () => {
  const sent = [
    ["GET k", 0],
    ["GET k", 1],
    ["SET k v", 1],
  ] as const;
  assert.deepEqual(policiesOf("usual", sent), ["usual", "majority", "usual"]);
  assert.deepEqual(policiesOf("first", sent), ["first", "first", "first"]);
  assert.deepEqual(policiesOf(1, sent), [1, 1, 1]);
});
