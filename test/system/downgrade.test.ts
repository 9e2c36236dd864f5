/** Attack: close the first connection of a client. The client must not send a signed command that can be replayed. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { some } from "../support/amount.js";
import { type DaemonProcess, startDaemon } from "../support/daemon-process.js";
import { programPaths } from "../support/programs.js";
import { repositoryRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirements.js";
import { run } from "../support/run-program.js";
import { Relay } from "./attacker/relay.js";

const LIMIT = { timeout: 300_000 };

interface Scene extends AsyncDisposable {
  readonly daemon: DaemonProcess;
  readonly cluster: string;
  readonly privateKey: string;
}

/** Starts a daemon that accepts both protocol versions. @returns the daemon, and the RSA key of a client */
async function scene(args: readonly string[] = []): Promise<Scene> {
  const [publicFile, privateKey] = ["public", "private"].map((half) =>
    join(repositoryRoot, `test/vectors/php-dbsync/test-rsa2048-${half}.pem`),
  ) as [string, string];
  const daemon = await startDaemon(["-s", publicFile, ...args]);
  const { cluster } = await daemon.logged(({ msg }) => msg === "listening");
  return {
    daemon,
    cluster: String(cluster),
    privateKey,
    [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose](),
  };
}

/** Clients with default settings. They choose the protocol version. */
const clients = {
  "dbsync send": (servers: string, { privateKey, cluster }: Scene, isClusterKnown: boolean) =>
    run(process.execPath, [
      programPaths.dbsync,
      ...[
        "send",
        "-s",
        servers,
        "-k",
        privateKey,
        ...(isClusterKnown ? ["--cluster", cluster] : []),
        "INCR",
        "visits",
      ],
    ]),
  "clients/php": (servers: string, { privateKey, cluster }: Scene, isClusterKnown: boolean) =>
    run(
      "php",
      [
        "-r",
        `require "${join(repositoryRoot, "clients/php/dbsync.php")}";
        if (dbsync_send("INCR visits") === null) { fwrite(STDERR, dbsync_last_error()); exit(1); }`,
      ],
      {
        env: {
          DBSYNC_SERVERS: servers,
          DBSYNC_SIGNKEY: privateKey,
          ...(isClusterKnown ? { DBSYNC_CLUSTER: cluster } : {}),
        },
      },
    ),
} as const;

describe("a client sends no signed command as version 1 unless this is configured", {
  concurrency: true,
}, () => {
  let victim: Scene;
  before(async () => {
    victim = await scene();
  });
  after(() => victim[Symbol.asyncDispose]());

  for (const [name, send] of Object.entries(clients)) {
    const skip = name.includes("php") ? skipWithout("php") : false;
    for (const isClusterKnown of some([true, false])) {
      const which = isClusterKnown ? "with --cluster" : "without --cluster";
      test(`${name} ${which} sends no replayable command if a relay closes the connection at each hello`, {
        ...LIMIT,
        skip,
      }, async () => {
        const isHello = (chunk: Buffer) => chunk.subarray(0, 4).toString() === "ds2:";
        await using relay = await Relay.start(victim.daemon.port, (chunk) =>
          isHello(chunk) ? "close" : "pass",
        );
        const { code, stderr } = await send(relay.address, victim, isClusterKnown);
        assert.deepEqual(relay.replayable, []);
        assert.notEqual(code, 0);
        assert.match(stderr, /versions/, "the error names the option that allows version 1");
      });
    }

    test(`${name} sends no replayable command if a relay closes only the first connection`, {
      ...LIMIT,
      skip,
    }, async () => {
      await using relay = await Relay.start(victim.daemon.port, (_, number) =>
        number === 0 ? "close" : "pass",
      );
      await send(relay.address, victim, true);
      assert.deepEqual(relay.replayable, []);
    });
  }

  test(
    "dbsync send sends no replayable command while an attacker uses all of --max-connections",
    LIMIT,
    async () => {
      await using full = await scene(["--max-connections", "4"]);
      const idle = Array.from({ length: 8 }, () =>
        connect(full.daemon.port, "127.0.0.1").on("error", () => {}),
      );
      await Promise.all(idle.map((socket) => new Promise((resolve) => socket.once("connect", resolve))));
      await using relay = await Relay.start(full.daemon.port);
      await clients["dbsync send"](relay.address, full, true);
      assert.deepEqual(relay.replayable, []);
      for (const socket of idle) socket.destroy();
    },
  );
});
