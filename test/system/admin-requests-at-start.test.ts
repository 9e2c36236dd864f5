/** A daemon starts and keeps running while open browser pages request every path of --admin. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { startDaemon } from "../support/daemon-process.js";
import { makeKeyPair } from "../support/envelope-client.js";
import { freePort } from "../support/free-port.js";
import { pause } from "../support/pause.js";
import { RedisConnection } from "../support/redis-connection.js";
import { ScratchFolder } from "../support/scratch-folder.js";
import { until } from "../support/until.js";

const STARTS = 3;
const PATHS = ["/events", "/", "/healthz", "/metrics", "/nothing"];
const AGAIN_MS = 50;
/** The number of writes in the folder: so many that the start takes a while. */
const WRITES = 60_000;
const BATCH = 20_000;
/** Milliseconds for which the requests continue after the start. */
const ASKED_MS = 1_500;

/** Requests a path repeatedly, each time on a new connection, beginning before the daemon listens. */
async function ask(port: number, path: string, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: localhost:${port}\r\nAccept: text/event-stream\r\nOrigin: http://localhost:${port}\r\n\r\n`,
    );
    await pause(AGAIN_MS);
    setTimeout(() => socket.destroy(), 200);
  }
}

test("a daemon with data, --ws and --admin starts while clients request every admin path", {
  timeout: 600_000,
}, async () => {
  using folder = new ScratchFolder();
  const pair = makeKeyPair();
  const [port, ws, admin, resp] = [await freePort(), await freePort(), await freePort(), await freePort()];
  const listenerArgs = [
    "-p",
    String(port),
    "--ws",
    String(ws),
    "--admin",
    String(admin),
    "--resp",
    String(resp),
  ];
  const args = [...listenerArgs, "-s", pair.file, "--data", `${folder.path}/data`];

  {
    await using _daemon = await startDaemon(args);
    using line = await RedisConnection.open(resp);
    for (let n = 0; n < WRITES; n += BATCH)
      await Promise.all(Array.from({ length: BATCH }, (_, i) => line.value("SET", `k:${n + i}`, "x")));
  }

  for (let start = 0; start < STARTS; start++) {
    let over = false;
    const asking = PATHS.flatMap((path) => [ask(admin, path, () => over), ask(admin, path, () => over)]);
    try {
      await using daemon = await startDaemon(args);
      const ended = daemon.ended();
      const first = await Promise.race([ended, pause(ASKED_MS)]);
      assert.equal(first ?? null, null, `it ended: ${(first as { stderr: string } | undefined)?.stderr}`);
      const isReady = async () => (await fetch(`http://127.0.0.1:${admin}/healthz`)).ok;
      // The other requests may have taken all connections.
      await until("the daemon is ready", isReady, { mayFail: true });
      await daemon.stop();
    } finally {
      over = true;
      await Promise.all(asking);
    }
  }
});
