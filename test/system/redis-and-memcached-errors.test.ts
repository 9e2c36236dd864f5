/** Clients of Redis and memcached receive the answers that they expect. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { askMemcached } from "../../faces/memcached/test/memcached-lines.js";
import { type DaemonProcess, startDaemon } from "../support/daemon-process.js";
import { freePort } from "../support/free-port.js";
import { within } from "../support/pause.js";
import { RawClient } from "../support/raw-client.js";
import { RedisConnection, textOfValue } from "../support/redis-connection.js";

const END_MS = 30_000;

describe("answers to clients of Redis and memcached", { timeout: 120_000 }, () => {
  let daemon: DaemonProcess;
  let [resp, memcached] = [0, 0];
  before(async () => {
    [resp, memcached] = [await freePort(), await freePort()];
    daemon = await startDaemon(["--resp", String(resp), "--memcached", String(memcached)]);
  });
  after(async () => {
    await daemon?.[Symbol.asyncDispose]();
  });

  test("SORT by a constant in a script returns the elements of a set in byte order", async () => {
    using line = await RedisConnection.open(resp);
    await line.value("SADD", "unsorted", "c", "a", "b", "e", "d", "f");
    const script = "return redis.call('SORT', KEYS[1], 'BY', 'constant')";
    assert.equal(textOfValue(await line.value("EVAL", script, 1, "unsorted")), "a b c d e f");
  });

  test("INFO errorstats counts errors by their first word", async () => {
    using line = await RedisConnection.open(resp);
    await line.value("SET", "text", "1");
    await line.value("LPUSH", "text", "1");
    assert.match(textOfValue(await line.value("INFO", "errorstats")), /errorstat_WRONGTYPE:count=[1-9]/);
  });

  test("MONITOR shows the commands of scripts and marks them", async () => {
    using monitor = await RawClient.open(resp);
    monitor.send("MONITOR\r\n");
    await monitor.readTo("+OK\r\n");
    using line = await RedisConnection.open(resp);
    await line.value("EVAL", "return redis.call('SET', KEYS[1], 'from-lua')", 1, "scripted");
    await line.value("SET", "end", "of-it");
    const monitored = await monitor.readTo("of-it");
    assert.match(monitored, /lua\] "(SET|set)" "scripted" "from-lua"/);
  });

  test("QUIT is answered, then the connection is closed", async () => {
    using client = await RawClient.open(resp);
    client.send("*1\r\n$4\r\nQUIT\r\n*1\r\n$4\r\nPING\r\n");
    const rest = await within(END_MS, client.rest());
    assert.equal(rest, "+OK\r\n");
  });

  /** Sends lines, followed by `version` as an end mark. @returns the answers to the lines */
  async function ask(text: string): Promise<string> {
    const answer = await within(END_MS, askMemcached(memcached, text));
    assert.ok(answer !== null, `no answer: ${JSON.stringify(text)}`);
    return answer;
  }

  test("the version for memcached has a major number of at least 1", async () => {
    using client = await RawClient.open(memcached);
    client.send("version\r\n");
    assert.match(await client.readTo("\r\n"), /^VERSION [1-9]\d*\./);
  });

  test("the binary protocol of memcached receives the documented answer", async () => {
    using client = await RawClient.open(memcached);
    client.send(`\x80\x0b${"\0".repeat(22)}`);
    const answer = await within(END_MS, client.rest());
    assert.match(String(answer), /^ERROR\r\n/);
  });

  test("failing commands with noreply receive no answer", async () => {
    assert.equal(await ask("flush_all noreply\r\n"), "");
    assert.equal(await ask("set k 0 0 1 noreply\r\nx\r\nincr k 1 noreply\r\n"), "");
    assert.equal(await ask("incr k nonsense noreply\r\n"), "");
  });

  for (const length of ["99999999999999999999", "2147483648", "-1", "1e3", "0x10"])
    test(`a length of ${length} is a client or server error, and the connection stays usable`, async () => {
      using client = await RawClient.open(memcached);
      client.send(`set k 0 0 ${length}\r\n`);
      assert.match(String(await within(END_MS, client.readTo("\r\n"))), /^(SERVER_ERROR|CLIENT_ERROR) /);
      assert.equal(await ask("get nothing\r\n"), "END\r\n");
    });
});
