/**
 * Tests that a daemon without peers and without a member list has no connections and messages between members, and
 * that it continues without an interruption when it gets the first peer or list.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { openNode } from "../../../../daemon/cluster/node/cluster-node.js";
import { NoMembers } from "../../../../daemon/cluster/peers/no-members.js";
import { Peering } from "../../../../daemon/cluster/peers/peering.js";
import { Channels } from "../../../../daemon/engine/channels/channels.js";
import { Broadcasts } from "../../../../daemon/engine/pipeline/publish-messages.js";
import { openDataFolder } from "../../../../daemon/engine/trust/data-folder.js";
import { loadSigners } from "../../../../daemon/engine/trust/load-signers.js";
import { realEnvironment } from "../../../../daemon/net/process/clock-and-randomness.js";
import { Metrics } from "../../../../daemon/program/inspection/metrics.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { writeMemberList } from "../../../../protocol/members/member-list.js";
import { readBody } from "../../../../protocol/version-2/envelope.js";
import type { Hello } from "../../../../protocol/version-2/messages-v2.js";
import { knowsSecret, peerArgs, secretFile } from "../../../support/cluster-secret.js";
import { type LogLine, startDaemon } from "../../../support/daemon-process.js";
import { double } from "../../../support/double.js";
import { EnvelopeClient, makeKeyPair, signCommands } from "../../../support/envelope-client.js";
import { freePort, listenAtFreePort } from "../../../support/free-port.js";
import { buildRoot } from "../../../support/repository.js";
import { until } from "../../../support/until.js";
import { FalseMember } from "../../program/false-member.js";
import { makeFolder, settingsFrom, startReplica } from "../../program/replicas.js";
import { log } from "../../program/scene.js";

const app = makeKeyPair();
const root = makeKeyPair();
const KEYS = ["-s", app.file, "--root-key", root.file];

/** Opens the node of a daemon, by default without peers, with the identity that its folder contains. */
async function open(folder: string, args: readonly string[] = []) {
  const settings = settingsFrom([...KEYS, "--data", folder, ...args]);
  const { window } = settings;
  const channels = new Channels();
  const broadcasts = new Broadcasts({ channels, environment: realEnvironment, window, max: 100 });
  const context = {
    settings,
    identity: openDataFolder(folder),
    signers: loadSigners(settings, log),
    environment: realEnvironment,
    log,
    arrived: () => {},
    page: () => null,
    clientTotals: () => new Metrics().totals,
    named: null,
    startThread: () => assert.fail("it makes no snapshot"),
  };
  return await openNode(context, broadcasts);
}

/** Returns a signed list with one member. */
function listOf(cluster: ByteString, member: ByteString) {
  const list = writeMemberList({ cluster, number: 1, parents: [], members: [member], removed: [] });
  return signCommands(root, [["CLUSTER", "MEMBERS", list]], { cluster });
}

test("the first write of a client is stored in one step with the record that the daemon has served", async (t) => {
  for (const hasMembers of [false, true]) {
    using folder = makeFolder();
    const node = await open(folder.path);
    await node.start();
    try {
      await until("it is live", () => node.recording.state === "live");
      if (hasMembers) await node.haveMembers();
      const put = t.mock.method(node.storage, "put");
      const write = (argv: readonly string[]) => {
        const { cluster } = node.signers;
        const { id, body, signature } = signCommands(app, [argv], { cluster, at: Date.now() });
        node.timeline.accept({ id, body, signature, envelope: readBody(body) });
      };
      write(["SET", "k", "v"]);
      write(["SET", "k", "w"]);
      const stored = put.mock.calls.map(({ arguments: [entries, marks = []] }) => [
        entries.length,
        marks.map(([name, value]) => `${name} ${value}`),
      ]);
      assert.deepEqual(stored, [
        [1, ["state complete alone"]],
        [1, []],
      ]);
    } finally {
      await node.stop();
    }
  }
});

test("a daemon has no members until it has a peer or a list, also after a restart", async (t) => {
  using folder = makeFolder();
  const node = await open(folder.path);
  await node.start();
  try {
    assert.ok(node.peering instanceof NoMembers);
    await until("it is live", () => node.recording.state === "live");
    let isFinal = false;
    // Its own date is not known before the next tick of the timeline.
    void node.peering.stable(node.timeline.published + 1).then(() => (isFinal = true));
    const noPeer = await node.reread(settingsFrom([...KEYS, "--data", folder.path]));
    noPeer();
    assert.ok(node.peering instanceof NoMembers, "a configuration without peers changes nothing");

    // A daemon that starts is not live before it has folded the entries that it has.
    Object.defineProperty(node.timeline.waiting, "areMarkedFolded", { value: false });
    await node.haveMembers();
    assert.ok(node.peering instanceof Peering);
    assert.equal(node.recording.state, "live", "it is live all the time");
    assert.equal(node.backend.closedDates, node.peering.closing);
    await until("the date for which a client waits is final", () => isFinal);
    const { body, signature } = listOf(node.signers.cluster, node.identity.id);
    const outcome = node.lists.take(body, signature);
    assert.ok(typeof outcome === "object" && "saved" in outcome, JSON.stringify(outcome));
    await outcome.saved;
    assert.equal(node.recording.state, "live");

    const { mock } = t.mock.method(node.timeline.voidLetters, "tick", () => {});
    Object.defineProperty(node.peering, "stablePoint", { value: 7 });
    await until("the timeline knows what is final", () =>
      mock.calls.some(({ arguments: [before] }) => before === 7),
    );
  } finally {
    await node.stop();
  }
  const restarted = await open(folder.path);
  assert.ok(restarted.peering instanceof Peering, "its list is in its folder");
  await restarted.stop();
});

test("a daemon that stops gets no members while their code is loading, and closes the connections of daemons", async () => {
  const connections: Socket[] = [];
  const server = createServer((socket) => void connections.push(socket.resume()));
  await listenAtFreePort(server);
  const { port } = server.address() as AddressInfo;
  const peers = peerArgs([1, 2], 0);
  try {
    for (const [index, args] of [[], peers].entries()) {
      using folder = makeFolder();
      const node = await open(folder.path, args);
      await node.start();
      const { peering } = node;

      const socket = connect(port, "127.0.0.1");
      await until("the connection is open", () => connections.length > index && !socket.connecting);

      const apply = await node.reread(settingsFrom([...KEYS, "--data", folder.path, ...peers]));
      node.takeMember?.(socket, double<Hello>({}));
      const loading = node.haveMembers();
      await node.stop();
      await loading;
      apply();

      await until("the connection is closed", () => socket.destroyed);
      assert.equal(node.peering, peering);
    }
  } finally {
    server.close();
    for (const one of connections) one.destroy();
  }
});

test("a daemon without peers that gets one at run time stays live, and both have all writes", async () => {
  using folder = makeFolder();
  const port = await freePort();
  const own = [...KEYS, "--data", join(folder.path, "a")];
  await using first = await startReplica({ args: own });
  const ports = [first.port, port];
  using client = await EnvelopeClient.open(first.port, app);
  await until("it is live", () => first.daemon.health.state === "live");
  await client.replies([["SET", "before", "1"]]);

  await first.daemon.reload(settingsFrom([...peerArgs(ports, 0), ...own]));
  assert.notEqual(first.daemon.health.state, "catching-up");
  await client.replies([["SET", "after", "2"]]);
  await using second = await startReplica({
    args: [...peerArgs(ports, 1), ...KEYS, "--data", join(folder.path, "b")],
  });
  using other = await EnvelopeClient.open(port, app);
  const values = () => other.replies([["MGET", "before", "after"]]);
  await until("the peer has both writes", async () => JSON.stringify(await values()).includes('"2"'), {
    mayFail: true,
  });
  assert.match(JSON.stringify(await values()), /"1".*"2"/);
  await until("both are live", () => [first, second].every(({ daemon }) => daemon.health.state === "live"));
});

test("a daemon without peers accepts a list of its own, and the members decide", async () => {
  using folder = makeFolder();
  await using daemon = await startReplica({ args: [...KEYS, "--data", folder.path] });
  using client = await EnvelopeClient.open(daemon.port, app);
  using administrator = await EnvelopeClient.open(daemon.port, root);
  await until("it is live", () => daemon.daemon.health.state === "live");
  await client.replies([["SET", "before", "1"]]);
  const { id } = openDataFolder(folder.path);
  await administrator.exchange(listOf(administrator.cluster, id).frame);
  const decided = () => client.ask([["SET", "lock", "me", "NX"]], { decide: true });
  await until("its only member decides", async () => (await decided()).kind === "result");
  assert.match(JSON.stringify(await client.replies([["MGET", "before", "lock"]])), /"1".*"me"/);
});

/** Starts a daemon that can load the code for members only this number of times. */
async function startWithout(args: readonly string[], loads: number) {
  const hook = `let left = ${loads};
export async function resolve(specifier, context, next) {
  if (specifier.endsWith("/open-peering.js") && left-- <= 0) throw new Error("the file is missing");
  return await next(specifier, context);
}`;
  const url = JSON.stringify(`data:text/javascript,${encodeURIComponent(hook)}`);
  const preload = `import { register } from "node:module"; register(${url});`;
  return await startDaemon(args, {
    program: join(buildRoot, "daemon/program/main.js"),
    execArgv: ["--import", `data:text/javascript,${encodeURIComponent(preload)}`],
  });
}

test("a daemon that cannot load the code for members refuses peers and lists, and changes nothing", async () => {
  using folder = makeFolder();
  const data = join(folder.path, "data");
  const config = join(folder.path, "dbsyncd.toml");
  const write = (peers: string) =>
    writeFileSync(config, `sign-key = "${app.file}"\nroot-key = "${root.file}"\ndata = "${data}"\n${peers}`);
  write("");
  await using daemon = await startWithout(["--config", config], 0);
  using client = await EnvelopeClient.open(daemon.port, app);
  using administrator = await EnvelopeClient.open(daemon.port, root);
  const set = () => client.ask([["SET", "k", "v"]]);
  await until("it accepts writes", async () => (await set()).kind === "result");

  write(`peer = ["127.0.0.1:${await freePort()}"]\ncluster-secret = "${secretFile}"\n`);
  daemon.kill("SIGHUP");
  const isRefused = ({ msg }: LogLine) =>
    /^The old configuration stays in effect.*restart the daemon: the file is missing$/.test(msg);
  await until("the peer is refused", () => daemon.log.some(isRefused));
  const list = listOf(administrator.cluster, openDataFolder(data).id);
  assert.match(JSON.stringify(await administrator.exchange(list.frame)), /not accepted.*the file is missing/);
  using member = new FalseMember(daemon.port);
  member.greet(client.cluster);
  await until("the connection is closed", () => member.isClosed);
  await until("that is logged", () =>
    daemon.log.some(({ msg }) => msg === "a daemon that has connected is not accepted"),
  );

  assert.equal((await set()).kind, "result");
  assert.doesNotMatch(JSON.stringify(await administrator.replies([["CLUSTER", "MEMBERS"]])), /members 1/);
});

test("a daemon that has members continues although its files were replaced", async () => {
  using folder = makeFolder();
  const peer = ["--peer", `127.0.0.1:${await freePort()}`, ...knowsSecret];
  await using daemon = await startWithout([...KEYS, "--data", join(folder.path, "data"), ...peer], 1);
  using client = await EnvelopeClient.open(daemon.port, app);
  daemon.kill("SIGHUP");
  await until("the configuration is read again", () =>
    daemon.log.some(({ msg }) => msg === "configuration and keys read again"),
  );
  using member = new FalseMember(daemon.port);
  member.greet(client.cluster);
  assert.ok(await member.hears("challenge"), "it answers another daemon");
});
