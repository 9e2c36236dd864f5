/**
 * Tests clients that wait at one daemon (BLPOP and others) while claims of another daemon arrive late, with dates
 * before the moment at which the waiting client was served.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ActiveCluster, type ScenarioClient } from "../../support/active-cluster.js";
import { amount } from "../../support/amount.js";
import { pause } from "../../support/pause.js";
import { SeededRandom } from "../../support/seeded-random.js";
import { until } from "../../support/until.js";
import { seed } from "../scenario.js";

type Argv = readonly [string, ...string[]];

/** The milliseconds by which the clock of daemon 0, at which clients wait, is ahead. */
const AHEAD_MS = 700;
const ROUNDS = amount(4, 30);
const PAUSE_MS_MAX = 8;

/** A way to wait for an element, and the commands by which clients of the other daemon claim one. */
interface Way {
  readonly name: string;
  readonly prepare: (key: string) => readonly Argv[];
  readonly add: (key: string, ...elements: readonly string[]) => readonly Argv[];
  readonly wait: (key: string) => Argv;
  readonly claim: (key: string) => Argv;
  readonly show: (key: string) => Argv;
  /** Reads the elements in the replies to these commands. */
  readonly taken: (reply: unknown) => string | null;
  readonly shown: (reply: unknown) => readonly string[];
}

const strings = (reply: unknown) => reply as readonly string[];
const second = (reply: unknown) => strings(reply)[1] as string;
const first = (reply: unknown) =>
  Array.isArray(reply) ? (strings(reply)[0] ?? null) : (reply as string | null);
/** The jobs in the answer to XREADGROUP: the key, and entries, each an id and its fields. */
const jobs = (reply: unknown): readonly string[] =>
  reply === null ? [] : (reply as [string, [string, [string, string]][]])[1].map(([, [, job]]) => job);

const WAYS: readonly Way[] = [
  {
    name: "BLPOP",
    prepare: () => [],
    add: (key, ...elements) => [["RPUSH", key, ...elements]],
    wait: (key) => ["BLPOP", key, "0"],
    claim: (key) => ["LPOP", key],
    show: (key) => ["LRANGE", key, "0", "-1"],
    taken: (reply) => (Array.isArray(reply) ? second(reply) : first(reply)),
    shown: strings,
  },
  {
    name: "BLMOVE",
    prepare: () => [],
    add: (key, ...elements) => [["RPUSH", key, ...elements]],
    wait: (key) => ["BLMOVE", key, `${key}:taken`, "LEFT", "RIGHT", "0"],
    claim: (key) => ["LMOVE", key, `${key}:taken`, "LEFT", "RIGHT"],
    show: (key) => ["LRANGE", key, "0", "-1"],
    taken: first,
    shown: strings,
  },
  {
    name: "BZPOPMIN",
    prepare: () => [],
    add: (key, ...elements) => [["ZADD", key, ...elements.flatMap((element, i) => [String(i), element])]],
    wait: (key) => ["BZPOPMIN", key, "0"],
    claim: (key) => ["ZPOPMIN", key],
    show: (key) => ["ZRANGE", key, "0", "-1"],
    taken: (reply) => (strings(reply).length === 3 ? second(reply) : first(reply)),
    shown: strings,
  },
  {
    name: "XREADGROUP with BLOCK",
    prepare: (key) => [["XGROUP", "CREATE", key, "g", "$", "MKSTREAM"]],
    add: (key, ...elements) => elements.map((element): Argv => ["XADD", key, "*", "job", element]),
    wait: (key) => ["XREADGROUP", "GROUP", "g", "ann", "COUNT", "1", "BLOCK", "0", "STREAMS", key, ">"],
    claim: (key) => ["XREADGROUP", "GROUP", "g", "ben", "COUNT", "1", "STREAMS", key, ">"],
    // What the group has not delivered: the read that shows it delivers it, to a third consumer.
    show: (key) => ["XREADGROUP", "GROUP", "g", "cleo", "STREAMS", key, ">"],
    taken: (reply) => jobs(reply)[0] ?? null,
    shown: jobs,
  },
];

let cluster: ActiveCluster;
let here: ScenarioClient;
let there: ScenarioClient;

before(async () => {
  cluster = await ActiveCluster.start(2, { clocks: [AHEAD_MS, 0] });
  [here, there] = [cluster.client(0), cluster.client(1)];
});

after(() => cluster?.[Symbol.asyncDispose]());

const send = (client: ScenarioClient, [name, ...rest]: Argv) => client.call(name, ...rest);

async function sendAll(client: ScenarioClient, commands: readonly Argv[]): Promise<void> {
  for (const argv of commands) await send(client, argv);
}

/** Sends a command that waits at daemon 0, from a new client. Returns when it waits. */
async function waiting(
  argv: Argv,
): Promise<{ readonly reply: Promise<unknown>; readonly client: ScenarioClient }> {
  const client = cluster.client(0);
  const reply = send(client, argv);
  await until("the client waits", async () =>
    /^blocked_clients:1\r$/m.test(String(await here.call("INFO", "clients"))),
  );
  return { reply, client };
}

async function left(way: Way, key: string): Promise<readonly string[]> {
  await cluster.untilEqual();
  const rest = way.shown(await send(here, way.show(key)));
  await cluster.untilEqual();
  return rest;
}

for (const way of WAYS) {
  test(`${way.name}: what is claimed at a daemon that is cut off stays claimed, and no other element is`, async () => {
    const key = `${way.name}:cut`;
    await sendAll(here, way.prepare(key));
    await cluster.untilEqual();
    cluster.hold(0, 1, true);
    const { reply, client } = await waiting(way.wait(key));
    await sendAll(there, way.add(key, "there-1", "there-2"));
    assert.equal(way.taken(await send(there, way.claim(key))), "there-1");
    await sendAll(here, way.add(key, "here-1", "here-2"));
    assert.equal(way.taken(await reply), "here-1");
    cluster.hold(0, 1, false);
    assert.deepEqual([...(await left(way, key))].sort(), ["here-2", "there-2"]);
    client.disconnect();
  });

  test(`${way.name}: an element arrives late, and then its claim, while a client waits`, async () => {
    const key = `${way.name}:waits`;
    await sendAll(here, way.prepare(key));
    await cluster.untilEqual();
    cluster.hold(0, 1, true);
    await sendAll(there, way.add(key, "there"));
    assert.equal(way.taken(await send(there, way.claim(key))), "there");
    const { reply, client } = await waiting(way.wait(key));
    cluster.hold(0, 1, false);
    await cluster.untilEqual();
    await sendAll(there, way.add(key, "more"));
    const served = way.taken(await reply);
    // The client receives the first element, too, if its claim arrives in a later turn.
    assert.deepEqual(await left(way, key), served === "there" ? ["more"] : []);
    client.disconnect();
  });

  test(`${way.name}: a client that is served while a claim with an earlier date arrives (seed ${seed})`, async (t) => {
    let doubles = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const random = new SeededRandom(seed, round);
      const key = `${way.name}:${round}`;
      await sendAll(here, way.prepare(key));
      await cluster.untilEqual();
      const { reply, client } = await waiting(way.wait(key));
      await sendAll(there, way.add(key, "one", "two"));
      await pause(random.below(PAUSE_MS_MAX));
      const claimed = way.taken(await send(there, way.claim(key)));
      const served = way.taken(await reply);
      if (claimed === served) doubles++;
      const received = new Set([claimed, served]);
      const expected = ["one", "two"].filter((element) => !received.has(element));
      assert.deepEqual(
        await left(way, key),
        expected,
        `round ${round}: ${claimed} and ${served} were received`,
      );
      client.disconnect();
    }
    t.diagnostic(`${way.name}: ${doubles} of ${ROUNDS} elements were received twice`);
  });
}
