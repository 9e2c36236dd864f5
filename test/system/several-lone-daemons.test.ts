/**
 * Tests that daemons without `--peer` end in the same state if all of them receive all writes of a client that names
 * several of them, in whatever order: none of them then decides alone on conditions. The rule for clients that name one
 * daemon is tested in test/system/lone-conditions.test.ts.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { ByteString } from "../../protocol/byte-string.js";
import { runPhp } from "../examples/php-script.js";
import { PYTHON, runPython } from "../python/running.js";
import { EnvelopeClient } from "../support/envelope-client.js";
import { skipWithout } from "../support/requirements.js";
import { ScratchFolder } from "../support/scratch-folder.js";
import { Trio } from "../support/trio.js";

/** How far ahead of the daemons' clocks another client dates its writes: less than the window (5 s). */
const AHEAD_MS = 3000;

let folder: ScratchFolder;
let lone: Trio;
let lines: readonly EnvelopeClient[];
let keyFile: string;
let keys = 0;

before(async () => {
  folder = new ScratchFolder();
  lone = await Trio.start([], 2, { keys: "app", arePeers: false, areHere: true });
  keyFile = folder.privateKey(lone.app);
  lines = await Promise.all(lone.ports.map((port) => EnvelopeClient.open(port, lone.app)));
});
after(async () => {
  for (const line of lines ?? []) line[Symbol.dispose]();
  await lone?.[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

const CALLS: Readonly<
  Record<string, { skip?: string | false; call: (words: readonly string[]) => unknown }>
> = {
  "a client in JavaScript": {
    call: async (words) => {
      await using client = lone.client();
      return await client.call([...words]);
    },
  },
  "a program in PHP": {
    skip: skipWithout("php"),
    call: async (words) => {
      const given = JSON.stringify({ words, servers: lone.servers.join(), keyFile });
      return await runPhp(
        `$g = json_decode(stream_get_contents(STDIN)); $result = dbsync_call($g->words, ['servers' => $g->servers, 'signkey' => $g->keyFile])`,
        { input: given },
      );
    },
  },
  "a program in Python": {
    skip: skipWithout(PYTHON),
    call: async (words) =>
      await runPython(
        `from dbsync import Client
with Client(given["servers"], given["keyFile"], decode_responses=True) as client:
    print(json.dumps(client.call(*given["words"])))`,
        { words, servers: lone.servers, keyFile },
      ),
  },
};

/** Sends each daemon the same envelopes, in an order of its own. */
async function sendAll(frames: readonly ByteString[], line: EnvelopeClient): Promise<void> {
  for (const frame of frames) assert.equal((await line.exchange(frame)).kind, "result");
}

async function valuesOf(key: string): Promise<readonly unknown[]> {
  return await Promise.all(lines.map(async (line) => (await line.replies([["GET", key]]))[0]));
}

for (const [name, { call, skip = false }] of Object.entries(CALLS)) {
  test(`${name} that names two daemons: both end in the same state, in which its condition held`, {
    skip,
  }, async () => {
    const [first, second] = lines as [EnvelopeClient, EnvelopeClient];
    const key = `key:${keys++}`;
    const at = (await first.hello()).clock + AHEAD_MS;
    const later = [first.sign([["APPEND", key, "later"]], { at, seq: keys }).frame];
    await sendAll(later, second);
    assert.equal(await call(["SET", key, "mine,", "NX"]), "OK");
    await sendAll(later, first);
    for (const value of await valuesOf(key)) assert.deepEqual(value, { kind: "bulk", bytes: "mine,later" });
  });

  test(`${name} that names two daemons receives nil, also if one has a later write on the key`, {
    skip,
  }, async () => {
    const [first, second] = lines as [EnvelopeClient, EnvelopeClient];
    const key = `key:${keys++}`;
    const { clock } = await first.hello();
    const earlier = first.sign([["SET", key, "first"]], { at: clock - 1, seq: keys }).frame;
    const later = first.sign([["DEL", key]], { at: clock + AHEAD_MS, seq: keys }).frame;
    await sendAll([earlier], first);
    await sendAll([earlier, later], second);
    assert.equal(await call(["SET", key, "mine", "NX"]), null);
    await sendAll([later], first);
    for (const value of await valuesOf(key)) assert.deepEqual(value, { kind: "nil" });
  });
}

test("a unit with if is applied at both daemons, also if one has a later write on its key", async () => {
  const [first, second] = lines as [EnvelopeClient, EnvelopeClient];
  const [key, other] = [`key:${keys++}`, `other:${keys}`];
  const at = (await first.hello()).clock + AHEAD_MS;

  const later = [
    first.sign(
      [
        ["SET", key, "later"],
        ["DEL", key],
      ],
      { at, seq: keys },
    ).frame,
  ];
  await sendAll(later, second);

  await using client = lone.client();
  // The second daemon answers after a write that comes later, so there is no majority of answers. If it answers first,
  // the client does not wait for the other one.
  const unit = client.multi([["SET", other, "mine"]], { if: [{ key, writer: null }] });
  await assert.rejects(unit, { code: /^(late|too-few)-answers$/ });

  await sendAll(later, first);
  for (const value of await valuesOf(other)) assert.deepEqual(value, { kind: "bulk", bytes: "mine" });
});
