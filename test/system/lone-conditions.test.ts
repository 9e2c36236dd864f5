/**
 * Tests that a daemon without members decides on conditions in the order of arrival, whatever dates the clients use,
 * and that no client receives an error for its date. The rules themselves are tested in
 * test/daemon/timeline/lone-conditions.test.ts.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Client } from "../../client/public-api.js";
import { runPhp } from "../examples/php-script.js";
import { PYTHON, runPython } from "../python/running.js";
import { amount } from "../support/amount.js";
import type { DaemonHere } from "../support/daemon-here.js";
import { EnvelopeClient } from "../support/envelope-client.js";
import { RedisConnection } from "../support/redis-connection.js";
import { skipWithout } from "../support/requirements.js";
import { ScratchFolder } from "../support/scratch-folder.js";
import { startSidecar } from "../support/start-sidecar.js";
import { Trio } from "../support/trio.js";

/** How far ahead of the daemon's clock another client dates its writes: less than the window (5 s). */
const AHEAD_MS = [1000, 4000, 4900];
const CLIENTS = amount(8, 20);
const CALLS = amount(20, 100);

let folder: ScratchFolder;
let lone: Trio;
let sidecar: DaemonHere;
let fast: EnvelopeClient;
let client: Client;
let keyFile: string;
let keys = 0;

before(async () => {
  folder = new ScratchFolder();
  lone = await Trio.start(["--resp", "0"], 1, { keys: "app", arePeers: false, areHere: true });
  keyFile = folder.privateKey(lone.app);
  sidecar = await startSidecar(keyFile, lone.servers, ["--resp", "0"]);
  fast = await EnvelopeClient.open(lone.ports[0] ?? 0, lone.app);
  await fast.hello(0);
  client = lone.client();
});
after(async () => {
  await client?.close();
  fast?.[Symbol.dispose]();
  await sidecar?.[Symbol.asyncDispose]();
  await lone?.[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

/** Returns a key that is absent, but was written with a date ahead of the daemon's clock. */
async function absentKey(ahead: number): Promise<string> {
  const key = `key:${keys++}`;
  const { clock } = await fast.hello(0);
  await fast.replies(
    [
      ["SET", key, "early"],
      ["DEL", key],
    ],
    { at: clock + ahead, seq: keys },
  );
  return key;
}

/** The clients, each with a command on a key that is absent. All answer what the daemon answers. */
const CLIENTS_OF: Readonly<Record<string, { skip?: string | false; call: typeof callSigned }>> = {
  "a client in JavaScript": { call: callSigned },
  "a Redis client of a sidecar": { call: (words) => callRedis(sidecar, words) },
  "a Redis client of the daemon": { call: (words) => callRedis(lone.daemon(0) as DaemonHere, words) },
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

async function callSigned(words: readonly string[]): Promise<unknown> {
  await using own = lone.client();
  return await own.call([...words]);
}

async function callRedis(daemon: DaemonHere, words: readonly string[]): Promise<unknown> {
  using line = await RedisConnection.open(await daemon.portOf("Redis clients"));
  return await line.value(...words);
}

for (const [name, { call, skip = false }] of Object.entries(CLIENTS_OF))
  test(`${name} gets a lock whose key was written ahead of its clock`, { skip }, async () => {
    for (const ahead of AHEAD_MS) {
      const key = await absentKey(ahead);
      assert.equal(await call(["SET", key, "mine", "NX"]), "OK", `${ahead} ms`);
      assert.equal(await call(["SET", key, "second", "NX"]), null, `${ahead} ms`);
      assert.equal(await client.call(["GET", key]), "mine");
    }
  });

test("units with if are applied although their keys were written ahead of the client's clock", async () => {
  for (const ahead of AHEAD_MS) {
    const key = await absentKey(ahead);
    await using own = lone.client();
    const write = () => own.multi([["SET", key, "mine"]], { if: [{ key, writer: null }] });
    assert.deepEqual(await write(), ["OK"], `${ahead} ms`);
    assert.equal(await write(), null, `${ahead} ms`);
  }
});

test("of two envelopes with opposite dates, the first to arrive is applied, also if both arrive together", async () => {
  const { clock } = await fast.hello(0);
  for (const [gap, isTogether] of [1, 4000].flatMap((ms) => [[ms, false] as const, [ms, true] as const])) {
    const key = `key:${keys++}`;
    const [later, earlier] = [gap, 0].map((ms) =>
      fast.sign([["SET", key, `${ms}`, "NX"]], { at: clock + ms, seq: keys }),
    );
    assert.ok(later !== undefined && earlier !== undefined);
    const answers = isTogether
      ? [await fast.exchange(later.frame + earlier.frame), await fast.next()]
      : [await fast.exchange(later.frame), await fast.exchange(earlier.frame)];
    const replies = answers.map((one) => (one?.kind === "result" ? one.replies[0]?.kind : one?.kind));
    assert.deepEqual(replies, ["status", "nil"], `${gap} ms`);
    assert.deepEqual(
      await fast.exchange(earlier.frame).then((one) => one.kind === "result" && one.replies[0]?.kind),
      "nil",
      "a copy is answered differently",
    );
    assert.equal(await client.call(["GET", key]), `${gap}`);
  }
});

test("a refusal for its date names the newest write", async () => {
  const key = await absentKey(2000);
  const { clock } = await fast.hello(0);
  const refusal = await fast.ask([["SET", key, "mine", "NX"]], { at: clock });
  assert.ok(refusal.kind === "refused" && refusal.code === "too-old" && refusal.newest !== undefined);
  assert.equal(refusal.effect, "not-applied");
  const { at, seq } = refusal.newest;
  assert.equal((await fast.replies([["SET", key, "mine", "NX"]], { at, seq: seq + 1 }))[0]?.kind, "status");
});

test("an answer that a condition does not hold is as final as stable requires", async () => {
  const key = `key:${keys++}`;
  await client.call(["SET", key, "first"]);
  assert.equal(await client.call(["SET", key, "second", "NX"], { replicated: 1 }), null);
});

test("many clients that compete for a lock receive no error, and each holds it alone", async () => {
  const lock = `key:${keys++}`;
  const clients = Array.from({ length: CLIENTS }, () => lone.client());
  const holders = new Set<number>();
  let held = 0;
  try {
    await Promise.all(
      clients.map(async (own, index) => {
        for (let i = 0; i < CALLS; i++) {
          if ((await own.call(["SET", lock, `${index}`, "NX"])) === null) continue;
          holders.add(index);
          held++;
          assert.equal(holders.size, 1, "two clients hold the lock");
          assert.equal(await own.call(["GET", lock]), `${index}`);
          holders.delete(index);
          assert.equal(await own.call(["DEL", lock]), 1);
        }
      }),
    );
  } finally {
    await Promise.all(clients.map((own) => own.close()));
  }

  assert.ok(held > 1, "the lock is never released");
});
