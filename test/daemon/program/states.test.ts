/**
 * Drives a daemon into each of its states, and checks that every report of the state agrees with the answer that a
 * write receives: hello, INFO, HELLO, ROLE, /healthz, /metrics, the page of --admin, the log, dbsync status and doctor.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { realEnvironment } from "../../../daemon/net/process/clock-and-randomness.js";
import { Daemon } from "../../../daemon/program/daemon.js";
import { isHealthy } from "../../../daemon/program/inspection/inspected-daemon.js";
import { BUILD } from "../../../daemon/program/installed-faces.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { DAEMON_STATES } from "../../../protocol/daemon-states.js";
import type { DashboardFrame } from "../../../protocol/json/dashboard-frame.js";
import { writeMemberList } from "../../../protocol/members/member-list.js";
import type { Reply } from "../../../protocol/reply.js";
import { STATE_NAMES, type StateName } from "../../../protocol/state-names.js";
import { runDbsync } from "../../client/child.js";
import { amount } from "../../support/amount.js";
import { knowsSecret } from "../../support/cluster-secret.js";
import { EnvelopeClient, type KeyPair, makeKeyPair } from "../../support/envelope-client.js";
import { freePort, refusingAddress } from "../../support/free-port.js";
import { keepLog } from "../../support/log-lines.js";
import { NEXT_SEMANTICS } from "../../support/next-semantics.js";
import { RedisConnection } from "../../support/redis-connection.js";
import { until } from "../../support/until.js";
import {
  makeFolder,
  type ReplicaOptions,
  type RunningReplica,
  settingsFrom,
  startReplica,
} from "./replicas.js";

const DAY_MS = 86_400_000;
/** The jump of `uptime` after which a daemon no longer waits for unreachable peers. */
const JUMP_MS = 60_000;

const app = makeKeyPair();
const root = makeKeyPair();
const keys = ["-s", app.file, "--root-key", root.file];
const folder = makeFolder();
after(() => folder[Symbol.dispose]());

/** Writes the private key of a pair into a file for dbsync. */
function privateFile(pair: KeyPair, name: string): string {
  const file = join(folder.path, name);
  writeFileSync(file, pair.privateKey.export({ type: "pkcs8", format: "pem" }));
  chmodSync(file, 0o600);
  return file;
}

const asApp = ["-k", privateFile(app, "app.pem")];
const asRoot = ["-k", privateFile(root, "root.pem")];

/** The resources of a scene, which are disposed of in reverse order. */
class Resources implements AsyncDisposable {
  readonly #all: (Disposable | AsyncDisposable)[] = [];

  use<R extends Disposable | AsyncDisposable>(resource: R): R {
    this.#all.push(resource);
    return resource;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const resource of this.#all.toReversed())
      if (Symbol.asyncDispose in resource) await resource[Symbol.asyncDispose]();
      else resource[Symbol.dispose]();
  }
}

type StartOptions = Omit<ReplicaOptions, "args">;

const start = (args: readonly string[], options: StartOptions = {}): Promise<RunningReplica> =>
  startReplica({ ...options, args: ["--admin", "0", ...args] });

async function asRootSend({ port }: RunningReplica, ...argv: readonly ByteString[]): Promise<void> {
  using client = await EnvelopeClient.open(port, root);
  const [reply] = await client.replies([argv]);
  assert.notEqual(reply?.kind, "error", JSON.stringify(reply));
}

/** Authorizes the daemon's own key. @returns the key's id, hexadecimal */
async function authorize(running: RunningReplica): Promise<string> {
  using client = await EnvelopeClient.open(running.port, root);
  const [reply] = await client.replies([["CLUSTER", "MEMBERS"]]);
  const fields = fieldsOf(reply);
  await asRootSend(running, ...String(fields.get("authorize")).split(" "));
  return String(fields.get("id"));
}

function fieldsOf(reply: Reply | undefined): Map<string, string> {
  const items = reply?.kind === "array" ? reply.items : [];
  const text = (item: Reply | undefined) => (item?.kind === "bulk" ? item.bytes : "");
  return new Map(
    items.flatMap((item, index) => (index % 2 === 0 ? [[text(item), text(items[index + 1])]] : [])),
  );
}

async function write({ port }: RunningReplica): Promise<string> {
  using client = await EnvelopeClient.open(port, app);
  const answer = await client.ask([["SET", "k", "v"]]);
  return answer.kind === "refused" ? answer.code : "accepted";
}

/** A server that accepts connections and sends nothing. */
async function silentServer(): Promise<AsyncDisposable & { readonly address: string }> {
  const port = await freePort();
  const server = createServer((socket) => void sockets.push(socket.on("error", () => {}))).listen(
    port,
    "127.0.0.1",
  );
  const sockets: import("node:net").Socket[] = [];
  await once(server, "listening");
  return {
    address: `127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** Starts a daemon with a folder and RESP clients, whose key is authorized. */
async function startAuthorized(held: Resources, options?: StartOptions): Promise<RunningReplica> {
  const data = held.use(makeFolder());
  const running = held.use(await start([...keys, "--resp", "0", "--data", data.path], options));
  await authorize(running);
  return running;
}

type Scene = (held: Resources) => Promise<RunningReplica>;

/** What a state must look like from outside. */
interface Expected {
  readonly scene: Scene;
  /** What a signed write receives: `accepted`, or the code of the refusal. */
  readonly write: string;
  /** The beginning of the reply to a Redis client's write, or null if the daemon cannot have Redis clients. */
  readonly set: RegExp | null;
  readonly health: 200 | 503;
  readonly loading: 0 | 1;
  readonly role: "master" | "slave";
  /** The exit codes of dbsync status and dbsync doctor, for which work in progress is only a warning. */
  readonly exits: readonly [status: 0 | 1, doctor: 0 | 1];
  /** The sentence that both print about the state. */
  readonly says: RegExp | null;
}

const OK = /^OK$/;
const GOOD = [0, 0] as const;
const BUSY = [1, 0] as const;
const BAD = [1, 1] as const;

const states: Readonly<Record<Exclude<StateName, "starting" | "stopping">, Expected>> = {
  live: {
    scene: (held) => startAuthorized(held),
    ...{ write: "accepted", set: OK, health: 200, loading: 0, role: "master", exits: GOOD, says: null },
  },
  "catching-up": {
    async scene(held) {
      const peer = held.use(await silentServer());
      const args = [...keys, "--resp", "0", "--peer", peer.address, ...knowsSecret];
      // Slow time, so that the daemon does not stop waiting for its peer during the test.
      const uptime = () => realEnvironment.uptime() / 100;
      return held.use(await start(args, { environment: { uptime } }));
    },
    ...{ write: "catching-up", set: /^LOADING /, health: 503, loading: 1, role: "slave", exits: BUSY },
    says: /it is catching up/,
  },
  isolated: {
    async scene(held) {
      let jump = 0;
      const uptime = () => realEnvironment.uptime() + jump;
      const peers = ["--peer", await refusingAddress(), "--peer", await refusingAddress()];
      const running = held.use(
        await start([...keys, "--resp", "0", ...peers, ...knowsSecret], { environment: { uptime } }),
      );
      jump = JUMP_MS;
      await until("it serves alone", () => running.daemon.health.state === "isolated");
      await authorize(running);
      return running;
    },
    ...{ write: "accepted", set: OK, health: 200, loading: 0, role: "master", exits: BAD },
    says: /it is cut off from most of its peers/,
  },
  "clock-off": {
    async scene(held) {
      const data = held.use(makeFolder());
      const args = [...keys, "--resp", "0", "--data", data.path];
      const environment = { clock: () => Date.now() + DAY_MS };
      const ahead = await start(args, { environment });
      await until("its watermark is stored", () =>
        ahead.daemon.health.state === "live" ? isAhead(ahead) : false,
      );
      await ahead.daemon.stop();
      return held.use(await start(args));
    },
    ...{
      write: "clock-off",
      set: /^ERR This daemon's clock differs/,
      health: 503,
      loading: 0,
      role: "slave",
    },
    ...{ exits: BAD, says: /clock differs|accepts no writes dated before/ },
  },
  unauthorized: {
    async scene(held) {
      const data = held.use(makeFolder());
      return held.use(await start([...keys, "--resp", "0", "--data", data.path]));
    },
    // Clients that sign can write, so only Redis clients see the state.
    ...{
      write: "accepted",
      set: /^ERR Writes are disabled/,
      health: 200,
      loading: 0,
      role: "slave",
      exits: GOOD,
    },
    says: null,
  },
  "storage-failed": {
    async scene(held) {
      const data = makeFolder();
      const running = held.use(await start([...keys, "--resp", "0", "--data", data.path]));
      await authorize(running);
      data[Symbol.dispose]();
      await until(
        "it notices the loss of its folder",
        async () => (await write(running)) === "storage-failed",
      );
      return running;
    },
    ...{ write: "storage-failed", set: /^MISCONF /, health: 503, loading: 0, role: "slave", exits: BAD },
    says: /its disk has failed/,
  },
  revoked: {
    async scene(held) {
      const data = held.use(makeFolder());
      const running = held.use(await start([...keys, "--resp", "0", "--data", data.path]));
      const id = await authorize(running);
      await asRootSend(running, "KEY", "REVOKE", id);
      return running;
    },
    ...{ write: "daemon-revoked", set: /^ERR This daemon's own key was revoked/, health: 503, loading: 0 },
    ...{ role: "slave", exits: BAD, says: /its own key was revoked/ },
  },
  "not-listed": {
    async scene(held) {
      const running = await startAuthorized(held);
      using client = await EnvelopeClient.open(running.port, root);
      const others = { parents: [], members: ["x".repeat(32)], removed: [] };
      const list = writeMemberList({ cluster: client.cluster, number: 1, ...others });
      await client.replies([["CLUSTER", "MEMBERS", list]]);
      return running;
    },
    ...{
      write: "not-listed",
      set: /^ERR The cluster's list of members does not name/,
      health: 503,
      loading: 0,
    },
    ...{ role: "slave", exits: BAD, says: /it accepts no writes/ },
  },
  "not-admitted": {
    async scene(held) {
      const peer = held.use(
        await start([...keys, "--cluster-name", "other", "--peer", await refusingAddress(), ...knowsSecret]),
      );
      return held.use(
        await start([...keys, "--resp", "0", "--peer", `127.0.0.1:${peer.port}`, ...knowsSecret]),
      );
    },
    ...{ write: "not-admitted", set: /^ERR This daemon is new/, health: 503, loading: 0, role: "slave" },
    ...{ exits: BAD, says: /it accepts no writes, because it is new and no peer admits it/ },
  },
  outdated: {
    async scene(held) {
      const data = held.use(makeFolder());
      const args = [...keys, "--resp", "0", "--data", data.path];
      const newer = await start(args, { known: NEXT_SEMANTICS });
      await authorize(newer);
      await asRootSend(newer, "CLUSTER", "SEMANTICS", "2");
      await newer.daemon.stop();
      return held.use(await start(args));
    },
    ...{
      write: "semantics-unknown",
      set: /^ERR This daemon's release/,
      health: 503,
      loading: 0,
      role: "slave",
    },
    ...{ exits: BAD, says: /it applies no further entries/ },
  },
  "order-unavailable": {
    scene: async (held) =>
      held.use(await start([...keys, "--resp", "0", "--order", `nats://${await refusingAddress()}/dbsync`])),
    ...{
      write: "order-unavailable",
      set: /^ERR The stream that orders/,
      health: 503,
      loading: 0,
      role: "slave",
    },
    ...{ exits: BAD, says: /stream of its --order/ },
  },
  "database-down": {
    scene: async (held) => held.use(await start([...keys, "-d", `redis:${await refusingAddress()}`])),
    ...{ write: "database-down", set: null, health: 503, loading: 0, role: "slave", exits: BAD },
    says: /its database .*is down/,
  },
  "loading-documents": {
    async scene(held) {
      const server = held.use(await silentServer());
      const replica = ["--json-replica", server.address, "--json-replica-timeout", "100ms"];
      const json = ["--json", "0", ...replica];
      return held.use(await start([...keys, "--resp", "0", ...json]));
    },
    // Only commands about documents are refused.
    ...{ write: "accepted", set: OK, health: 503, loading: 0, role: "master", exits: BUSY },
    says: /it is fetching its documents/,
  },
};

async function isAhead(running: RunningReplica): Promise<boolean> {
  const text = await metricsOf(running);
  const [, seconds = "0"] = /^dbsyncd_timeline_watermark_seconds (\S+)$/m.exec(text) ?? [];
  return Number(seconds) * 1000 > Date.now() + DAY_MS / 2;
}

const adminOf = ({ daemon }: RunningReplica) => `http://127.0.0.1:${daemon.addressOf("admin")?.port}`;

async function metricsOf(running: RunningReplica): Promise<string> {
  return await (await fetch(`${adminOf(running)}/metrics`)).text();
}

/** Returns the first frame of the page of --admin. */
async function frameOf(running: RunningReplica): Promise<DashboardFrame> {
  const { body } = await fetch(`${adminOf(running)}/events`);
  let text = "";
  for await (const chunk of body ?? assert.fail()) {
    text += Buffer.from(chunk).toString();
    const [, data] = /^data: (\{.*\})\n\n/m.exec(text) ?? [];
    if (data !== undefined) return JSON.parse(data);
  }
  return assert.fail(text);
}

const textOf = (reply: Reply | undefined): string =>
  reply?.kind === "bulk"
    ? reply.bytes
    : reply?.kind === "status" || reply?.kind === "error"
      ? reply.text
      : "";

/** Checks what Redis clients see. */
async function checkRedis(port: number, name: StateName, { set, loading, role }: Expected): Promise<void> {
  using client = await RedisConnection.open(port);
  assert.match(textOf(await client.call("SET", "r", "v")), set as RegExp);
  const info = textOf(await client.call("INFO"));
  for (const line of [
    `dbsync_state:${name}`,
    `dbsync_writes:${DAEMON_STATES[name].refusal ?? "accepted"}`,
    `loading:${loading}`,
    `role:${role}`,
    `aof_last_write_status:${name === "storage-failed" ? "err" : "ok"}`,
  ])
    assert.ok(info.includes(`\r\n${line}\r\n`), `${line} is not in\n${info}`);
  const shown = await client.call("ROLE");
  assert.equal(shown.kind === "array" ? textOf(shown.items[0]) : "", role);
  const hello = await client.call("HELLO", "2");
  assert.equal(fieldsOf(hello).get("role"), role === "master" ? "master" : "replica");
}

async function checkAdmin(
  running: RunningReplica,
  state: StateName,
  { health, says }: Expected,
): Promise<void> {
  const response = await fetch(`${adminOf(running)}/healthz`);
  const { state: reported } = (await response.json()) as { state: string };
  assert.deepEqual([response.status, reported], [health, state]);
  const metrics = await metricsOf(running);
  for (const name of STATE_NAMES)
    assert.ok(metrics.includes(`\ndbsyncd_state{state="${name}"} ${Number(name === state)}\n`), name);
  const frame = await frameOf(running);
  assert.deepEqual([frame.state, frame.isHealthy], [state, health === 200]);
  if (says !== null) assert.match(frame.problems.map(({ text }) => text).join("\n"), says);
}

/** Checks the programs: `dbsync status` as administrator, and `dbsync doctor` as a client that may see less. */
async function checkPrograms(
  { port }: RunningReplica,
  state: StateName,
  { exits, says }: Expected,
): Promise<void> {
  const server = ["-s", `127.0.0.1:${port}`];
  // Doctor waits for work in progress for some seconds, so only full runs include it.
  const programs = [
    ["status", ...asRoot],
    ["doctor", ...asApp],
  ].slice(0, exits === BUSY ? amount(1, 2) : 2);
  const results = await Promise.all(programs.map((words) => runDbsync([...words, ...server])));
  for (const [index, { code, stdout }] of results.entries()) {
    assert.equal(code, exits[index], stdout);
    if (says !== null) assert.match(stdout, says);
    assert.doesNotMatch(stdout, /database memory is down/);
    if (state !== "catching-up") assert.doesNotMatch(stdout, /it is catching up/);
  }
}

describe("every report of a daemon's state agrees with what a write receives", () => {
  for (const [name, expected] of Object.entries(states) as [StateName, Expected][])
    test(name, async () => {
      await using held = new Resources();
      const running = await expected.scene(held);
      const state = name === "unauthorized" ? "live" : name;
      await until(`it is ${state}`, () => running.daemon.condition.state === state);
      assert.equal(await write(running), expected.write);
      using client = await EnvelopeClient.open(running.port, app);
      assert.equal((await client.hello()).state, state);

      const resp = running.daemon.addressOf("resp");
      if (resp !== null) await checkRedis(resp.port, name, expected);
      assert.equal(resp === null, expected.set === null);
      await checkAdmin(running, state, expected);
      await checkPrograms(running, state, expected);

      if (DAEMON_STATES[state].refusal !== null)
        await until("the log reports it", () =>
          running.log.some((line) => line.msg === "writes are refused" && line["state"] === state),
        );
    });
});

test("a daemon that starts or stops is not healthy", async () => {
  const { log } = keepLog("info");
  const daemon = new Daemon({
    ...BUILD,
    settings: settingsFrom(["-p", "0"]),
    environment: realEnvironment,
    log,
  });
  assert.deepEqual([daemon.health.state, isHealthy(daemon.health)], ["starting", false]);
  await daemon.start();
  assert.deepEqual([daemon.health.state, isHealthy(daemon.health)], ["live", true]);
  const stopped = daemon.stop();
  assert.deepEqual([daemon.health.state, isHealthy(daemon.health)], ["stopping", false]);
  await stopped;
});
