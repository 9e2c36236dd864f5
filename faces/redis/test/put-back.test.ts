/**
 * Tests that elements are put back whose client has gone before their answer was written, because the disk was still
 * being written.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { notApplied } from "../../../daemon/engine/answers/request.js";
import { type LocalData, newLastWrite } from "../../../daemon/engine/backends/command-path.js";
import { commandTable } from "../../../daemon/store/command-table.js";
import type { Command } from "../../../daemon/store/rows/command-row.js";
import { array, bulk, error, integer, type Reply } from "../../../protocol/reply.js";
import { double } from "../../../test/support/double.js";
import type { RawClient } from "../../../test/support/raw-client.js";
import { until } from "../../../test/support/until.js";
import { Takings } from "../session/put-back.js";
import { PutBackRetries } from "../session/put-back-retries.js";
import type { RespServer } from "../session/resp-server.js";
import { type HeldScene, lines, startHeld, turns } from "./held-scene.js";

/** Commands that fill the database, commands that take from it, and a command that shows its content. */
const CASES: readonly (readonly [take: string, fill: string, show: string])[] = [
  ["LPOP k", "RPUSH k a b c", "LRANGE k 0 -1"],
  ["LPOP k 2", "RPUSH k a b c", "LRANGE k 0 -1"],
  ["RPOP k", "RPUSH k a b c", "LRANGE k 0 -1"],
  ["RPOP k 2", "RPUSH k a b c", "LRANGE k 0 -1"],
  ["RPOP k 3", "RPUSH k a b c", "LRANGE k 0 -1"],
  ["LMPOP 2 j k LEFT COUNT 2", "RPUSH k a b c", "LRANGE k 0 -1"],
  ["LMPOP 1 k right COUNT 2", "RPUSH k a b c", "LRANGE k 0 -1"],
  ["BLPOP j k 0", "RPUSH k a b c", "LRANGE k 0 -1"],
  ["BRPOP j k 0", "RPUSH k a b c", "LRANGE k 0 -1"],
  ["BLMPOP 0 2 j k LEFT COUNT 2", "RPUSH k a b c", "LRANGE k 0 -1"],
  ["BLMPOP 0 1 k RIGHT COUNT 2", "RPUSH k a b c", "LRANGE k 0 -1"],
  ["LPOP k\r\nRPOP k\r\nLPOP k 2", "RPUSH k a b c d e", "LRANGE k 0 -1"],
  ["SPOP k", "SADD k a", "SMEMBERS k"],
  ["SPOP k 3", "SADD k a b c", "SCARD k"],
  ["ZPOPMIN k", "ZADD k 0.1 a -inf b", "ZRANGE k 0 -1 WITHSCORES"],
  ["ZPOPMIN k 2", "ZADD k 0.1 a 1e30 b", "ZRANGE k 0 -1 WITHSCORES"],
  ["HELLO 3\r\nZPOPMAX k 2", "ZADD k 1 a 2 b", "ZRANGE k 0 -1 WITHSCORES"],
  ["ZMPOP 2 j k MAX COUNT 2", "ZADD k 1 a 2 b 3 c", "ZRANGE k 0 -1 WITHSCORES"],
  ["BZPOPMIN k 0", "ZADD k 1 a 2 b", "ZRANGE k 0 -1 WITHSCORES"],
  ["BZPOPMAX j k 0", "ZADD k 1 a 2 b", "ZRANGE k 0 -1 WITHSCORES"],
  ["BZMPOP 0 1 k MIN COUNT 3", "ZADD k 1 a 2 b", "ZRANGE k 0 -1 WITHSCORES"],
  [
    "SELECT 3\r\nLPOP k\r\nSELECT 0",
    "SELECT 3\r\nRPUSH k a b\r\nSELECT 0",
    "SELECT 3\r\nLRANGE k 0 -1\r\nSELECT 0",
  ],
];

/** The claims on lists, sets and sorted sets that store what they take in another key. */
const MOVES = ["LMOVE", "RPOPLPUSH", "BLMOVE", "BRPOPLPUSH"];

test("each command that takes elements for one client has a case", () => {
  const tried = new Set(CASES.flatMap(([take]) => take.split("\r\n").map((line) => line.split(" ")[0])));
  const missing = commandTable
    .all()
    .filter(({ group, isClaim }) => ["list", "set", "sortedset"].includes(group) && isClaim !== undefined)
    .filter(({ name }) => !tried.has(name) && !MOVES.includes(name));
  assert.deepEqual(
    missing.map(({ name }) => name),
    [],
  );
});

const PING = "+PONG\r\n";

/** Returns the answers to commands, which are followed by PING. */
async function ask(client: RawClient, commands: string): Promise<string> {
  client.send(lines(commands, "PING"));
  return await client.readTo(PING);
}

/** Lets writes complete while a function runs. */
async function unheld(scene: HeldScene, run: () => Promise<unknown>): Promise<void> {
  scene.storage.release();
  await run();
  scene.storage.hold();
}

/** Waits until the daemon has only one client. */
const untilGone = (watcher: RawClient) =>
  until("the daemon has seen that the client has gone", async () =>
    (await ask(watcher, "INFO clients")).includes("connected_clients:1\r\n"),
  );

for (const [take, fill, show] of CASES)
  test(`${take.replaceAll("\r\n", ", ")}: what it took is put back for a client that has gone`, async () => {
    await using scene = await startHeld();
    const watcher = await scene.open();
    await unheld(scene, () => ask(watcher, fill));
    const shown = await ask(watcher, show);
    const client = await scene.open();
    client.send(lines(take));
    await until("the command has run", () => scene.storage.pending > 0);
    client.socket.destroy();
    await untilGone(watcher);
    scene.storage.release();
    await until("all is put back", async () => (await ask(watcher, show)) === shown);
  });

test("a client that waits and has gone when it is served: the element is put back", async () => {
  await using scene = await startHeld();
  const [client, watcher] = [await scene.open(), await scene.open()];
  client.send(lines("BLPOP k 0"));
  await until("the client waits", async () =>
    (await ask(watcher, "INFO clients")).includes("blocked_clients:1\r\n"),
  );

  const writer = await scene.open();
  writer.send(lines("RPUSH k a b"));
  await until("the element is recorded", () => scene.storage.pending > 0);
  scene.storage.complete();
  await until("the client is being served", () => scene.storage.pending > 0);

  client.socket.end();
  assert.equal(await client.rest(), "");
  scene.storage.release();
  await until("it is put back", async () =>
    (await ask(watcher, "LRANGE k 0 -1")).startsWith("*2\r\n$1\r\na\r\n"),
  );
});

test("an element that was put back goes to the client that waits for one", async () => {
  await using scene = await startHeld();
  const [client, waiting] = [await scene.open(), await scene.open()];
  await unheld(scene, () => ask(waiting, "RPUSH k a"));
  client.send(lines("LPOP k"));
  await until("the command has run", () => scene.storage.pending > 0);
  waiting.send(lines("BLPOP k 0"));
  client.socket.end();
  assert.equal(await client.rest(), "");
  scene.storage.release();
  assert.equal(await waiting.readTo("a\r\n"), "*2\r\n$1\r\nk\r\n$1\r\na\r\n");
});

test("a member that was added again keeps its new score", async () => {
  await using scene = await startHeld();
  const [client, watcher, writer] = [await scene.open(), await scene.open(), await scene.open()];
  await unheld(scene, () => ask(watcher, "ZADD k 1 a 2 b"));

  client.send(lines("ZPOPMIN k 2"));
  await until("the command has run", () => scene.storage.pending > 0);
  writer.send(lines("ZADD k 5 a"));
  await turns();
  client.socket.end();
  assert.equal(await client.rest(), "");
  scene.storage.release();

  const expected = "*4\r\n$1\r\nb\r\n$1\r\n2\r\n$1\r\na\r\n$1\r\n5\r\n";
  await until("the other member is put back", async () =>
    (await ask(watcher, "ZRANGE k 0 -1 WITHSCORES")).startsWith(expected),
  );
});

test("nothing is put back for a client that is answered, discards its answers, or was answered before", async () => {
  await using scene = await startHeld();
  const [client, silent, watcher] = [await scene.open(), await scene.open(), await scene.open()];
  await unheld(scene, () => ask(watcher, "RPUSH k a b c"));
  client.send(lines("LPOP k"));
  silent.send(lines("CLIENT REPLY OFF", "LPOP k"));
  await until("a command has run", () => scene.storage.pending > 0);
  silent.socket.destroy();
  await turns();
  scene.storage.release();
  assert.equal(await client.readTo("a\r\n"), "$1\r\na\r\n");
  client.socket.destroy();
  await untilGone(watcher);
  assert.equal(await ask(watcher, "LRANGE k 0 -1"), `*1\r\n$1\r\nc\r\n${PING}`);
});

const NO_MAJORITY = error("NOTAPPLIED no majority");

test("elements are put back later if the daemon accepts no writes now, but not if it is unknown whether they are", async () => {
  const refused = [NO_MAJORITY, error("LOADING catching up"), integer(1)];
  for (const [replies, sent, warnings, isSidecar = false] of [
    [refused, 3, 0],
    [refused, 1, 1, true],
    [[error("MAYBEAPPLIED the members may have decided"), integer(1)], 1, 1],
    [[error("WRONGTYPE of another kind"), integer(1)], 1, 1],
    [Array(100).fill(NO_MAJORITY), 60, 1],
  ] as const) {
    const commands: string[] = [];
    const warned: string[] = [];
    const environment = {
      clock: () => 0,
      setTimer(_: number, step: () => void) {
        setImmediate(step);
        return () => {};
      },
    };
    const takings = new Takings(
      double<RespServer>({
        path: {
          localData: isSidecar ? null : double<LocalData>({}),
          execute: async (_, argv) => replies[commands.push(argv.join(" ")) - 1] as Reply,
        },
        environment,
        putBackRetries: new PutBackRetries(environment),
        host: { log: { warn: (_: object, message?: string) => void warned.push(String(message)) } },
      }),
    );

    const argv = ["BLPOP", "k", "0"];
    const sender = { db: 0, as: null, isStable: false, readsAll: true, now: 0, lastWrite: newLastWrite() };
    const taking = takings.begin(commandTable.resolve(argv) as Command, argv, sender);
    taking?.answered(array([bulk("k"), bulk("a")]));
    taking?.unwritten();
    await until("it is put back, or lost", () => commands.length >= sent && warned.length >= warnings);
    await turns();
    assert.deepEqual(commands, Array(sent).fill("LPUSH k a"));
    // After an unknown effect they may have been put back.
    assert.deepEqual(warned, Array(warnings).fill("elements of a client that has gone may be lost"));
  }
});

test("elements that the daemon has not put back when it stops are logged, and it does not try again", async (t) => {
  const scene = await startHeld();
  const watcher = await scene.open();
  await unheld(scene, () => ask(watcher, "RPUSH k a"));
  const client = await scene.open();
  client.send(lines("LPOP k"));
  await until("the command has run", () => scene.storage.pending > 0);

  const { gateway } = scene.node;
  assert.ok(gateway !== null);
  const refusal = notApplied("", { kind: "refused", code: "cannot-decide", detail: "no majority" });
  const puts = t.mock.method(gateway, "execute", async () => refusal);
  client.socket.destroy();
  await untilGone(watcher);
  scene.storage.release();
  await until("the daemon has refused", () => puts.mock.callCount() > 0);

  await scene[Symbol.asyncDispose]();
  const warned = scene.log.filter(({ level }) => level === "warn");
  assert.deepEqual(
    warned.map(({ msg }) => msg),
    ["elements of a client that has gone may be lost"],
  );
});

test("if the disk fails, nothing is put back", async () => {
  await using scene = await startHeld();
  const [client, watcher] = [await scene.open(), await scene.open()];
  await unheld(scene, () => ask(watcher, "RPUSH k a b"));
  client.send(lines("LPOP k"));
  await until("the command has run", () => scene.storage.pending > 0);
  client.socket.destroy();
  await untilGone(watcher);
  scene.storage.fail();
  await until("the command is undone", async () => (await ask(watcher, "LLEN k")).startsWith(":2\r\n"));
});
