/**
 * Tests commands for several Redis servers, with the test's own finder and server: which commands are delayed, and
 * until when.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { BackendOutcome } from "../../../daemon/engine/backends/backend.js";
import { realEnvironment } from "../../../daemon/net/process/clock-and-randomness.js";
import { bulk, error } from "../../../protocol/reply.js";
import { keysOf } from "../command-keys.js";
import type { Argv, RedisLink } from "../redis-link.js";
import type { ServerFinder } from "../server-finder.js";
import { RedisGroupBackend } from "../server-group.js";

const OK = bulk("OK");
const DOWN: BackendOutcome = {
  kind: "failed",
  code: "database-down",
  detail: "it closes",
  effect: "not-applied",
};

/** A finder with one server, for which FLUSHALL counts as a command for all servers. */
class TestFinder implements ServerFinder {
  readonly name = "redis-sentinel:shop@127.0.0.1:1";
  isUp = true;
  readonly server = "";
  timeout = 10_000;
  readonly sent: string[] = [];
  readonly turns: string[] = [];
  answer: () => BackendOutcome = () => OK;

  start(): void {}
  stop(): void {}

  routeOf([argv]: readonly Argv[]) {
    const run = async () => this.#send(argv as Argv);
    return argv?.[0] === "FLUSHALL" ? ({ kind: "broadcast", isBarrier: true, run } as const) : 0;
  }

  linkFor(): RedisLink {
    const link = { address: { host: "::1", port: 1 }, send: async (argv: Argv) => this.#send(argv) };
    return link as unknown as RedisLink;
  }

  redirected({ kind }: { readonly kind: string }): void {
    this.turns.push(kind);
  }

  checkedRedirection(): null {
    return null;
  }

  reasonFor(): string {
    return "";
  }

  #send(argv: Argv): BackendOutcome {
    this.sent.push(argv[0] as string);
    return this.answer();
  }
}

function backendWith(finder: ServerFinder): RedisGroupBackend {
  return new RedisGroupBackend(finder, realEnvironment);
}

test("commands after a write for all servers wait for that write, even while a server is down", async () => {
  const finder = new TestFinder();
  const backend = backendWith(finder);
  finder.isUp = false;
  const all = [backend.execute(["FLUSHALL"]), backend.execute(["SET", "a", "1"])];
  await new Promise(setImmediate);
  finder.isUp = true;
  assert.deepEqual(await Promise.all(all), [OK, OK]);
  assert.deepEqual(finder.sent, ["FLUSHALL", "SET"]);
});

test("a connection that accepts nothing, and is not closed yet, does not block the daemon", async () => {
  const finder = new TestFinder();
  finder.timeout = 500;
  finder.answer = () => DOWN;
  const outcome = backendWith(finder).execute(["SET", "a", "1"]);
  await new Promise(setImmediate);
  assert.equal(finder.sent.length, 1);
  finder.answer = () => OK;
  assert.deepEqual(await outcome, OK);
});

test("a command that announces more keys than it contains does not use memory for them", () => {
  const most = "99999999999999999999";
  for (const argv of [
    ["eval", "return 1", most, "a"],
    ["ZUNIONSTORE", "d", most, "a"],
    ["LMPOP", most, "a"],
  ])
    assert.deepEqual(keysOf(argv), []);
  assert.deepEqual(keysOf(["EVAL", "return 1", "2", "a", "b", "c"]), ["a", "b"]);
});

test("a script's own redirection error is returned as an answer", async () => {
  const finder = new TestFinder();
  const redirection = error("READONLY You can't write against a read only replica.");
  finder.answer = () => redirection;
  assert.deepEqual(await backendWith(finder).execute(["EVAL", "return", "0"]), redirection);
  assert.deepEqual([finder.sent.length, finder.turns], [1, []]);
});
