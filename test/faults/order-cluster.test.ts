/**
 * Tests daemons ordered by a stream on three real nats-servers, of which the stream's leader is killed under load: all
 * acknowledged writes are on all daemons, and no lock has two winners.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { jetstream } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { until } from "../daemon/replicas.js";
import { skipUnlessFull } from "../support/amount.js";
import { type DaemonProcess, startDaemon } from "../support/daemon-process.js";
import { EnvelopeClient, makeKeyPair } from "../support/envelope-client.js";
import { NatsServer } from "../support/nats-server.js";
import { skipWithout } from "../support/requirements.js";

const skip = skipUnlessFull || skipWithout("nats-server");
const SERVERS = 3;
const DAEMONS = 3;
const CLIENTS = 6;
/** Rounds of locks before the leader is killed, and after. */
const ROUNDS = 30;

const app = makeKeyPair();

/** Returns the name of the server that leads the stream. */
async function leaderOf(servers: readonly NatsServer[]): Promise<string> {
  const connection = await connect({ servers: servers.map(({ port }) => `127.0.0.1:${port}`) });
  const manager = await jetstream(connection).jetstreamManager();
  const { cluster } = await manager.streams.info("writes");
  await connection.close();
  return cluster?.leader ?? "";
}

/** The load, and the results that clients of all daemons have received. */
class Load {
  /** Acknowledged set members. */
  readonly written: string[] = [];
  /** The clients that acquired the lock, by round. */
  readonly winners: string[][] = [];
  #isOver = false;
  readonly #runs: readonly Promise<void>[];

  constructor(daemons: readonly DaemonProcess[]) {
    this.#runs = Array.from({ length: CLIENTS }, (_, place) =>
      this.#run(daemons[place % daemons.length] as DaemonProcess, `client${place}`),
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
      const said = await client.ask([
        ["SET", `lock:${round}`, name, "NX"],
        ["SADD", "written", member],
      ]);
      // Refused or unknown: the member may be there or not.
      if (said.kind !== "result") continue;
      this.written.push(member);
      this.winners[round] ??= [];
      if (said.replies[0]?.kind === "status") this.winners[round]?.push(name);
    }
  }
}

test("the stream's leader is killed under load: what was acknowledged is on all daemons, each lock is one client's", {
  skip,
}, async (t) => {
  const servers = await NatsServer.startCluster(SERVERS);
  t.after(() => Promise.all(servers.map((server) => server[Symbol.asyncDispose]())));
  const places = servers.map(({ port }) => `127.0.0.1:${port}`).join(",");
  const options = ["-s", app.file, "--order", `nats://${places}/writes?replicas=3`];
  const daemons = await Promise.all(Array.from({ length: DAEMONS }, () => startDaemon(options)));
  t.after(() => Promise.all(daemons.map((daemon) => daemon[Symbol.asyncDispose]())));
  const clients = await Promise.all(daemons.map(({ port }) => EnvelopeClient.open(port, app)));
  t.after(() => clients.forEach((client) => void client[Symbol.dispose]()));
  for (const client of clients)
    await until(
      "a write is taken",
      async () => (await client.ask([["SET", "begun", "v"]])).kind === "result",
    );

  const load = new Load(daemons);
  await until("rounds pass", () => load.winners.length > ROUNDS);
  const leader = await leaderOf(servers);
  await servers.find(({ name }) => name === leader)?.kill();
  const before = load.winners.length;
  await until("rounds pass by another leader", () => load.winners.length > before + ROUNDS);
  assert.notEqual(await leaderOf(servers.filter(({ name }) => name !== leader)), leader);
  await load.end();

  for (const [round, winners] of load.winners.entries())
    assert.ok((winners ?? []).length <= 1, `round ${round}: ${winners}`);
  for (const client of clients) {
    await until("it takes writes", async () => (await client.ask([["SET", "ended", "v"]])).kind === "result");
    const [written, locks] = await client.replies([
      ["SMISMEMBER", "written", ...load.written],
      // In some rounds no client may have received an answer.
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
