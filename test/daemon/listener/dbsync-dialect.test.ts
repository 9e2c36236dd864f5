/**
 * Tests sessions of version 2: the count of answers that wait for other daemons, the limit of replies, and clients that
 * disconnect.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { REFUSALS } from "../../../daemon/engine/answers/refusals.js";
import type { EnvelopeAnswer } from "../../../daemon/engine/answers/request.js";
import { NO_OBSERVER } from "../../../daemon/engine/pipeline/pipeline-parts.js";
import type { DaemonSocketHost } from "../../../daemon/listener/daemon-listener.js";
import { SessionV2 } from "../../../daemon/listener/dbsync-dialect.js";
import { DbsyncServer } from "../../../daemon/listener/dbsync-server.js";
import { ConnectionRegistry } from "../../../daemon/net/connections/connection-registry.js";
import type { UnitClient } from "../../../daemon/store/keyspace/unit.js";
import { writeCommandMessage, writeListen } from "../../../protocol/version-2/messages-v2.js";
import { makeKeyPair } from "../../support/envelope-client.js";
import { defaultLimits } from "../program/in-process.js";
import { NOWHERE } from "../program/no-connection.js";
import { log, makeScene } from "../program/scene.js";

function openSession() {
  const scene = makeScene({ clock: { now: 1_790_000_000_000 }, pair: makeKeyPair() });
  const host: DaemonSocketHost = new ConnectionRegistry("dbsync", {
    environment: scene.environment,
    log,
    observer: NO_OBSERVER,
    limits: { ...defaultLimits, maxBufferedBytes: 1 },
    refusals: REFUSALS,
  });
  const service = {
    pipeline: scene.pipeline,
    daemon: scene.daemon,
    members: null,
    events: null,
    condition: () => scene.pipeline.recording,
    slowLog: null,
    takesVersion1: true,
    closeAfterAnswer: false,
  };
  return { scene, session: new SessionV2(new DbsyncServer(host, service, 0), NOWHERE) };
}

test("a session counts the answers that wait for other daemons, up to a limit, until they are sent", async () => {
  const { scene, session } = openSession();
  const answers: ((answer: EnvelopeAnswer) => void)[] = [];
  scene.pipeline.handleEnvelope = () => new Promise((resolve) => answers.push(resolve));

  const { body, signature } = scene.sign([["SET", "k", "v"]]);
  const texts = [body.toString("latin1"), signature.toString("latin1")] as const;
  const plain = Buffer.from(writeCommandMessage(...texts), "latin1");
  const waiting = Buffer.from(writeCommandMessage(...texts, { kind: "stable" }), "latin1");
  const spoken = [session.serve(plain)];

  const room = () => {
    let pending = 0;
    while (session.takes(pending)) pending++;
    return pending - 1024;
  };

  assert.equal(room(), 0);
  for (let i = 0; i < 1025; i++) spoken.push(session.serve(waiting));
  assert.equal(room(), 1024);
  for (const answer of answers) answer({ kind: "result", id: "", units: 0, errors: 0, replies: "" });
  await Promise.all(spoken);
  assert.equal(room(), 0);
});

test("the replies to commands and to subscriptions have the same limit, which leaves space for the result's head", () => {
  const { scene, session } = openSession();
  const limits: number[] = [];
  scene.pipeline.handleEnvelope = (_message, maxReplyBytes) => {
    limits.push(maxReplyBytes);
    return { kind: "result", id: "", units: 0, errors: 0, replies: "" };
  };
  const { body, signature } = scene.sign([["PING"]]);
  const texts = [body.toString("latin1"), signature.toString("latin1")] as const;
  for (const message of [writeCommandMessage(...texts), writeListen(...texts)])
    session.serve(Buffer.from(message, "latin1"));
  const limit = defaultLimits.maxOutputBytes - 1024;
  assert.deepEqual(limits, [limit, limit]);
});

test("the client of a session is gone when its connection is closed", () => {
  const { scene, session } = openSession();
  const clients: (UnitClient | undefined)[] = [];
  scene.pipeline.handleEnvelope = (_message, _maxReplyBytes, _listener, client) => {
    clients.push(client);
    return { kind: "result", id: "", units: 0, errors: 0, replies: "" };
  };
  const { body, signature } = scene.sign([["GET", "k"]]);
  session.serve(
    Buffer.from(writeCommandMessage(body.toString("latin1"), signature.toString("latin1")), "latin1"),
  );
  assert.equal(clients[0]?.isGone, false);
  session.disconnected();
  assert.equal(clients[0]?.isGone, true);
});
