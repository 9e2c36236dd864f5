/** Tests which policy a sidecar uses for its commands, and which of them wait until they are final. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ForwardingClient } from "../../client/forwarding-client.js";
import type { OutboxClient } from "../../client/outbox-client.js";
import type { CallSettings } from "../../client/settings/call-options.js";
import type { CallPolicy } from "../../client/shared/policy.js";

const CARRYING = { resolve: () => {}, reject: () => {} };

/** Returns a client, and the settings of the calls that it makes. */
function recordingClient(policy: CallPolicy) {
  const calls: CallSettings[] = [];
  const client: Pick<OutboxClient, "forward"> = {
    forward: (_inputs, _bytes, _commandKind, settings) => void calls.push(settings),
  };
  const settings: CallSettings = {
    timeout: 1,
    policy,
    format: "text",
    envelope: null,
    buffers: false,
    signal: null,
    traceparent: null,
  };
  return { carrier: new ForwardingClient(client as OutboxClient, settings), calls };
}

/** Returns the policies of sent commands. `watched` is the number of keys that the command's connection watches. */
function policiesOf(policy: CallPolicy, sent: readonly (readonly [command: string, watched: number])[]) {
  const { carrier, calls } = recordingClient(policy);
  for (const [command, size] of sent)
    carrier.send(command.split(" "), { db: 0, isStable: false, watched: { size } }, CARRYING);
  return calls.map((call) => call.policy);
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

test("on a stable connection, writes wait until they are final, and reads do not", () => {
  const { carrier, calls } = recordingClient("usual");
  const sender = { db: 0, isStable: true };

  for (const command of ["SET k v", "GET k"]) carrier.send(command.split(" "), sender, CARRYING);
  carrier.sendTogether(
    [
      ["GET", "k"],
      ["SET", "k", "v"],
    ],
    [],
    sender,
    CARRYING,
  );
  carrier.sendTogether([["GET", "k"]], [], sender, CARRYING);

  const waits = calls.map(({ envelope, timeout }) => [envelope?.wait?.kind ?? null, timeout]);
  assert.deepEqual(waits, [
    ["stable", 60_000],
    [null, 1],
    ["stable", 60_000],
    [null, 1],
  ]);
});
