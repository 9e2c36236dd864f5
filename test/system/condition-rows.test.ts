/**
 * Tests the table in docs/consistency.md ("What the answer to a condition means"): for each kind of cluster, whether
 * two clients that write under the same condition at the same moment may both receive OK, and what is refused. "The
 * client counts reports" and "the members decide" are rules of that section. Daemons with --order are tested in
 * order.test.ts, and those of version 1 in test/client/version-2/fleet.test.ts.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { type Client, DbsyncError } from "../../client/public-api.js";
import { amount } from "../support/amount.js";
import { EnvelopeClient } from "../support/envelope-client.js";
import { RedisConnection } from "../support/redis-connection.js";
import { startRedis } from "../support/redis-server.js";
import { skipWithout } from "../support/requirements.js";
import { respPort } from "../support/resp-trio.js";
import { Trio } from "../support/trio.js";
import { nextTurn, until } from "../support/until.js";

const ROUNDS = amount(5, 40);
const RESP = ["--resp", "0"];

/** The permitted number of OKs in a race: exactly one, at most one, or one for each client. */
type Outcome = "one" | "at most one" | "both";

/** Lets two clients write under the same condition at the same moment. @returns the number of OKs */
type Race = () => Promise<number>;

let keys = 0;

/** Returns the number of calls that returned something other than nil. A call that fails counts as none. */
async function countOf(calls: readonly Promise<unknown>[]): Promise<number> {
  const settled = await Promise.allSettled(calls);
  return settled.filter((call) => call.status === "fulfilled" && call.value !== null).length;
}

async function assertOutcome(t: TestContext, name: string, outcome: Outcome, race: Race): Promise<void> {
  if (outcome === "both") {
    let races = 0;
    const haveBoth = async () => {
      races++;
      return (await race()) === 2;
    };
    // Fails when the time limit of `until` ends.
    await until(`${name}: both receive OK`, haveBoth, { pause: nextTurn });
    t.diagnostic(`${name}: both receive OK in race ${races}`);
    return;
  }
  for (let round = 0; round < ROUNDS; round++) {
    const count = await race();
    assert.ok(count === 1 || (count === 0 && outcome === "at most one"), `${name}: ${count} receive OK`);
  }
}

/** Runs a test with two clients of the same daemons, which are connected to the running ones. */
async function withTwo(trio: Trio, use: (clients: readonly [Client, Client]) => Promise<void>) {
  const all = [...trio.ports.keys()];
  await using first = trio.client(all);
  await using second = trio.client([...all].reverse());
  // An answer from each running daemon shows that the client is connected to it.
  for (const client of [first, second]) await client.call("EXISTS nothing", { policy: trio.running.length });
  await use([first, second]);
}

const setIfAbsent = (client: Client, key: string): Promise<unknown> =>
  client.call(["SET", key, "mine", "NX"]);

const setWithCondition = (client: Client, key: string): Promise<unknown> =>
  client.multi([["SET", key, "mine"]], { if: [{ key, writer: null }] });

/** Checks the number of OKs that two signed clients of the running daemons receive. */
async function assertSigned(
  t: TestContext,
  trio: Trio,
  ifOutcome: Outcome,
  nxOutcome: Outcome,
): Promise<void> {
  await withTwo(trio, async (clients) => {
    const raceOf = (write: typeof setWithCondition) => () => {
      const key = `key:${keys++}`;
      return countOf(clients.map((client) => write(client, key)));
    };
    await assertOutcome(t, "units with if", ifOutcome, raceOf(setWithCondition));
    await assertOutcome(t, "SET NX", nxOutcome, raceOf(setIfAbsent));
  });
}

/** Checks the number of OKs that Redis clients of two running daemons, or of the only one, receive. */
async function assertWatching(t: TestContext, trio: Trio, outcome: Outcome): Promise<void> {
  const [first = 0, second = first] = trio.runningIndices;
  using firstConnection = await RedisConnection.open(await respPort(trio, first));
  using secondConnection = await RedisConnection.open(await respPort(trio, second));
  const connections = [firstConnection, secondConnection];
  const race = async () => {
    const key = `key:${keys++}`;
    for (const connection of connections)
      for (const command of [`WATCH ${key}`, "MULTI", `SET ${key} mine`])
        await connection.value(...command.split(" "));
    return countOf(
      connections.map(async (connection) => {
        const value = await connection.value("EXEC");
        if (value instanceof Error) throw value;
        return value;
      }),
    );
  };
  await assertOutcome(t, "EXEC after WATCH", outcome, race);
}

/** Whether each running daemon announces that members decide. */
async function areDeciding(trio: Trio): Promise<boolean> {
  const hellos = await Promise.all(
    trio.runningIndices.map(async (index) => {
      using client = await EnvelopeClient.open(trio.ports[index] ?? 0, trio.app);
      return await client.hello();
    }),
  );
  const deciding = hellos.filter(({ knows }) => knows.includes("decisions"));
  assert.ok(
    deciding.length === 0 || deciding.length === hellos.length,
    "the daemons disagree on whether the members decide",
  );
  return deciding.length > 0;
}

const untilLive = (trio: Trio): Promise<void> =>
  trio.until("the running daemons accept writes", async () => {
    await using client = trio.client(trio.runningIndices);
    await client.call("DEL nothing", { policy: "all" });
    return true;
  });

/** Returns the error of a call that fails. */
async function failureOf(call: Promise<unknown>): Promise<DbsyncError> {
  const problem = await call.then(
    () => assert.fail("the call succeeds"),
    (reason: unknown) => reason,
  );
  assert.ok(problem instanceof DbsyncError, String(problem));
  return problem;
}

for (const isInMemory of [false, true])
  test(`the order of arrival decides at a lone daemon ${isInMemory ? "without" : "with"} --data`, async (t) => {
    await using lone = await Trio.start(RESP, 1, { keys: "app", arePeers: false, isInMemory });
    assert.equal(await areDeciding(lone), false);
    await assertSigned(t, lone, "one", "one");
    await assertWatching(t, lone, "one");
  });

test("members without --data do not sign a member list: the client counts reports", async (t) => {
  await using trio = await Trio.start(RESP, 3, { keys: "app", isInMemory: true });
  await untilLive(trio);
  assert.equal(await areDeciding(trio), false);
  await assertSigned(t, trio, "at most one", "both");
  await assertWatching(t, trio, "both");
});

test("without --peer, the client counts reports", async (t) => {
  await using trio = await Trio.start(RESP, 3, { keys: "app", arePeers: false });
  assert.equal(await areDeciding(trio), false);
  await assertSigned(t, trio, "at most one", "both");
  await assertWatching(t, trio, "both");
});

test("daemons in front of a Redis server (-d) refuse conditions, and Redis decides on SET NX", {
  skip: skipWithout("redis-server"),
}, async (t) => {
  await using redis = await startRedis();
  const args = ["-d", `redis:127.0.0.1:${redis.port}`];
  await using trio = await Trio.start(args, 2, { keys: "app", arePeers: false, isInMemory: true });
  await untilLive(trio);
  assert.equal(await areDeciding(trio), false);
  await withTwo(trio, async ([client]) => {
    assert.match((await failureOf(setWithCondition(client, "key"))).message, /if-not-carried/);
    assert.equal(await client.call("GET key"), null);
  });
  await withTwo(trio, async (clients) => {
    await assertOutcome(t, "SET NX", "one", () => {
      const key = `key:${keys++}`;
      return countOf(clients.map((client) => setIfAbsent(client, key)));
    });
  });
});

test("members decide as soon as they have signed a first list; until then the client counts reports", async (t) => {
  await using trio = await Trio.make(RESP, 3, { keys: "app" });
  for (const index of [0, 1]) await trio.start(index);
  await untilLive(trio);
  assert.equal(await areDeciding(trio), false);
  await assertSigned(t, trio, "at most one", "both");
  await assertWatching(t, trio, "both");

  await trio.start(2);
  await trio.until("the daemons have signed a first list", () => areDeciding(trio));
  await untilLive(trio);
  await assertSigned(t, trio, "one", "one");
  await assertWatching(t, trio, "one");

  await trio.end(1, "SIGKILL");
  await trio.end(2, "SIGKILL");
  await using client = trio.client();
  await client.call("DEL nothing", { policy: "first" });
  const refusal = await failureOf(setIfAbsent(client, "refused"));
  assert.equal(refusal.effect, "not-applied");
  assert.match(refusal.message, /cannot-decide/);
  await failureOf(setWithCondition(client, "refused"));
  assert.equal(await client.call("GET refused"), null);
  assert.equal(await client.call("SET plain write", { policy: "first" }), "OK");
});

test("with administrators, members decide as soon as an administrator has signed a list", async (t) => {
  await using trio = await Trio.start();
  assert.equal(await areDeciding(trio), false);
  await assertSigned(t, trio, "at most one", "both");
  await trio.list();
  assert.equal(await areDeciding(trio), true);
  await assertSigned(t, trio, "one", "one");
});
