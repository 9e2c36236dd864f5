/**
 * Tests the connections of clients/php/dbsync.php: how long they stay open, how slow daemons are treated, and what
 * happens at the end of a script.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { answer, answerFrame, fakeDaemon, silence } from "../support/fake-daemon.js";
import { skipWithout } from "../support/requirements.js";
import { runPhp, untilClosedBy } from "./running.js";

/** Uses the protocol version of php-dbsync only, since a hello would need another connection. */
const VERSION_1 = { "dbsync.versions": "1" };

describe("dbsync.php's connections", { skip: skipWithout("php"), concurrency: 2 }, () => {
  test("Calls share a connection, and check it before they use it again", async () => {
    await using daemon = await fakeDaemon((frame, socket, number) => {
      answer("v")(frame, socket, number);
      // After the third answer the daemon closes the connection, as after an idle timeout.
      if (number === 3) socket.end();
    });
    // The script waits until the operating system has received the end.
    const values = await runPhp(
      `$result = []; for ($i = 0; $i < 6; $i++) {
        $result[] = dbsync_send('GET k'); if ($i === 2) { ${untilClosedBy(daemon.port)} }
      }`,
      { ini: { ...VERSION_1, "dbsync.servers": daemon.address } },
    );
    assert.deepEqual(values, new Array(6).fill("redis:2:v"));
    assert.equal(daemon.connections, 2);
    assert.equal(daemon.frames.length, 6);
  });

  test("With keepalive off each call has its own connection", async () => {
    for (const off of ["0", "Off"]) {
      await using daemon = await fakeDaemon(answer("v"));
      const values = await runPhp("$result = [dbsync_send('GET k'), dbsync_send('GET k')]", {
        ini: { ...VERSION_1, "dbsync.servers": daemon.address, "dbsync.keepalive": off },
      });
      assert.deepEqual(values, ["redis:2:v", "redis:2:v"]);
      assert.equal(daemon.connections, 2);
    }
  });

  test("A connection that was idle for over 2.5 s is not used again, since the original closes it after 3 s", async () => {
    await using daemon = await fakeDaemon(answer("v"));
    const values = await runPhp(
      "$result = [dbsync_send('GET k')]; usleep(2600000); $result[] = dbsync_send('GET k')",
      { ini: { ...VERSION_1, "dbsync.servers": daemon.address } },
    );
    assert.deepEqual(values, ["redis:2:v", "redis:2:v"]);
    assert.equal(daemon.connections, 2);
  });

  test("dbsync_reset closes connections and reads the settings again", async () => {
    await using a = await fakeDaemon(answer("a"));
    await using b = await fakeDaemon(answer("b"));
    const values = await runPhp(
      `$result = [dbsync_send('GET k')]; putenv('DBSYNC_SERVERS=${b.address}'); $result[] = dbsync_send('GET k');
      dbsync_reset(); $result[] = dbsync_send('GET k')`,
      { ini: VERSION_1, env: { DBSYNC_SERVERS: a.address } },
    );
    assert.deepEqual(values, ["redis:2:a", "redis:2:a", "redis:2:b"]);
    assert.equal(a.connections, 1);
  });

  test("A slow daemon receives every command, in order and one at a time, even when the script ends", async () => {
    await using fast = await fakeDaemon(answer("v"));
    await using slow = await fakeDaemon((_frame, socket) => {
      setTimeout(() => socket.write(answerFrame("v")), 8);
    });

    const values = await runPhp(
      '$result = []; for ($i = 0; $i < 8; $i++) $result[] = dbsync_send("SET k $i")',
      {
        ini: { ...VERSION_1, "dbsync.servers": `${slow.address},${fast.address}` },
        patience: { LAST_DELIVERY_SECONDS: 60 },
      },
    );

    assert.deepEqual(values, new Array(8).fill("redis:2:v"));
    const expected = Array.from({ length: 8 }, (_, index) => `ds:8:SET k ${index}\0`);
    assert.deepEqual(
      slow.frames.map((frame) => frame.toString("latin1")),
      expected,
    );
    assert.equal(slow.surplus, 0);
    assert.equal(slow.connections, 1);
  });

  test("A late answer to one command is never used as the answer to the next one", async () => {
    let answerLate = () => {};
    // When the next command arrives, the client has received the previous answer.
    await using fast = await fakeDaemon((frame, socket, number) => {
      answer("fast")(frame, socket, number);
      if (number === 2) answerLate();
    });
    await using slow = await fakeDaemon((frame, socket) => {
      const key = /GET (\w+)/.exec(frame.toString("latin1"))?.[1] ?? "";
      answerLate = () => void socket.write(answerFrame(`slow-${key}`));
      if (key === "b") answerLate();
    });
    const values = await runPhp(
      `$result = [dbsync_send('GET a'), dbsync_send('GET next', '${fast.address}'),
        dbsync_send('GET b', '${slow.address}'), dbsync_send('GET c')]`,
      { ini: { ...VERSION_1, "dbsync.servers": `${slow.address},${fast.address}`, "dbsync.format": "text" } },
    );
    assert.deepEqual(values, ["fast", "fast", "slow-b", "fast"]);
  });

  test("A hung daemon delays a script by 200 ms at its end, not by 3 s per call", async () => {
    await using hung = await fakeDaemon(silence);
    await using live = await fakeDaemon(answer("v"));
    const start = performance.now();
    const values = await runPhp(
      "$result = []; for ($i = 0; $i < 50; $i++) $result[] = dbsync_send('GET k')",
      {
        ini: { ...VERSION_1, "dbsync.servers": `${hung.address},${live.address}` },
      },
    );
    assert.deepEqual(values, new Array(50).fill("redis:2:v"));
    assert.ok(performance.now() - start < 30_000);
  });

  test("A forked child process does not use the connections of its parent", async () => {
    await using daemon = await fakeDaemon(answer("v"));
    const values = await runPhp(
      `dbsync_send('GET k'); $child = pcntl_fork();
      if ($child === 0) { exit(dbsync_send('GET k') === 'redis:2:v' ? 7 : 1); }
      pcntl_waitpid($child, $status); $result = [pcntl_wexitstatus($status), dbsync_send('GET k')]`,
      { ini: { ...VERSION_1, "dbsync.servers": daemon.address } },
    );
    assert.deepEqual(values, [7, "redis:2:v"]);
    assert.equal(daemon.connections, 2);
  });
});
