/** Compares the rules on channels of users and their selectors with redis-server. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RawClient } from "../../../test/support/raw-client.js";
import { RedisConnection } from "../../../test/support/redis-connection.js";
import { skipWithout } from "../../../test/support/requirements.js";
import { until } from "../../../test/support/until.js";
import { answers, lines, RedisComparison } from "./redis-comparison.js";

const skip = skipWithout("redis-server");

/** The rules of a user, step by step; each step is added to the one before. */
const RULES: readonly (readonly string[])[] = [
  ["&* (+publish)", "(&a +publish)", "clearselectors"],
  ["+publish (&a)", "(+@pubsub &b)", "(+@all allchannels)"],
  ["&a +publish (+publish &b) (+subscribe &c)", "resetchannels", "&* clearselectors"],
  ["(+psubscribe +subscribe &a &b*) (+subscribe &c)", "+ssubscribe &s*"],
  ["+@all ~*", "(+@pubsub ~*)", "(&a)", "reset on nopass ~* +@all"],
  ["(+@all)", "&*", "(&*)"],
  [
    "+@pubsub ~* (~* &a &a +@read)",
    "(&a resetchannels &b) (resetchannels)",
    "reset on nopass +echo (+publish &a)",
  ],
  ["allchannels +pubsub|channels", "resetchannels (+pubsub &x)", "(allchannels resetchannels)"],
];

const CALLS = [
  ...["PUBLISH a x", "PUBLISH b x", "SPUBLISH a x", "SPUBLISH s1 x", "PUBSUB CHANNELS", "PUBSUB NUMSUB a b"],
  ...[
    "SUBSCRIBE a",
    "SUBSCRIBE b a",
    "SUBSCRIBE c c d",
    "PSUBSCRIBE b*",
    "PSUBSCRIBE b a",
    "SSUBSCRIBE s1 b",
  ],
  ...["UNSUBSCRIBE a", "PUNSUBSCRIBE", "SUNSUBSCRIBE b"],
];

/** Returns the answers. Redis 7.0 lists exceptions from all commands or none in another order. */
const sortedAnswers = async (port: number, bytes: string) =>
  (await answers(port, bytes)).replace(/(?:[+-][@\w|]+ )+[+-][@\w|]+/g, (rules) =>
    rules.split(" ").sort().join(" "),
  );

test("channels are permitted, refused, tried and shown for each selector as in Redis", { skip }, async () => {
  await using comparison = await RedisComparison.start();
  for (const steps of RULES) {
    // The user needs ECHO for the end mark of the conversations.
    await comparison.assertSame(lines("ACL SETUSER ann on nopass +echo"));
    for (const rules of steps) {
      const tried = CALLS.map((call) => `ACL DRYRUN ann ${call}`);
      const set = [`ACL SETUSER ann ${rules}`, "ACL LIST", "ACL GETUSER ann"];
      const conversation = lines(...set, ...tried, "HELLO 3", "ACL GETUSER ann", "AUTH ann x", ...CALLS);
      assert.equal(
        await sortedAnswers(comparison.ours.port, conversation),
        await sortedAnswers(comparison.redis.port, conversation),
        rules,
      );
    }
    await comparison.assertSame(lines("ACL DELUSER ann"));
  }
});

test("wrong rules on channels are reported as in Redis, and nothing changes", { skip }, async () => {
  await using comparison = await RedisComparison.start();
  const wrong = [
    ...["allchannels &a", "&* &a", "(allchannels &a)", "(&b &* &a +foo)", "&* &a +foo", "~* ~a (&* &a)"],
    ...["(&a clearselectors)", "(&a", "(&a (&b))", '"&a\\tb"', "(&a) &* &b"],
    ...['"&a\\vb"', '"(&a\\rb)"'],
  ];
  const right = ["&a (&*)", "&* (&a)", "(&a &a)", "&", "(&)", "ALLCHANNELS ResetChannels &A"];
  const odd = ['"&a\\x01"', '"&\\x7f\\x08"', '"&\\x80\\xff"', '"(&a\\x1b)"'];
  await comparison.assertSame(
    lines(
      "ACL SETUSER ann &x (&y)",
      ...[...wrong, ...right, ...odd].flatMap((rules) => [`ACL SETUSER ann ${rules}`, "ACL LIST"]),
    ),
  );
});

test("transactions, scripts and ACL LOG name a refused channel as in Redis", { skip }, async () => {
  await using comparison = await RedisComparison.start();
  const refused = [
    "ACL SETUSER ann on nopass +echo +multi +exec +eval (+publish &a) (+subscribe &b)",
    ...["AUTH ann x", "PUBLISH b x", "SUBSCRIBE b a", "MULTI", "PUBLISH a x", "PUBLISH c x", "EXEC"],
    ...["MULTI", "PUBLISH a x", "EXEC", "EVAL \"return redis.call('publish', 'a', 'x')\" 0"],
    "EVAL \"return redis.pcall('publish', 'b', 'x')\" 0",
  ];
  await comparison.assertSame(lines(...refused));
  const logOf = async (port: number) => {
    using client = await RedisConnection.open(port);
    const log = await client.call("ACL", "LOG");
    assert.ok(log.kind === "array" && log.items.length > 2);
    return log.items.map((entry) => (entry.kind === "array" ? entry.items.slice(0, 10) : entry));
  };
  assert.deepEqual(await logOf(comparison.ours.port), await logOf(comparison.redis.port));
});

/** Changes of the rules, and the numbers of subscribers that remain: of a channel, a pattern and a shard channel. */
const WITHDRAWN: readonly (readonly [string, readonly number[]])[] = [
  // No selector permits SUBSCRIBE, but together they cover the channels.
  ["clearselectors (&a1) (&a*)", [1, 1, 1]],
  ["clearselectors (&a1) (&a2)", [1, 0, 1]],
  ["clearselectors &a1", [1, 0, 0]],
  ["resetchannels (allchannels)", [1, 0, 0]],
  ["clearselectors +@all", [0, 0, 0]],
];

test("subscribers are disconnected if no selector covers their channels, as in Redis", {
  skip,
}, async (t) => {
  await using comparison = await RedisComparison.start();
  for (const port of [comparison.redis.port, comparison.ours.port]) {
    using admin = await RedisConnection.open(port);
    const counts = async () => [
      Number(((await admin.value("PUBSUB", "NUMSUB", "a1")) as unknown[])[1]),
      Number(await admin.value("PUBSUB", "NUMPAT")),
      Number(((await admin.value("PUBSUB", "SHARDNUMSUB", "a2")) as unknown[])[1]),
    ];
    const set = async (rules: string) => {
      const reply = await admin.call("ACL", "SETUSER", "ann", ...rules.split(" "));
      assert.deepEqual(reply, { kind: "status", text: "OK" }, rules);
    };
    await set("on nopass (+@pubsub &a*)");
    const clients: RawClient[] = [];
    for (const command of ["SUBSCRIBE a1", "PSUBSCRIBE a*", "SSUBSCRIBE a2"]) {
      const client = await RawClient.open(port);
      clients.push(client);
      t.after(() => client[Symbol.dispose]());
      client.send(lines("AUTH ann x", command));
      await until("the client is subscribed", () => client.received.includes("subscribe"));
    }

    for (const [rules, expected] of WITHDRAWN) {
      await set(rules);
      await until(`${rules}: ${expected.join(" ")}`, async () => `${await counts()}` === `${expected}`);
      assert.deepEqual(await counts(), expected, rules);
    }
    for (const client of clients) await until("the connection is closed", () => client.hasEnded);
  }
});
