/**
 * Tests programs (scripts, functions, transactions with scripts) through two sidecars of three daemons whose members
 * decide on keys. Source: docs/decisions/0083-programs-through-sidecars.md.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Redis } from "ioredis";
import { PATIENT } from "../../../test/support/active-cluster.js";
import { amount } from "../../../test/support/amount.js";
import type { DaemonHere } from "../../../test/support/daemon-here.js";
import { decideOn, EARLY_PATTERNS } from "../../../test/support/decided-patterns.js";
import { skipWithout } from "../../../test/support/requirements.js";
import { run } from "../../../test/support/run-program.js";
import { ScratchFolder } from "../../../test/support/scratch-folder.js";
import { startSidecar } from "../../../test/support/start-sidecar.js";
import { Trio } from "../../../test/support/trio.js";
import { Relay } from "../../../test/system/attacker/relay.js";
import { frame, type Item, resp, textOf, type Value } from "../../../test/system/attacker/wire.js";

const CALL = ["--backend-timeout", "20s", "--lua-time-limit", "1m"];

/** Takes the element with the lowest score of a sorted set, and notes the taker. */
const TAKE = `
  local found = redis.call('zrange', KEYS[1], 0, 0)
  if #found == 0 then return false end
  redis.call('zrem', KEYS[1], found[1])
  redis.call('hset', KEYS[2], found[1], ARGV[1])
  return found[1]`;
/** Redlock's scripts. */
const LOCK = `
  if redis.call("exists", KEYS[1]) == 1 then return 0 end
  redis.call("set", KEYS[1], ARGV[1], "PX", ARGV[2])
  return 1`;
const UNLOCK = `
  if redis.call("get", KEYS[1]) == ARGV[1] then return redis.call("del", KEYS[1]) end
  return 0`;

const COUNT = "return redis.call('incr', KEYS[1])";

const raw = (text: string): Item => ({ encoded: Buffer.from(`${text}\r\n`) });

/**
 * What a lying daemon answers, from the reply and the flags of the only unit: another reply, or null for the right one.
 */
const LIES: Readonly<Record<string, (reply: Value, flags: string) => Item | null>> = {
  "that a unit without effect had its effect": (_, flags) =>
    flags.includes("unmet") ? raw("*1\r\n+OK") : null,
  "that a unit had no effect": (_, flags) =>
    flags.includes("decided") && !flags.includes("unmet") ? raw("*-1") : null,
  "that all keys are absent": (reply) => {
    const [decided, writers] = Array.isArray(reply) ? (reply as Value[]) : [];
    if (!Array.isArray(decided) || !Array.isArray(writers)) return null;
    const values = decided.flatMap(() => [raw(":-2"), raw("$-1")]);
    return [decided.map(() => raw(":1")), writers.map(() => ""), ...values];
  },
};

/** Counts with a lock that threads of both ports take in turn. */
const LOCKS_OF_PYTHON = `
import sys, threading, redis
rounds, ports = int(sys.argv[1]), sys.argv[2:]
among, failures, count = [], [], [0]
def work(port):
    try:
        client = redis.Redis(port=int(port))
        for _ in range(rounds):
            with client.lock("d:python", timeout=100, sleep=0.02):
                among.append(1)
                assert len(among) == 1
                count[0] += 1
                among.pop()
    except BaseException as failure:
        failures.append(failure)
threads = [threading.Thread(target=work, args=[port]) for port in ports * 2]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert not failures, failures
assert count[0] == rounds * len(threads)
client = redis.Redis(port=int(ports[0]))
assert client.exists("d:python") == 0
lock = client.lock("d:python", timeout=100)
assert lock.acquire(blocking=False)
assert not redis.Redis(port=int(ports[1])).lock("d:python").acquire(blocking=False)
lock.extend(100)
lock.release()
`;

describe("programs through two sidecars of three daemons", () => {
  let trio: Trio;
  const folder = new ScratchFolder();
  const sidecars: DaemonHere[] = [];
  let clients: Redis[] = [];
  let daemon: Redis;

  before(async () => {
    trio = await Trio.start(["--resp", "0", ...EARLY_PATTERNS, ...PATIENT], 3, {
      keys: "app",
      areHere: true,
    });
    await decideOn(trio, ["d:*"]);
    const key = folder.privateKey(trio.app);
    const servers = trio.ports.map((port) => `127.0.0.1:${port}`);
    for (let count = 0; count < 2; count++)
      sidecars.push(await startSidecar(key, servers, ["--resp", "0", ...CALL]));
    const ports = await Promise.all(sidecars.map((sidecar) => sidecar.portOf("Redis clients")));
    clients = ports.map((port) => new Redis({ port }));
    daemon = new Redis({ port: await trio.daemon(0).portOf("Redis clients") });
  });

  after(async () => {
    for (const client of [...clients, daemon]) client?.disconnect();
    for (const sidecar of sidecars) await sidecar[Symbol.asyncDispose]();
    await trio[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  const first = () => clients[0] as Redis;

  test("each element is taken once, by scripts through two sidecars and at a daemon", async () => {
    const count = amount(20, 200);
    await daemon.zadd("d:queue", ...Array.from({ length: count }, (_, n) => [n, `e${n}`]).flat());
    const taken: string[] = [];
    await Promise.all(
      [...clients, daemon].flatMap((client, index) =>
        Array.from({ length: 3 }, async () => {
          for (let round = 0; round <= count; round++) {
            const element = (await client.eval(TAKE, 2, "d:queue", "d:owners", String(index))) as
              | string
              | null;
            if (element === null) return;
            taken.push(element);
          }
        }),
      ),
    );
    assert.deepEqual(taken.sort(), Array.from({ length: count }, (_, n) => `e${n}`).sort());
    assert.equal(await daemon.hlen("d:owners"), count);
  });

  test("a lock has one owner, which alone can release it", async () => {
    for (let round = 0; round < amount(5, 50); round++) {
      const key = `d:lock:${round}`;
      const contenders = [...clients, daemon];
      const won = await Promise.all(
        contenders.map((client, at) => client.eval(LOCK, 1, key, `${at}`, "60000")),
      );
      assert.equal(won.filter((one) => one === 1).length, 1, `${won}`);
      const owner = won.indexOf(1);
      const other = clients[owner === 0 ? 1 : 0] as Redis;
      assert.equal(await other.eval(UNLOCK, 1, key, "nobody"), 0);
      assert.equal(await other.eval(UNLOCK, 1, key, String(owner)), 1);
      assert.equal(await other.exists(key), 0);
    }
  });

  for (const [what, lie] of Object.entries(LIES))
    test(`one daemon of three that answers ${what} causes neither two owners nor two effects`, async () => {
      let lies = 0;
      await using liar = await Relay.start(trio.ports[2] as number, undefined, (message) => {
        const [name, , , , , reply, flags] = message;
        if (textOf(name) !== "result" || message.length !== 7) return null;
        const other = lie(reply as Value, textOf(flags));
        if (other === null) return null;
        lies++;
        return frame(resp([...(message.slice(0, 5) as Buffer[]), other, flags as Buffer]));
      });

      const servers = [...trio.servers.slice(0, 2), liar.address];
      const key = folder.privateKey(trio.app);
      await using sidecar = await startSidecar(key, servers, ["--resp", "0", ...CALL]);
      const deceived = new Redis({ port: await sidecar.portOf("Redis clients") });
      try {
        for (let round = 0; round < amount(3, 100); round++) {
          const lock = `d:lies:${what}:${round}`;
          const counter = `d:counted:${what}`;
          const contenders = [deceived, deceived, ...clients, daemon];

          const won = await Promise.all(
            contenders.map((client, index) => client.eval(LOCK, 1, lock, `${index}`, "60000")),
          );
          assert.equal(won.filter((one) => one === 1).length, 1, `${won}`);
          assert.equal(await daemon.get(lock), String(won.indexOf(1)));

          await Promise.all(contenders.map((client) => client.eval(COUNT, 1, counter)));
          assert.equal(await daemon.get(counter), String((round + 1) * contenders.length));
        }
        assert.ok(lies > 0);
      } finally {
        deceived.disconnect();
      }
    });

  test("redis-py's Lock has one owner through two sidecars", {
    skip: skipWithout("python3-redis"),
  }, async () => {
    const ports = await Promise.all(sidecars.map((sidecar) => sidecar.portOf("Redis clients")));
    const args = ["-c", LOCKS_OF_PYTHON, String(amount(3, 50)), ...ports.map(String)];
    const ended = await run("/usr/bin/python3", args);
    assert.equal(ended.code, 0, `${ended.stdout}${ended.stderr}`);
  });

  test("a script through a sidecar sees and changes each type of value, its expiry, and what it has just written", async () => {
    await daemon.set("d:text", "5", "EX", 1000);
    await daemon.rpush("d:list", "a", "b", "c");
    await daemon.sadd("d:set", "x");

    const script = `
      redis.call('incrby', KEYS[1], 2)
      local left = redis.call('pttl', KEYS[1])
      local popped = redis.call('lpop', KEYS[2], 2)
      local chosen = redis.call('spop', KEYS[3])
      redis.call('xadd', KEYS[4], '*', 'f', 'v')
      return {redis.call('get', KEYS[1]), left > 900000, popped, chosen, redis.call('xlen', KEYS[4])}`;

    const reply = await first().eval(script, 4, "d:text", "d:list", "d:set", "d:stream");
    assert.deepEqual(reply, ["7", 1, ["a", "b"], "x", 1]);
    assert.deepEqual(await daemon.lrange("d:list", 0, -1), ["c"]);
    assert.equal(await daemon.get("d:text"), "7");
    assert.equal(await daemon.exists("d:set"), 0);
    assert.equal(await daemon.xlen("d:stream"), 1);
    assert.ok((await daemon.pttl("d:text")) > 900_000);
  });

  test("a script may touch keys that it has not declared", async () => {
    const script = "return redis.call('incr', 'd:' .. redis.call('get', 'd:name'))";
    await daemon.set("d:name", "counter");
    assert.equal(await first().eval(script, 0), 1);
    assert.equal(await daemon.get("d:counter"), "1");
  });

  test("EVALSHA, functions and transactions with scripts run as at a daemon", async () => {
    const client = first();
    const sha = String(await client.script("LOAD", "return redis.call('incr', KEYS[1])"));
    assert.equal(await client.evalsha(sha, 1, "d:sha"), 1);

    await client.call(
      "FUNCTION",
      "LOAD",
      "#!lua name=l\nredis.register_function('up', function(keys) return redis.call('incr', keys[1]) end)",
    );
    assert.equal(await client.call("FCALL", "up", "1", "d:sha"), 2);

    assert.deepEqual(
      await client.multi().set("d:multi", "3").evalsha(sha, 1, "d:multi").get("d:multi").exec(),
      [
        [null, "OK"],
        [null, 4],
        [null, "4"],
      ],
    );

    await client.watch("d:multi");
    await daemon.set("d:multi", "10");
    assert.equal(await client.multi().evalsha(sha, 1, "d:multi").exec(), null);

    await client.watch("d:multi");
    assert.deepEqual(await client.multi().evalsha(sha, 1, "d:multi").exec(), [[null, 11]]);
    assert.equal(await daemon.get("d:multi"), "11");
  });

  test("a script through a sidecar is refused, and changes nothing, if it needs more than decided keys", async () => {
    const client = first();
    const refused = async (script: string, expected: RegExp) =>
      await assert.rejects(
        client.eval(`redis.call('incr', 'd:refused') ${script}`, 1, "d:refused"),
        expected,
      );

    await refused("return redis.call('set', 'plain:1', 'v')", /dbsync decide add 'plain:\*'/);
    await refused("return redis.call('dbsize')", /DBSIZE in a script needs data/);
    // As in Redis, an error of a command does not undo what the script has done before.
    await assert.rejects(client.eval("redis.call('publish', 'c', 'm')", 0), /PUBLISH is not supported/);
    await refused(
      "redis.call('xgroup', 'create', 'd:s', 'g', '$', 'MKSTREAM') return redis.call('xreadgroup', 'group', 'g', 'c', 'streams', 'd:s', '>')",
      /XGROUP CREATE.* works only at a daemon|XGROUP\|CREATE in a script works only at a daemon/,
    );

    assert.equal(await daemon.exists("d:refused", "plain:1"), 0);
    await daemon.set("plain:2", "read");
    await assert.rejects(client.eval("return redis.call('get', 'plain:2')", 0), /^ReplyError: NOTAPPLIED /);
    assert.equal(await client.eval_ro("return redis.call('get', 'plain:2')", 0), "read");
  });
});
