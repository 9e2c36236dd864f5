/**
 * Tests daemons with --order and a stream on three real nats-servers. The leader of the stream is killed under load.
 * All daemons have all acknowledged writes, and no lock is acquired by two clients.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { jetstream } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { skipUnlessFull } from "../support/amount.js";
import { type DaemonProcess, startDaemon } from "../support/daemon-process.js";
import { EnvelopeClient, makeKeyPair } from "../support/envelope-client.js";
import { NatsServer } from "../support/nats-server.js";
import { skipWithout } from "../support/requirements.js";
import { until } from "../support/until.js";

const skip = skipUnlessFull || skipWithout("nats-server");
const SERVERS = 3;
const DAEMONS = 3;
const CLIENTS = 6;
/** The number of rounds of locks before the leader is killed, and again afterwards. */
const ROUNDS = 30;
/** The time within which the servers must name the stream's leader, in milliseconds. */
const LEADER_MS_MAX = 60_000;

const app = makeKeyPair();

/** Returns the name of the server that is the leader of the stream. */
async function leaderOf(servers: readonly NatsServer[]): Promise<string> {
  const connection = await connect({ servers: servers.map(({ port }) => `127.0.0.1:${port}`) });
  // While the servers elect a leader, or are busy, they do not answer.
  const manager = jetstream(connection, { timeout: LEADER_MS_MAX });
  const { cluster } = await (await manager.jetstreamManager(false)).streams.info("writes");
  await connection.close();
  return cluster?.leader ?? "";
}

/** The load of clients on all daemons, and the results that they have received. */
class Load {
  /** The set members whose writes were acknowledged. */
  readonly written: string[] = [];
  /** The clients that acquired the lock in each round. */
  readonly winners: string[][] = [];
  #isOver = false;
  readonly #runs: readonly Promise<void>[];

  constructor(daemons: readonly DaemonProcess[]) {
    this.#runs = Array.from({ length: CLIENTS }, (_, index) =>
      this.#run(daemons[index % daemons.length] as DaemonProcess, `client${index}`),
    );
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#runs);
  }

  async #run({ port }: DaemonProcess, name: string): Promise<void> {
    using client = await EnvelopeClient.open(port, app);
    for (let round = 0; !this.#isOver; round++) {
      const member = `${name}:${round}`;
      const answer = await client.ask([
        ["SET", `lock:${round}`, name, "NX"],
        ["SADD", "written", member],
      ]);
      // The write was refused or its outcome is unknown, so the member may exist or not.
      if (answer.kind !== "result") continue;
      this.written.push(member);
      this.winners[round] ??= [];
      if (answer.replies[0]?.kind === "status") this.winners[round]?.push(name);
    }
  }
}

test("all daemons have all acknowledged writes, and each lock has one owner, after the stream's leader is killed", {
  skip,
}, async (t) => {
  const servers = await NatsServer.startCluster(SERVERS);
  t.after(() => Promise.all(servers.map((server) => server[Symbol.asyncDispose]())));
  const natsServers = servers.map(({ port }) => `127.0.0.1:${port}`).join(",");
  const options = ["-s", app.file, "--order", `nats://${natsServers}/writes?replicas=3`];
  const daemons = await Promise.all(Array.from({ length: DAEMONS }, () => startDaemon(options)));
  t.after(() => Promise.all(daemons.map((daemon) => daemon[Symbol.asyncDispose]())));
  const clients = await Promise.all(daemons.map(({ port }) => EnvelopeClient.open(port, app)));
  t.after(() => clients.forEach((client) => void client[Symbol.dispose]()));
  for (const client of clients)
    await until(
      "a daemon accepts a write",
      async () => (await client.ask([["SET", "begun", "v"]])).kind === "result",
    );

  const load = new Load(daemons);
  await until("rounds pass", () => load.winners.length > ROUNDS);
  const leader = await leaderOf(servers);
  await servers.find(({ name }) => name === leader)?.kill();
  const before = load.winners.length;
  await until("further rounds are complete with another leader", () => load.winners.length > before + ROUNDS);
  assert.notEqual(await leaderOf(servers.filter(({ name }) => name !== leader)), leader);
  await load.end();

  for (const [round, winners] of load.winners.entries())
    assert.ok((winners ?? []).length <= 1, `round ${round}: ${winners}`);
  for (const client of clients) {
    await until(
      "the daemon accepts writes",
      async () => (await client.ask([["SET", "ended", "v"]])).kind === "result",
    );
    const [written, locks] = await client.replies([
      ["SMISMEMBER", "written", ...load.written],
      // There may be rounds in which no client received an answer.
      ["MGET", ...Array.from(load.winners, (_, round) => `lock:${round}`)],
    ]);
    assert.ok(written?.kind === "array" && locks?.kind === "array");
    assert.ok(written.items.every((one) => one.kind === "integer" && one.value === 1));
    for (const [round, winners] of load.winners.entries()) {
      const [winner] = winners ?? [];
      if (winner !== undefined) assert.deepEqual(locks.items[round], { kind: "bulk", bytes: winner });
    }
  }
});
