/** Tests two members on real sockets, through the listener that serves clients, with and without TLS. */

import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { adoptSocket, openTransport } from "../../../../../daemon/cluster/peers/connections/transport.js";
import { Peering } from "../../../../../daemon/cluster/peers/peering.js";
import { PEERING_LIMITS } from "../../../../../daemon/cluster/peers/shared/peering-limits.js";
import { NO_OBSERVER } from "../../../../../daemon/engine/pipeline/pipeline-parts.js";
import { hashOf, type Identity, makeIdentity } from "../../../../../daemon/engine/trust/identity.js";
import { TlsCertificate } from "../../../../../daemon/engine/trust/tls-certificate.js";
import type { DaemonListenerParts } from "../../../../../daemon/listener/daemon-listener.js";
import { DbsyncListener } from "../../../../../daemon/listener/dbsync-dialect.js";
import { TlsGate } from "../../../../../daemon/net/connections/tls-gate.js";
import { realEnvironment } from "../../../../../daemon/net/process/clock-and-randomness.js";
import type { PeerAddress } from "../../../../../daemon/options/peer-address.js";
import { signEnvelope, verifyEnvelope } from "../../../../../keys/signatures.js";
import { FrameParser, writeFrame } from "../../../../../protocol/frame.js";
import {
  memberKnows,
  readDaemonMessage,
  writeClientHello,
  writeHello,
} from "../../../../../protocol/version-2/messages-v2.js";
import { temporaryFolder } from "../../../../keys/openssl.js";
import { writeCertificate } from "../../../../support/certificate-files.js";
import { makeKeyPair } from "../../../../support/envelope-client.js";
import { listenAtFreePort } from "../../../../support/free-port.js";
import { until } from "../../../../support/until.js";
import { defaultLimits } from "../../../program/in-process.js";
import { log, makeScene } from "../../../program/scene.js";
import { CLUSTER, client, entryOf } from "../entries.js";
import { FakeTimeline } from "../fake-timeline.js";
import { checkEntryBy, entriesOf, type Line } from "../support.js";

const soon = (step: () => void): void => void setImmediate(step);

interface RealNode extends AsyncDisposable {
  readonly timeline: FakeTimeline;
  readonly peering: Peering;
  readonly port: number;
  readonly identity: Identity;
  readonly lines: readonly Line[];
}

async function startNode(
  peers: readonly PeerAddress[],
  gate: DaemonListenerParts["gate"] = null,
): Promise<RealNode> {
  const identity = makeIdentity();
  const lines: Line[] = [];
  const noteAs = (level: Line["level"]) => (facts: object, text: string) =>
    void lines.push({ level, facts: facts as Line["facts"], text });
  const timeline = new FakeTimeline(soon, (entries, from) => peering.flushed(entries, from));

  const peering = new Peering({
    ...realEnvironment,
    timeline: timeline.real,
    peers,
    order: null,
    soon,
    nextTurn: soon,
    cluster: CLUSTER,
    hash: hashOf,
    limits: PEERING_LIMITS,
    identity: { ...identity, sign: (bytes) => signEnvelope(bytes, identity.key) },
    admitted: null,
    secret: null,
    refusal: () => null,
    signatureThreads: null,
    messages: null,
    about: null,
    named: null,
    lists: null,
    verifySignature: (spki, bytes, signature) => {
      const key = createPublicKey({ key: Buffer.from(spki, "latin1"), format: "der", type: "spki" });
      return verifyEnvelope(bytes, signature, key);
    },
    checkEntry: checkEntryBy(new Map([[client.id, client]])),
    checkUnit: () => null,
    connect: openTransport(log),
    log: { info: noteAs("info"), warn: noteAs("warn"), error: noteAs("error") },
  });

  const { pipeline } = makeScene({ clock: { now: Date.now() }, pair: makeKeyPair() });
  const address = { address: "127.0.0.1", port: 0 };
  const listener = new DbsyncListener(
    { ...address, gate, observer: NO_OBSERVER, limits: defaultLimits, environment: realEnvironment, log },
    {
      pipeline,
      daemon: identity.id,
      events: null,
      condition: () => pipeline.recording,
      slowLog: null,
      closeAfterAnswer: false,
      takesVersion1: false,
      members: (socket, hello) => adoptSocket(socket, log, (member) => peering.accept(member, hello)),
    },
  );

  await listener.start();
  peering.start();
  const timer = setInterval(() => peering.tick(), 25);

  return {
    timeline,
    peering,
    identity,
    lines,
    port: listener.address.port,
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      peering.stop();
      await listener.stop();
    },
  };
}

const addressOf = ({ port }: RealNode, tls = false): PeerAddress => ({
  host: "127.0.0.1",
  port,
  pin: null,
  tls,
});

/** Adds `fresh` entries to the two members in turn, and waits until both have 1000 entries in total. */
async function exchange(a: RealNode, b: RealNode, fresh = 1000): Promise<void> {
  for (let i = 0; i < fresh; i++)
    (i % 2 === 0 ? a : b).timeline.accept(entryOf(i, ["SET", `key ${i}`, "v".repeat(i)]));
  await until("both members have all entries", () => [a, b].every((node) => entriesOf(node) === 1000));
}

test("two members exchange their entries over real sockets", async () => {
  await using b = await startNode([]);
  b.timeline.accept(entryOf(-100_000));
  await using a = await startNode([{ ...addressOf(b), pin: b.identity.id }]);
  await until("the member is connected", () => a.peering.members[0]?.connection === "connected");
  await until("the entry arrives", () => a.timeline.index.total("data").count === 1);
  await exchange(a, b, 999);
  assert.equal(a.peering.state, "live");
});

test("two members exchange their entries over TLS, bound to their connection", async () => {
  using folder = temporaryFolder();
  const files = await writeCertificate(folder.path);
  const certificate = () =>
    new TlsCertificate({ files, checkEvery: 1000, environment: realEnvironment, log });
  await using b = await startNode([], (refusals) => new TlsGate(certificate(), refusals));
  await using a = await startNode([addressOf(b, true)]);
  await until("the member is connected", () => a.peering.members[0]?.connection === "connected");
  await exchange(a, b);
});

test("a wrong choice between TLS and plain TCP is reported with the remedy", async () => {
  using folder = temporaryFolder();
  const files = await writeCertificate(folder.path);
  const certificate = () =>
    new TlsCertificate({ files, checkEvery: 1000, environment: realEnvironment, log });
  await using secret = await startNode([], (refusals) => new TlsGate(certificate(), refusals));
  await using open = await startNode([]);
  await using a = await startNode([addressOf(secret, false), addressOf(open, true)]);
  const details = () => a.lines.map(({ facts }) => String(facts["detail"])).join("\n");
  await until(
    "both refused connections are explained",
    () => /accepts TLS only: write dbsyncs:/.test(details()) && /closed the connection in/.test(details()),
  );
});

test("a server without a daemon is distinguished from one that does not listen", async () => {
  const server = createServer((socket) => socket.destroy());
  await listenAtFreePort(server);
  const { port } = server.address() as AddressInfo;
  await using a = await startNode([{ host: "127.0.0.1", port, pin: null, tls: false }]);
  await until("the failed connection is reported", () => a.peering.members[0]?.trouble !== null);
  assert.match(a.peering.members[0]?.trouble ?? "", /closed|ECONNRESET/);
  assert.equal(a.peering.members[0]?.closedBy, null, "neither daemon has given a reason");
  server.close();
  await using c = await startNode([{ host: "127.0.0.1", port, pin: null, tls: false }]);
  await until("the refused connection is reported", () => c.peering.members[0]?.trouble === "ECONNREFUSED");
});

test("a connection with the hellos of a client and of a daemon does not become a member's", async () => {
  await using b = await startNode([]);
  const hello = { kind: "hello", versions: [2], cluster: "", clock: 0, state: "", daemon: "" } as const;
  const asClient = writeFrame(writeClientHello("", 0), 2);
  const asDaemon = writeFrame(
    writeHello({
      ...hello,
      daemon: client.id,
      cluster: CLUSTER,
      state: "live",
      role: "daemon",
      members: null,
      knows: memberKnows(),
    }),
    2,
  );

  const first = new Spoken(b.port, asClient + asDaemon);
  await until("both hellos are answered", () => first.kinds.length === 2);
  assert.deepEqual(first.kinds, ["hello", "hello"]);

  const second = new Spoken(b.port, asDaemon + asClient);
  await until("the connection is closed", () => second.isClosed);
  assert.deepEqual(second.kinds, []);

  first.socket.destroy();
  assert.equal(b.peering.members.length, 0);
});

/** A client that sends a frame and records the answers. */
class Spoken {
  readonly kinds: string[] = [];
  readonly socket: Socket;
  isClosed = false;

  constructor(port: number, bytes: string) {
    const parser = new FrameParser(1 << 20, 2);
    this.socket = connect(port, "127.0.0.1");
    this.socket.on("data", (chunk: Buffer) => {
      this.kinds.push(...parser.split(chunk).map((payload) => readDaemonMessage(payload).kind));
    });
    this.socket.on("close", () => {
      this.isClosed = true;
    });
    this.socket.write(bytes, "latin1");
  }
}

test("a member is found again after its socket breaks", async () => {
  await using b = await startNode([]);
  await using a = await startNode([addressOf(b)]);
  await until("the member is connected", () => b.peering.members.length === 1);
  assert.equal(b.peering.members[0]?.id, a.identity.id);
  a.peering.setPeers([]);
  await until("the member is disconnected", () => b.peering.members.length === 0);
  a.peering.setPeers([addressOf(b)]);
  await until("the member is connected again", () => b.peering.members.length === 1);
});
