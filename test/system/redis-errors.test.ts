/** Clients of Redis receive the answers that they expect. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type DaemonProcess, startDaemon } from "../support/daemon-process.js";
import { within } from "../support/pause.js";
import { RawClient } from "../support/raw-client.js";
import { RedisConnection, textOfValue } from "../support/redis-connection.js";

const END_MS = 30_000;

describe("answers to clients of Redis", { timeout: 120_000 }, () => {
  let daemon: DaemonProcess;
  let resp = 0;
  before(async () => {
    daemon = await startDaemon(["--resp", "0"]);
    resp = await daemon.portOf("Redis clients");
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
    const rest = await within(END_MS, client.readToClose());
    assert.equal(rest, "+OK\r\n");
  });
});
