/** Tests that daemons report a full disk, a zeroed page and a revoked key correctly, and lose no acknowledged write. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, cpSync, openSync, readFileSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { some } from "../support/amount.js";
import { type DaemonProcess, startDaemon } from "../support/daemon-process.js";
import { textOf } from "../support/redis-connection.js";
import { repositoryRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirements.js";
import { until } from "../support/until.js";
import { Victims } from "./attacker/victims.js";

const LIMIT = { timeout: 300_000 };
const PAGE = 4096;

async function respPort(daemon: DaemonProcess): Promise<number> {
  const line = await daemon.logged(({ msg, port }) => /Redis|RESP/i.test(msg) && typeof port === "number");
  return Number(line["port"]);
}

describe("a daemon reports its condition correctly", { concurrency: true }, () => {
  test("a daemon with a full disk reports loading:0, so clients with a ready check can read", {
    ...LIMIT,
    skip: skipWithout("prlimit"),
  }, async () => {
    await using victims = await Victims.start(1, { args: ["--resp", "0"] });
    await victims.allLive();
    const [daemon] = victims.daemons as [DaemonProcess];
    const port = await respPort(daemon);
    using client = await victims.client();
    assert.equal(await client.text("SET", "k", "v"), "OK");

    const bytes = statSync(join(victims.folder(0), "timeline", "data.mdb")).size + 65_536;
    execFileSync("prlimit", ["--pid", String(daemon.pid), `--fsize=${bytes}:${bytes}`]);
    const big = "x".repeat(20_000);
    let number = 0;
    await until(
      "the disk is full",
      async () => (await client.ask([["SET", `fill${number++}`, big]])).refused === "storage-failed",
    );

    assert.match(await textOf(port, "INFO"), /loading:0\r\n/);
    assert.equal(await textOf(port, "GET", "k"), "v");
  });

  test(
    "if a signal kills a daemon with a zeroed page, docs/troubleshooting.md explains the signal",
    LIMIT,
    async () => {
      await using victims = await Victims.start(1);
      await victims.allLive();
      using client = await victims.client();
      for (let number = 0; number < 50; number++) await client.text("SET", `k${number}`, "v".repeat(500));
      await victims.daemons[0]?.stop();

      const keys = [
        "-s",
        join(victims.scratch.path, "application.pem"),
        "--root-key",
        join(victims.scratch.path, "root.pem"),
      ];

      const file = (folder: string) => join(folder, "timeline", "data.mdb");
      const pages = Math.floor(statSync(file(victims.folder(0))).size / PAGE);
      const manual = readFileSync(join(repositoryRoot, "docs/troubleshooting.md"), "utf8");
      const chosen = some([...new Set([2, pages - 1, 3, pages >> 1, pages - 2])], 2);

      for (const page of chosen) {
        const copy = join(victims.scratch.path, `zeroed${page}`);
        cpSync(victims.folder(0), copy, { recursive: true });
        const descriptor = openSync(file(copy), "r+");
        writeSync(descriptor, Buffer.alloc(PAGE), 0, PAGE, page * PAGE);
        closeSync(descriptor);

        const ended = await startDaemon([...keys, "--data", copy]).then(
          async (daemon) => `ended with ${(await daemon.stop()).code}`,
          (reason: Error) => reason.message,
        );
        const bySignal = ended.includes("ended with null");
        assert.ok(!bySignal || /SIGABRT/.test(manual), `page ${page} of ${pages}: ${ended}`);
      }
    },
  );

  test(
    "a daemon with a revoked key acknowledges only writes that the other members accept",
    LIMIT,
    async () => {
      await using victims = await Victims.start(2, { peers: "pinned", args: ["--resp", "0"] });
      await victims.allLive();

      const spki = victims.keys[1]?.spki.toString("base64") as string;
      using administrator = await victims.client(1, victims.root);
      assert.equal((await administrator.ask([["CLUSTER", "ADD", spki]])).refused, null);

      const port = await respPort(victims.daemons[1] as DaemonProcess);
      assert.equal(await textOf(port, "SET", "own", "1"), "OK");
      await until(
        "daemon 0 is live and has the write",
        async () => (await victims.views("GET", "own"))[0] === "live 1",
      );

      const id = victims.keys[1]?.id.toString("hex") as string;
      for (const index of [0, 1]) {
        using root = await victims.client(index, victims.root);
        // The second daemon may have received the first revocation already.
        const { refused } = await root.ask([["KEY", "REVOKE", id]]);
        assert.ok(refused === null || (index === 1 && refused === "daemon-revoked"), String(refused));
      }

      await until("daemon 1 has the revocation", async () => (await victims.ring(1)).includes("revoked"));
      assert.notEqual(await textOf(port, "SET", "own", "2"), "OK");

      using client = await victims.client(1);
      // Some writes may still succeed until the daemon has received the revocation.
      let number = 0;
      await until("a write is refused, or is the last that reaches the other daemon", async () => {
        const name = `behind${number++}`;
        const { refused, flags } = await client.ask([["SET", name, "it"]]);
        if (refused !== null || flags.join().includes("isolated")) return true;
        using other = await victims.client(0);
        return (await other.text("GET", name)) === "it" && number > 20;
      });

      using other = await victims.client(0);
      const { refused } = await client.ask([["SET", "last", "it"]]);
      if (refused === null)
        await until("the other daemon has the write", async () => (await other.text("GET", "last")) === "it");
    },
  );
});
