/**
 * Tests that Redis Sentinel accepts a daemon as a master, finds other sentinels through its channels, and reports when
 * it is down.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Reply } from "../../../protocol/reply.js";
import { makeFolder } from "../../../test/daemon/program/replicas.js";
import { freePort } from "../../../test/support/free-port.js";
import { RedisConnection } from "../../../test/support/redis-connection.js";
import { skipWithout } from "../../../test/support/requirements.js";
import { until } from "../../../test/support/until.js";
import { startResp } from "./scene.js";

const skip = skipWithout("redis-server");

/** Milliseconds without an answer after which a sentinel considers the daemon down; two sentinels must agree. */
const DOWN_AFTER_MS = 3000;

class Sentinel implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #connection: RedisConnection;

  private constructor(child: ChildProcess, connection: RedisConnection) {
    this.#child = child;
    this.#connection = connection;
  }

  static async start(folder: string, name: string, watched: number): Promise<Sentinel> {
    const port = await freePort();
    const file = join(folder, `${name}.conf`);
    writeFileSync(
      file,
      `port ${port}\nbind 127.0.0.1\ndir ${folder}\nsentinel monitor it 127.0.0.1 ${watched} 2\n` +
        `sentinel down-after-milliseconds it ${DOWN_AFTER_MS}\n`,
    );
    const child = spawn("redis-server", [file, "--sentinel"], { stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
    await until("the sentinel monitors the daemon", () => output.includes("+monitor"));
    return new Sentinel(child, await RedisConnection.open(port));
  }

  /** Returns the sentinel's fields about the daemon. */
  async known(): Promise<ReadonlyMap<string, string>> {
    const reply = await this.#connection.call("SENTINEL", "MASTER", "it");
    const texts = (reply.kind === "array" ? reply.items : []).map((item: Reply) =>
      item.kind === "bulk" ? item.bytes : "",
    );
    return new Map(texts.flatMap((text, i) => (i % 2 === 0 ? [[text, texts[i + 1] ?? ""]] : [])));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#connection[Symbol.dispose]();
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }
}

test("sentinels accept a daemon as a master that is up, find each other, and report when it is down", {
  skip,
}, async () => {
  using folder = makeFolder();
  const scene = await startResp();
  await using one = await Sentinel.start(folder.path, "one", scene.port);
  await using other = await Sentinel.start(folder.path, "other", scene.port);

  for (const sentinel of [one, other])
    await until("the sentinels have found each other through the daemon's channels", async () => {
      const known = await sentinel.known();
      return known.get("num-other-sentinels") === "1" && known.get("flags") === "master";
    });

  for (const sentinel of [one, other]) {
    const known = await sentinel.known();
    assert.equal(known.get("role-reported"), "master");
    assert.match(known.get("runid") ?? "", /^[0-9a-f]{40}$/);
    assert.equal(known.get("num-slaves"), "0");
  }

  await scene[Symbol.asyncDispose]();
  for (const sentinel of [one, other])
    await until("the daemon is down", async () =>
      ((await sentinel.known()).get("flags") ?? "").includes("o_down"),
    );
});
