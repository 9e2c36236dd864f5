/**
 * Tests the components of a mirror in isolation: its options, its mark, the waiting keys, and the comparison of values.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isOwnMemory, mirrorOf } from "../../../daemon/options/settings.js";
import { Database } from "../../../daemon/store/database.js";
import type { Value } from "../../../daemon/store/values/value.js";
import { settingsFrom } from "../../../test/daemon/program/replicas.js";
import { double } from "../../../test/support/double.js";
import { makeKeyPair } from "../../../test/support/envelope-client.js";
import { dumpPayload } from "../../redis/store/rdb/dump-payload.js";
import { COMPARED_BYTES_MAX, compareKeys } from "../compare-keys.js";
import { DirtyKeys } from "../dirty-keys.js";
import { checkMark, formatMark, MARK_KEY, type MarkContext, parseMark } from "../mirror-mark.js";
import type { MirroredFold } from "../mirror-parts.js";
import { compareKey, isSameValue, type RedisCommand } from "../mirrored-key.js";
import type { RedisConnections } from "../redis-connections.js";
import { OTHER, OWN } from "./mirrored.js";

const CLUSTER = "c".repeat(64);
const MARK = {
  cluster: CLUSTER,
  daemon: OWN,
  run: "0123456789abcdef",
  batch: 7,
  level: { at: 1_700_000_000_000, seq: 3 },
  folded: "1:aa/2:bb",
};

test("-d redis in addition to --data is a mirror, and the daemon answers from its own memory", () => {
  const key = makeKeyPair().file;
  const from = (...args: string[]) => settingsFrom(["-s", key, ...args]);
  const settings = from("--data", "d", "-d", "redis:db:1");
  assert.equal(mirrorOf(settings)?.host, "db");
  assert.equal(isOwnMemory(settings), true);
  assert.equal(mirrorOf(from("-d", "redis:db:1")), null);
  assert.equal(isOwnMemory(from("-d", "redis:db:1")), false);
  for (const [args, sentence] of [
    [["-d", "redis:db:1,redis:db:2"], /only one Redis can mirror the data: leave out redis:db:2/],
    [["-d", "redis://db:1/3"], /mirrored to the database of the same number: leave out \/3/],
    [["--compat", "php-dbsync"], /leave out --compat php-dbsync, or --data/],
  ] as const)
    assert.throws(() => from("--data", "d", ...args), { message: sentence });
});

describe("a mark", () => {
  const claimant: MarkContext = {
    cluster: CLUSTER,
    daemon: OWN,
    written: [],
    folded: "3:aa/4:bb",
    takesOver: false,
  };
  const judged = (text: string | null, isEmpty: boolean, overrides: Partial<MarkContext> = {}) =>
    checkMark(text, isEmpty, { ...claimant, ...overrides }).kind;

  test("a mark is parsed as it was written, and other texts are rejected", () => {
    assert.deepEqual(parseMark(formatMark(MARK)), MARK);
    const folded = formatMark(MARK);
    for (const text of ["", "1", `${folded} `, folded.slice(1), folded.replace("cluster=c", "cluster=C")])
      assert.equal(parseMark(text), null);
  });

  test("a mark of another format is refused with both numbers", () => {
    for (const number of [2, 10, 999_999_999]) {
      const text = formatMark(MARK).replace(":1 ", `:${number} `);
      assert.equal(parseMark(text), null);
      assert.deepEqual(checkMark(text, false, { ...claimant, folded: MARK.folded }), {
        kind: "refused",
        reason: `its mark ${MARK_KEY} has format ${number}, and this daemon reads only format 1: use the version of dbsync that wrote it, or take this Redis over with dbsync repair --take-over`,
      });
    }
    for (const text of ["dbsync-mirror:02 cluster=", "dbsync-mirror:x", "dbsync-mirror:1"]) {
      const check = checkMark(text, false, claimant);
      assert.ok(check.kind === "refused" && check.reason.includes("is not a mark"), text);
    }
  });

  test("a mark determines whether the mirror continues, compares, or does not touch Redis", () => {
    const text = formatMark(MARK);
    assert.equal(judged(text, false, { written: [text] }), "same");
    assert.equal(judged(text, false, { folded: MARK.folded }), "same");
    assert.equal(judged(text, false), "compare");
    assert.equal(judged(formatMark({ ...MARK, folded: "" }), false, { folded: "" }), "compare");
    assert.equal(judged(text, false, { written: ["later"], folded: MARK.folded }), "compare");

    assert.equal(judged(null, true), "compare");
    assert.equal(judged(null, false), "refused");
    assert.equal(judged(null, false, { written: [null, text] }), "refused");
    assert.equal(judged(null, false, { written: [text] }), "compare");

    for (const foreign of [
      "text",
      formatMark({ ...MARK, daemon: OTHER }),
      formatMark({ ...MARK, cluster: OTHER }),
    ]) {
      assert.equal(judged(foreign, false), "refused");
      assert.equal(judged(foreign, false, { written: [text] }), "refused");
      assert.equal(judged(foreign, false, { takesOver: true }), "compare");
    }
  });
});

test("each key waits only once, in order, until there are too many keys", () => {
  let woken = 0;
  const dirty = new DirtyKeys(3, () => woken++);
  for (const key of ["a", "b", "a", MARK_KEY]) dirty.keyChanged(0, key);
  dirty.keyChanged(1, "a");
  assert.equal(woken, 1);
  assert.deepEqual(dirty.shift(), { db: 0, key: "a" });
  assert.equal(dirty.has({ db: 0, key: "a" }), false);

  dirty.keyChanged(0, "c");
  assert.equal(dirty.lost, null);
  dirty.keyChanged(0, "d");
  assert.match(dirty.lost ?? "", /more keys changed than --mirror-keys/);
  assert.deepEqual([dirty.size, dirty.has({ db: 0, key: "x" })], [0, true]);

  dirty.keyChanged(0, "while lost");
  dirty.begin();
  assert.equal(dirty.size, 0);
  // Keys that the mirror itself finds do not count towards the limit.
  dirty.add(["a", "b", "c", "d"].map((key) => ({ db: 0, key })));
  assert.equal(dirty.size, 4);
});

test("keys that are removed while other keys arrive are each removed once, in order", () => {
  const dirty = new DirtyKeys(1000, () => {});
  const removed: (string | undefined)[] = [];
  const [change, remove] = [
    (key: string) => dirty.keyChanged(0, key),
    () => removed.push(dirty.shift()?.key),
  ];
  for (const key of ["a", "b"]) change(key);
  remove();
  for (const key of ["a", "b", "c"]) change(key);
  for (let i = 0; i < 4; i++) remove();

  change("d");
  remove();
  change("e");

  dirty.lose("");
  dirty.begin();
  change("f");
  remove();

  for (let i = 0; i < 300; i++) change(`n${i}`);
  for (let i = 0; i < 299; i++) dirty.shift();
  remove();

  assert.deepEqual(removed, ["a", "b", "a", "c", undefined, "d", "f", "n299"]);
  assert.equal(dirty.size, 0);
});

test("a comparison reads values in limited portions, and no values of keys that should not exist", async () => {
  const database = new Database();
  const [length, count] = [300_000, 20];
  const unit = { at: 1, db: 0, id: "u".repeat(32) };
  for (let i = 0; i < count; i++) database.execute(["SET", `k${i}`, "v".repeat(length)], unit, []);

  const requests: (readonly RedisCommand[])[] = [];
  const line = double<RedisConnections>({
    present: async (keys) => keys,
    request: async (commands: readonly RedisCommand[]) => {
      requests.push(commands);
      return commands.map(([name]) => (name === "DUMP" ? null : name === "EXISTS" ? "1" : "-1"));
    },
  });
  const scene = {
    fold: double<MirroredFold>({ database }),
    clock: () => 2,
    dirty: new DirtyKeys(10, () => {}),
    timed: <Result>(work: () => Result) => work(),
  };

  const names = Array.from({ length: count }, (_, i) => [`k${i}`, `strange${i}`]).flat();
  const { different } = await compareKeys(
    line,
    names.map((key) => ({ db: 0, key })),
    scene,
  );

  assert.equal(different.length, 2 * count);
  for (const commands of requests) {
    const dumps = commands.filter(([name]) => name === "DUMP").length;
    assert.ok(dumps * length <= COMPARED_BYTES_MAX, `${dumps}`);
    for (const [name, key] of commands) if (name === "DUMP") assert.match(String(key), /^k\d+$/);
  }
  assert.ok(requests.length < count, `${requests.length}`);
});

test("values are equal if they differ only in an order that has no meaning", () => {
  const valueMadeBy = (...commands: readonly string[][]): Value => {
    const database = new Database();
    for (const argv of commands) database.execute(argv, { at: 1000, db: 0, id: "u".repeat(32) });
    return database.keyspaces[0]?.find("k")?.value as Value;
  };

  const group = [
    ["XADD", "k", "1-1", "f", "v"],
    ["XGROUP", "CREATE", "k", "g", "0"],
  ];
  const values: readonly Value[] = [
    valueMadeBy(["SET", "k", "1"]),
    valueMadeBy(["RPUSH", "k", "1", "2"]),
    valueMadeBy(["RPUSH", "k", "2", "1"]),
    valueMadeBy(["SADD", "k", "1", "2"]),
    valueMadeBy(["SADD", "k", "1", "3"]),
    valueMadeBy(["HSET", "k", "1", "2", "3", "4"]),
    valueMadeBy(["HSET", "k", "1", "2", "3", "5"]),
    valueMadeBy(["ZADD", "k", "1", "2", "3", "4"]),
    valueMadeBy(["ZADD", "k", "1", "2", "3.5", "4"]),
    valueMadeBy(["XADD", "k", "1-1", "f", "v"]),
    valueMadeBy(...group),
    valueMadeBy(...group, ["XREADGROUP", "GROUP", "g", "c", "STREAMS", "k", ">"]),
  ];

  for (const [index, one] of values.entries())
    for (const [at, other] of values.entries()) assert.equal(isSameValue(one, other), index === at);
  assert.ok(isSameValue(valueMadeBy(["SADD", "k", "a", "b"]), valueMadeBy(["SADD", "k", "b", "a"])));
  assert.ok(
    isSameValue(
      valueMadeBy(["HSET", "k", "a", "1", "b", "2"]),
      valueMadeBy(["HSET", "k", "b", "2", "a", "1"]),
    ),
  );
});

test("a key in Redis is compared with its expiry time, and unknown formats are reported separately", () => {
  const database = new Database();
  const now = 1_000_000;
  const expire = now + 60_000;
  database.execute(["SET", "k", "v", "PXAT", String(expire)], { at: now, db: 0, id: "u".repeat(32) });
  database.execute(["SADD", "s", "a", "b"], { at: now, db: 0, id: "u".repeat(32) });

  const compared = (key: string, bytes: Buffer | null, time: number, at = now) =>
    compareKey({ db: 0, key }, { dump: bytes, expire: time }, database, at);
  const payload = (value: string) => Buffer.from(dumpPayload(value), "latin1");

  assert.equal(compared("k", payload("v"), expire), "same");
  assert.equal(compared("k", payload("w"), expire), "different");
  assert.equal(compared("k", payload("v"), -1), "different");
  assert.equal(compared("k", null, -2), "different");
  assert.equal(compared("k", null, -2, expire - 1000), "same");
  assert.equal(compared("k", payload("v"), expire, expire + 1), "same");
  assert.equal(compared("none", payload("v"), -1), "different");
  assert.equal(compared("none", null, -2), "same");

  const footer = Buffer.alloc(10);
  assert.equal(compared("s", Buffer.concat([Buffer.from([99]), footer]), -1), "unreadable");
  // A set in a listpack, as Redis 7.2 stores it: header, "b", "a", end.
  const pack = Buffer.from([13, 0, 0, 0, 2, 0, 0x81, 0x62, 2, 0x81, 0x61, 2, 0xff]);
  assert.equal(compared("s", Buffer.concat([Buffer.from([20, pack.length]), pack, footer]), -1), "same");
});
