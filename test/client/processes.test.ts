/**
 * Tests signed calls to daemon processes, each with a different fault. With two healthy daemons a caller is not
 * affected; with only faulty ones, the error names each of them.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { createClient } from "../../client/dbsync-send.js";
import { type DaemonProcess, startDaemon } from "../support/daemon-process.js";
import { freePort, refusingAddress } from "../support/free-port.js";
import { startRedis } from "../support/redis-server.js";
import { repositoryRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirements.js";

import { errorOf } from "./test-client.js";

const keys = join(repositoryRoot, "test/vectors/php-dbsync");
const key = readFileSync(join(keys, "test-rsa2048-private.pem"), "utf8");
const signed = ["--sign-key", join(keys, "test-rsa2048-public.pem")];

/** The timeout of every call in milliseconds. */
const TIMEOUT_MS = 5_000;

/** A limit in milliseconds: below the deadline, but sufficient on a machine that is busy with other tests. */
const SOON_MS = 4_000;

const CALLS = 20;

/** The behaviours of server processes that are not daemons. */
const BEHAVIOURS = {
  garbage: "s.write('HTTP/1.1 400 Bad Request\\r\\n\\r\\n')",
  "mid-frame": "s.end('ds:13:redis:5:PO')",
  late: `setTimeout(() => s.writable && s.write('ds:11:redis:3:OK\\0'), ${TIMEOUT_MS + 500})`,
} as const;

interface Trouble {
  readonly name: string;
  /** The stages at which a call to the daemon may fail. */
  readonly stages: readonly string[];
  readonly address: string;
}

describe("daemons as processes", { skip: skipWithout("redis-server") }, () => {
  const endings: (() => unknown)[] = [];
  const troubles: Trouble[] = [];
  let healthy: string[] = [];

  function endsLater<Thing extends AsyncDisposable>(thing: Thing): Thing {
    endings.push(() => thing[Symbol.asyncDispose]());
    return thing;
  }
  const daemon = async (...args: string[]): Promise<DaemonProcess> => endsLater(await startDaemon(args));
  const addressOf = ({ address, port }: DaemonProcess) => `${address}:${port}`;

  async function behaving(behaviour: keyof typeof BEHAVIOURS): Promise<string> {
    const program = `require("node:net").createServer((s) => {
      s.on("error", () => {}).on("data", () => ${BEHAVIOURS[behaviour]});
    }).listen(${await freePort()}, "127.0.0.1", function () { console.log(this.address().port); });`;
    const child = spawn(process.execPath, ["-e", program], { stdio: ["ignore", "pipe", "inherit"] });
    endings.push(() => child.kill("SIGKILL"));
    const [port] = (await once(child.stdout, "data")) as [Buffer];
    return `127.0.0.1:${port.toString().trim()}`;
  }

  before(async () => {
    const [first, second, stopped] = [
      await daemon(...signed),
      await daemon(...signed),
      await daemon(...signed),
    ];
    healthy = [addressOf(first), addressOf(second)];
    stopped.kill("SIGSTOP");

    const otherKey = await daemon("--sign-key", join(keys, "test-rsa4096-public.pem"));
    const withoutRedis = await daemon(...signed, "--database", `redis:${await refusingAddress()}`);

    const hungRedis = endsLater(await startRedis());
    const withHungRedis = await daemon(...signed, "--database", `redis:127.0.0.1:${hungRedis.port}`);
    await withHungRedis.logged(({ msg }) => msg === "database connected");
    hungRedis.kill("SIGSTOP");

    troubles.push(
      { name: "down", stages: ["connect"], address: await refusingAddress() },
      { name: "stopped", stages: ["timeout"], address: addressOf(stopped) },
      { name: "answering garbage", stages: ["garbage"], address: await behaving("garbage") },
      { name: "closing in mid-frame", stages: ["garbage"], address: await behaving("mid-frame") },
      { name: "late", stages: ["timeout"], address: await behaving("late") },
      { name: "refusing the key", stages: ["wrong-cluster"], address: addressOf(otherKey) },
      { name: "without its Redis", stages: ["refused"], address: addressOf(withoutRedis) },
      // In front of a Redis, a daemon accepts no commands during its first seconds.
      { name: "with a hung Redis", stages: ["refused", "timeout"], address: addressOf(withHungRedis) },
    );
  });
  after(() => Promise.all(endings.map((end) => end())));

  test("one faulty daemon of three neither affects nor delays a call, whatever the fault", async () => {
    for (const { name, stages, address } of troubles) {
      await using client = createClient({ servers: [address, ...healthy], key, timeout: TIMEOUT_MS });
      await client.send("PING");
      for (let call = 0; call < CALLS; call++) {
        const startedAt = performance.now();
        assert.equal(await client.send(`SET k ${call}`), "OK", name);
        assert.ok(performance.now() - startedAt < SOON_MS, `one ${name}: a call took too long`);
      }
      const { outcomes } = await client.sendAll("GET k");
      const seen = outcomes.map((outcome) => (outcome.status === "ok" ? outcome.value : outcome.stage));
      assert.deepEqual(seen.slice(1), [String(CALLS - 1), String(CALLS - 1)], name);
      assert.ok(stages.includes(seen[0] ?? "nil"), `${name}: ${seen[0]}`);
    }
  });

  test("if all daemons are faulty, the call fails in time with an error that names each daemon and its stage", async () => {
    const addresses = troubles.map(({ address }) => address);
    await using client = createClient({ servers: addresses, key, timeout: TIMEOUT_MS });
    const startedAt = performance.now();
    const error = await errorOf(client.send("SET k v"));
    assert.ok(performance.now() - startedAt < TIMEOUT_MS + SOON_MS, "the deadline is met");
    assert.equal(error.code, "all-failed");
    for (const [index, { name, stages, address }] of troubles.entries()) {
      const outcome = error.outcomes[index];
      assert.ok(
        outcome?.status === "failed" && stages.includes(outcome.stage),
        `${name}: ${outcome?.status}`,
      );
      const names = (line: string) => line.includes(address) && line.includes(`: ${outcome.stage}: `);
      assert.ok(error.message.split("\n").some(names), name);
    }
  });
});
