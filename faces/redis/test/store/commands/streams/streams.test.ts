/** Tests edge cases of streams. test/conformance compares their replies with Redis's. */
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { writeReply } from "../../../../../../protocol/resp/resp-writer.js";
import { shown } from "../../../../../../test/conformance/resp2-fold.js";
import { StoreUnderTest } from "../../../../../../test/daemon/store/commands/store-under-test.js";
import { amount } from "../../../../../../test/support/amount.js";
import { RedisConnection } from "../../../../../../test/support/redis-connection.js";
import { startRedis } from "../../../../../../test/support/redis-server.js";
import { skipWithout } from "../../../../../../test/support/requirements.js";
import { seed } from "../../../../../../test/support/seed.js";
import { SeededRandom } from "../../../../../../test/support/seeded-random.js";

let store: StoreUnderTest;
beforeEach(() => {
  store = new StoreUnderTest();
});

function fill(key: string, count: number): void {
  for (let i = 1; i <= count; i++) store.run(`XADD ${key} ${i}-0 a ${i}`);
}

test("undo reverts every write, including the key's expiry time and the stream's marks", () => {
  fill("s", 300);
  store.run("PEXPIREAT s 2000000");
  for (const line of [
    ...["XADD s * a 1", "XADD s 400-* a 1 b 2", "XADD new * a 1", "XADD s MAXLEN 5 * a 1"],
    ...["XADD s MAXLEN 0 * a 1", "XADD new MAXLEN 0 * a 1", "XADD s MINID ~ 250 999 a 1"],
    ...[
      "XDEL s 1-0",
      "XDEL s 300-0 150-0 151-0",
      "XTRIM s MAXLEN 10",
      "XTRIM s MINID 77",
      "XTRIM s MAXLEN ~ 0",
    ],
    ...["XSETID s 999-9", "XSETID s 999-9 ENTRIESADDED 1000 MAXDELETEDID 5-5", "COPY s new", "RENAME s new"],
  ]) {
    assert.ok(store.isUndone(line), line);
  }
  assert.ok(
    store.isUndone("XDEL s 1-0 100-0", "XTRIM s MAXLEN 90", "XADD s * a 1", "XTRIM s MAXLEN 0", "DEL s"),
  );
});

test("commands without an effect leave no record", () => {
  fill("s", 3);
  for (const line of [
    ...["XDEL s 9-9", "XTRIM s MAXLEN 3", "XTRIM s MAXLEN ~ 1", "XTRIM s MINID 1", "XSETID s 3-0"],
    ...[
      "XADD none NOMKSTREAM * a 1",
      "XADD s 1-1 a 1",
      "XADD none 0-0 a 1",
      "XDEL none 1",
      "XREAD STREAMS s 0",
    ],
  ]) {
    assert.equal(store.changes(line), 0, line);
  }
});

test("a stream that becomes empty remains, and continues after its last id", () => {
  fill("s", 2);
  store.run("XDEL s 1-0 2-0");
  assert.equal(store.run("EXISTS s"), ":1");
  store.at = 1;
  assert.equal(store.run("XADD s * a 1"), '"2-1"');
});

test("without a timeline XADD * assigns the date's first number, or the number after the last id", () => {
  assert.equal(store.run("XADD s * a 1"), '"1000000-0"');
  assert.equal(store.run("XADD s * a 1"), '"1000000-1"');
  store.at--;
  assert.equal(store.run("XADD s * a 1"), '"1000000-2"');
  assert.equal(store.run("XADD t 5-18446744073709551615 a 1"), '"5-18446744073709551615"');
  store.at = 5;
  assert.equal(store.run("XADD t * a 1"), '"6-0"');
});

test("~ removes whole nodes of 100 entries, leaves no fewer than requested, and respects LIMIT", () => {
  fill("s", 350);
  assert.equal(store.run("XTRIM s MAXLEN ~ 251"), ":0");
  assert.equal(store.run("XTRIM s MAXLEN ~ 140 LIMIT 199"), ":100");
  assert.equal(store.run("XTRIM s MINID ~ 340"), ":200");
  assert.equal(store.run("XLEN s"), ":50");
  assert.equal(store.run("XADD s MAXLEN ~ 1 * a 1"), '"1000000-0"');
  assert.equal(store.run("XLEN s"), ":51");
  assert.equal(store.run("XTRIM s MAXLEN ~ 0 LIMIT 50"), ":0");
  assert.equal(store.run("XTRIM s MINID ~ 9999999"), ":51");
  assert.equal(store.run("XADD s MAXLEN ~ 0 * a 1"), '"1000000-1"');
  assert.equal(store.run("XLEN s"), ":0");
});

test("each XADD with MAXLEN ~ leaves as many entries as requested, and at most 99 more", () => {
  for (const max of [0, 1, 20, 99, 100, 101, 250]) {
    const key = `s${max}`;
    for (let added = 1; added <= 700; added++) {
      // BullMQ trims its events in this way, by `streams.events.maxLen`.
      store.run(`XADD ${key} MAXLEN ~ ${max} ${added}-0 a ${added}`);
      const length = Number(store.run(`XLEN ${key}`).slice(1));
      assert.ok(length >= Math.min(max, added) && length <= max + 99, `${max}, ${added}: ${length}`);
      if (max === 0) assert.equal(length, 0);
    }
    store.run(`XTRIM ${key} MAXLEN ~ 0`);
    assert.equal(store.run(`XLEN ${key}`), ":0");
  }
});

test("~ removes at most 10,000 entries, unless LIMIT is 0", () => {
  fill("s", 10_300);
  assert.ok(store.isUndone("XTRIM s MAXLEN ~ 0 LIMIT 0"));
  assert.equal(store.run("XTRIM s MAXLEN ~ 100"), ":10000");
  assert.equal(store.run("XTRIM s MAXLEN ~ 0 LIMIT 0"), ":300");
});

test("~ trims appended entries exactly as redis-server does with nodes of 100 entries", {
  skip: skipWithout("redis-server"),
}, async () => {
  const first = seed();
  const server = await startRedis({ args: ["--stream-node-max-bytes", "0"] });
  try {
    using redis = await RedisConnection.open(server.port);
    for (let episode = 0; episode < amount(12, 40); episode++) {
      const random = new SeededRandom(first, episode);
      const key = `s${episode}`;
      let last = 0;
      const add = (options = ""): string =>
        `XADD ${key} ${options}${++last}-0 a ${"x".repeat(random.below(60))}x`;
      for (let round = 0; round < 12; round++) {
        const lines = Array.from({ length: random.oneOf([0, 1, 30, 99, 100, 101, 250]) }, () => add());
        const bound = random.oneOf([0, 1, 49, 99, 100, 101, 200, 340]);
        const what = random.oneOf([
          `MAXLEN ~ ${bound}`,
          `MINID ~ ${Math.max(0, last - bound + random.below(3))}`,
        ]);
        const limit = random.oneOf(["", "", " LIMIT 0", " LIMIT 30", " LIMIT 100", " LIMIT 250"]);
        lines.push(random.oneOf([add(`${what}${limit} `), `XTRIM ${key} ${what}${limit}`]), `XLEN ${key}`);
        for (const line of lines) redis.queue(line.split(/ +/));
        const theirs = (await redis.flush()).map(shown);
        assert.deepEqual(
          lines.map((line) => store.run(line)),
          theirs,
          `seed ${first}, episode ${episode}: ${lines.at(-2)}`,
        );
      }
    }
  } finally {
    await server.stop();
  }
});

test("XREAD returns a map, which RESP2 sends as an array of pairs", () => {
  store.run("XADD s 1-1 a 1");
  store.run("XADD t 2-2 b 2");
  const reply = store.reply("XREAD STREAMS s t 0 0");
  assert.equal(reply.kind, "map");
  assert.equal(store.run("XREAD STREAMS s none t 0 0 $"), '["s" [["1-1" ["a" "1"]]]]');
  const entry = (id: string, field: string) =>
    `*1\r\n*2\r\n$3\r\n${id}\r\n*2\r\n$1\r\n${field}\r\n$1\r\n${id[0]}\r\n`;
  const pairs = [entry("1-1", "a"), entry("2-2", "b")].map((text, i) => `*2\r\n$1\r\n${"st"[i]}\r\n${text}`);
  assert.equal(writeReply(reply), `*2\r\n${pairs.join("")}`);
});

test("XREAD does not wait", () => {
  store.run("XADD s 1-1 a 1");
  assert.equal(store.run("XREAD BLOCK 0 STREAMS s $"), "nil-array");
  assert.equal(store.run("XREAD BLOCK 0 STREAMS s 0"), '["s" [["1-1" ["a" "1"]]]]');
});

test("the stream keys of XREAD follow only its real options", () => {
  assert.equal(store.run("COMMAND GETKEYS XREAD COUNT 2 BLOCK 5 STREAMS a STREAMS 0 0"), '["a" "STREAMS"]');
});
