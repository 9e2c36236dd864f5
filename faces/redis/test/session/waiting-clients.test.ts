/**
 * Tests the clients of several daemons that wait for elements of decided keys, in simulated time. Source:
 * docs/decisions/0081-decided-keys.md.
 */
import "../../../../test/support/all-families.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Reply } from "../../../../protocol/reply.js";
import { shown } from "../../../../test/conformance/resp2-fold.js";
import { amount, isFull } from "../../../../test/support/amount.js";
import { SeededRandom, seedOfRun } from "../../../../test/support/seeded-random.js";
import { type Daemon, WaitingCluster } from "./waiting-cluster.js";

type Argv = readonly string[];

/** How clients add and take elements. */
interface Queue {
  readonly prepare?: Argv;
  readonly push: (job: string, random: SeededRandom) => Argv;
  readonly take: (client: number, milliseconds: number) => Argv;
  readonly putBack?: (jobs: readonly string[]) => Argv;
  readonly size: Argv;
}

const QUEUES: Readonly<Record<string, Queue>> = {
  BRPOP: {
    push: (job) => ["LPUSH", "k", job],
    take: (_, milliseconds) => ["BRPOP", "k", String(milliseconds / 1000)],
    putBack: (jobs) => ["RPUSH", "k", ...jobs],
    size: ["LLEN", "k"],
  },
  BLMOVE: {
    push: (job) => ["RPUSH", "k", job],
    take: (_, milliseconds) => ["BLMOVE", "k", "taken", "LEFT", "RIGHT", String(milliseconds / 1000)],
    size: ["LLEN", "k"],
  },
  "BLMPOP with COUNT": {
    push: (job) => ["RPUSH", "k", job],
    take: (_, milliseconds) => ["BLMPOP", String(milliseconds / 1000), "1", "k", "LEFT", "COUNT", "3"],
    putBack: (jobs) => ["LPUSH", "k", ...jobs],
    size: ["LLEN", "k"],
  },
  BZPOPMIN: {
    push: (job, random) => ["ZADD", "k", String(random.below(3)), job],
    take: (_, milliseconds) => ["BZPOPMIN", "k", String(milliseconds / 1000)],
    putBack: (jobs) => ["ZADD", "k", ...jobs.flatMap((job) => ["0", job])],
    size: ["ZCARD", "k"],
  },
  XREADGROUP: {
    prepare: ["XGROUP", "CREATE", "k", "g", "$", "MKSTREAM"],
    push: (job) => ["XADD", "k", "*", "job", job],
    take: (client, milliseconds) => [
      ...["XREADGROUP", "GROUP", "g", `c${client}`, "COUNT", "1"],
      ...["BLOCK", String(milliseconds), "STREAMS", "k", ">"],
    ],
    size: ["XLEN", "k"],
  },
};

const jobsIn = (reply: Reply): readonly string[] => shown(reply).match(/job-\d+/g) ?? [];

/** A play: clients that take elements again and again, and what they have received. */
class Play {
  readonly cluster: WaitingCluster;
  readonly queue: Queue;
  readonly received: string[] = [];
  readonly #random: SeededRandom;
  readonly #clients: { readonly daemon: Daemon; isGone: boolean; end: () => void }[] = [];
  #pushed = 0;
  /** The milliseconds that a client works on what it has received, at most. */
  workMsMax = 0;
  /** The time limit of the clients; 0: none. */
  limitMs = 0;

  constructor(queue: Queue, seed: number) {
    this.#random = new SeededRandom(seed);
    this.cluster = new WaitingCluster(this.#random);
    this.queue = queue;
  }

  /** The number of commands on which decisions were requested, without those that have added elements. */
  get requested(): number {
    const name = this.queue.take(0, 0)[0] as string;
    return this.cluster.proposed.filter((one) => one.startsWith(name)).length;
  }

  async start(clients: number, daemons = this.cluster.daemons): Promise<void> {
    if (this.queue.prepare !== undefined) daemons[0]?.push(...this.queue.prepare);
    await this.cluster.runUntil(this.cluster.now + 100);
    for (const daemon of daemons) for (let i = 0; i < clients; i++) this.addClient(daemon);
    await this.cluster.runUntil(this.cluster.now + 100);
  }

  push(daemon = this.#random.oneOf(this.cluster.daemons.filter(({ state }) => state === "runs"))): void {
    daemon.push(...this.queue.push(`job-${this.#pushed++}`, this.#random));
  }

  /** Ends the connection of a client, which is not the last one of the daemons that run. */
  disconnect(): void {
    const running = this.#clients.filter(({ daemon, isGone }) => !isGone && daemon.state === "runs");
    if (running.length < 2) return;
    const client = this.#random.oneOf(running);
    client.isGone = true;
    client.end();
  }

  /** Ends the connections of all clients of a daemon. */
  disconnectAll(daemon: Daemon): void {
    for (const client of this.#clients.filter((one) => one.daemon === daemon)) {
      client.isGone = true;
      client.end();
    }
  }

  /** Checks that each element was received once, and that none is left. */
  check(note = ""): void {
    assert.equal(new Set(this.received).size, this.received.length, `${note}: an element was received twice`);
    const live = this.cluster.daemons.filter(({ state }) => state === "runs");
    const ended = this.cluster.daemons.filter(({ state }) => state === "ended");
    const lost = this.cluster.slots.filter(({ daemon, taken }) => ended.includes(daemon) && taken !== null);
    const missing = Array.from({ length: this.#pushed }, (_, i) => `job-${i}`).filter(
      (job) =>
        !this.received.includes(job) && !lost.some(({ taken }) => jobsIn(taken as Reply).includes(job)),
    );
    assert.deepEqual(missing, [], `${note}: elements that no client has received`);
    if (this.queue.size[0] === "XLEN") return;
    for (const { database } of live)
      assert.equal(shown(database.execute(this.queue.size, { at: 0, db: 0, id: "" })), ":0", `${note}: left`);
  }

  addClient(daemon: Daemon): void {
    const number = this.#clients.length;
    const client = { daemon, isGone: false, end: () => {} };
    this.#clients.push(client);

    const next = (): void => {
      if (client.isGone) return;
      let isAnswered = false;
      client.end = daemon.run(this.queue.take(number, this.limitMs), (reply) => {
        assert.ok(!isAnswered, "a client is answered twice");
        isAnswered = true;
        client.end = () => {};
        const jobs = jobsIn(reply);
        if (client.isGone && this.queue.putBack !== undefined) {
          if (jobs.length > 0) daemon.push(...this.queue.putBack(jobs));
          return;
        }

        this.received.push(...jobs);
        this.cluster.after(this.#random.between(0, this.workMsMax), next, daemon);
      });
    };

    next();
  }
}

for (const [name, queue] of Object.entries(QUEUES))
  for (const gap of isFull || name === "BRPOP" ? [30, 3, 0] : [3])
    test(`${name}: three daemons request few decisions for an element each ${gap} ms`, async (t) => {
      const pushes = amount(60, 1000);
      const play = new Play(queue, seedOfRun());
      await play.start(amount(8, 64));
      for (let i = 0; i < pushes; i++) {
        play.push();
        await play.cluster.runUntil(play.cluster.now + gap);
      }
      await play.cluster.runUntil(play.cluster.now + 1000);
      play.check();
      const ratio = play.requested / pushes;
      t.diagnostic(`${name}: ${play.requested} requests for ${pushes} elements`);
      assert.ok(ratio <= 1.5, `${ratio}`);
    });

/** Lets time pass until all elements are received. @returns the milliseconds */
async function timeToReceive(play: Play, pushed: number): Promise<number> {
  const since = play.cluster.now;
  for (let ms = 0; ms < 10_000 && play.received.length < pushed; ms++)
    await play.cluster.runUntil(play.cluster.now + 1);
  return play.cluster.now - since;
}

/** The milliseconds of two decisions, on an element and on the command that takes it, and until they are applied. */
const SOON_MS = 2 * (12 + 4) + 1;

test("if clients of one daemon wait, they receive each element as soon as without other daemons", async () => {
  const play = new Play(QUEUES["BRPOP"] as Queue, seedOfRun());
  const [first, ...others] = play.cluster.daemons;
  await play.start(3, [first as Daemon]);
  for (let pushed = 1; pushed <= 20; pushed++) {
    play.push(others[pushed % 2]);
    assert.ok((await timeToReceive(play, pushed)) <= SOON_MS);
  }
  assert.deepEqual([play.requested, play.cluster.patient], [20, 20]);
});

test("a daemon whose clients have gone delays only the first elements that it was to take", async () => {
  const play = new Play(QUEUES["BRPOP"] as Queue, seedOfRun());
  const { daemons, random } = play.cluster;
  await play.start(3, daemons.slice(0, 2));

  let pushed = 0;
  for (; pushed < 10; pushed++) {
    play.push();
    await play.cluster.runUntil(play.cluster.now + 100);
  }
  assert.equal(play.received.length, pushed);

  play.disconnectAll(daemons[1] as Daemon);
  let delayed = 0;
  for (let i = 0; i < 20; i++) {
    play.push(random.oneOf(daemons));
    const ms = await timeToReceive(play, ++pushed);
    if (ms > SOON_MS) delayed++;
    assert.ok(ms <= 150, `${ms} ms`);
  }

  assert.equal(delayed, 1);
  assert.ok(play.requested <= pushed + 2);
});

test("a client that waits again and again for a short time takes the elements of a daemon that has ended", async () => {
  const play = new Play(QUEUES["BRPOP"] as Queue, seedOfRun());
  const { daemons } = play.cluster;
  const [first, second] = daemons as [Daemon, Daemon];
  play.limitMs = 10;
  await play.start(1, [first, second]);
  for (let i = 0; i < 10; i++) {
    play.push();
    await play.cluster.runUntil(play.cluster.now + 100);
  }
  play.disconnectAll(second);
  for (let i = 0; i < 10; i++) play.push(first);
  await play.cluster.runUntil(play.cluster.now + 1000);
  play.check();
});

test("a command that takes several elements counts for several", async () => {
  const play = new Play(QUEUES["BLMPOP with COUNT"] as Queue, seedOfRun());
  const [first] = play.cluster.daemons;
  await play.start(10, [first as Daemon]);
  play.push();
  await play.cluster.runUntil(play.cluster.now + 100);
  for (let i = 0; i < 9; i++) play.push();
  await play.cluster.runUntil(play.cluster.now + 100);
  play.check();
  assert.equal(play.requested, 1 + 3);
});

test("a daemon checks for one client of a group whether it is its turn, not for each", async () => {
  const play = new Play(QUEUES["XREADGROUP"] as Queue, seedOfRun());
  const { daemons } = play.cluster;
  await play.start(30);
  for (let pushed = 1; pushed <= 10; pushed++) {
    play.push();
    await timeToReceive(play, pushed);
  }
  const before = daemons.map(({ groupSizesRead }) => groupSizesRead);
  play.push();
  await timeToReceive(play, 11);
  for (const [index, { groupSizesRead }] of daemons.entries()) {
    const reads = groupSizesRead - (before[index] as number);
    assert.ok(reads <= 10, `${reads} reads for one entry`);
  }
});

test("the clients of a daemon are served in the order in which they began to wait", async () => {
  const play = new Play(QUEUES["BRPOP"] as Queue, seedOfRun());
  const [daemon] = play.cluster.daemons as [Daemon];
  const served: number[] = [];
  for (let i = 0; i < 10; i++) daemon.run(["BRPOP", "k", "0"], () => served.push(i));
  for (let i = 0; i < 10; i++) {
    play.push();
    await play.cluster.runUntil(play.cluster.now + play.cluster.random.oneOf([0, 5, 50]));
  }
  await play.cluster.runUntil(play.cluster.now + 100);
  assert.deepEqual(served, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test("a command that fails, or does not wait, is not delayed", async () => {
  const { cluster } = new Play(QUEUES["BRPOP"] as Queue, seedOfRun());
  const [daemon, other] = cluster.daemons as [Daemon, Daemon];
  const GROUP = ["XREADGROUP", "GROUP", "g", "c", "BLOCK", "0", "STREAMS", "s"];

  daemon.push("SET", "text", "1");
  daemon.push("XADD", "s", "1-1", "f", "v");
  daemon.push("XGROUP", "CREATE", "s", "g", "0");
  daemon.push("RPUSH", "list", "a");
  await cluster.runUntil(100);

  // The other daemon has waiting clients, so that it may be its turn.
  for (let i = 0; i < 5; i++) other.run(["BLPOP", "list", "0"], () => {});
  await cluster.runUntil(200);

  const replies: string[] = [];
  for (const argv of [
    ["BLPOP", "absent", "text", "list", "0"],
    ["BLPOP", "list", "not a number"],
    ["XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">"],
    [...GROUP, "0"],
    ["XREADGROUP", "GROUP", "no-group", "c", "BLOCK", "0", "STREAMS", "s", ">"],
  ])
    daemon.run(argv, (reply) => replies.push(shown(reply).slice(0, 12)));

  await cluster.runUntil(200 + SOON_MS);
  const entries = '["s" [["1-1"';
  assert.deepEqual(replies.sort(), ['-"ERR timeou', '-"NOGROUP No', '-"WRONGTYPE ', entries, entries]);
});

/** What happens in a play with faults. */
async function happen(play: Play, random: SeededRandom): Promise<void> {
  const { daemons } = play.cluster;
  const running = daemons.filter(({ state }) => state === "runs");
  switch (random.below(8)) {
    case 0:
      play.disconnect();
      break;
    case 1:
      play.addClient(random.oneOf(running));
      break;
    case 2: {
      const daemon = random.oneOf(running);
      if (running.length < 2) break;
      daemon.hang();
      play.cluster.after(random.oneOf([5, 50, 500, 3000]), () => daemon.continue());
      break;
    }
    case 3:
      if (running.length === 3 && random.chance(0.2)) random.oneOf(running).end();
      break;
    default:
      for (let count = random.oneOf([1, 1, 2, 10]); count > 0; count--) play.push();
  }
  await play.cluster.runUntil(play.cluster.now + random.oneOf([0, 2, 10, 40, 200]));
}

for (const [name, queue] of Object.entries(QUEUES))
  test(`${name}: each element is received once, and soon, although daemons hang or end, and clients go`, async () => {
    for (let round = 0; round < amount(3, 60); round++) {
      const random = new SeededRandom(seedOfRun(), round);
      const play = new Play(queue, random.below(2 ** 32));
      play.workMsMax = random.oneOf([0, 5, 100]);
      play.limitMs = random.oneOf([0, 10, 50, 1000]);
      await play.start(random.between(1, 4), random.shuffled(play.cluster.daemons).slice(random.below(3)));
      for (let i = 0; i < 40; i++) await happen(play, random);
      await play.cluster.runUntil(play.cluster.now + 4000);
      play.addClient(random.oneOf(play.cluster.daemons.filter(({ state }) => state === "runs")));
      await play.cluster.runUntil(play.cluster.now + 10_000);
      play.check(`round ${round}`);
    }
  });
