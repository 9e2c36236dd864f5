/**
 * Tests which envelopes of the clients in PHP and Python request a decision of the members, and how a call ends then:
 * as with createClient. Fake daemons record what they receive.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createClient } from "../../client/public-api.js";
import type { Policy } from "../../client/shared/policy.js";
import { bodyOf, readBody } from "../../protocol/version-2/envelope.js";
import { writeSigned } from "../../protocol/version-2/envelope-body.js";
import { readClientMessage } from "../../protocol/version-2/messages-v2.js";
import { keyFile, PYTHON, runPython } from "../python/running.js";
import {
  type Answering,
  CLUSTER,
  type FakeV2,
  fakeV2,
  hello,
  refused,
  result,
} from "../support/fake-daemon-v2.js";
import { skipWithout } from "../support/requirements.js";
import type { Resp } from "../support/v2-vectors/scene.js";
import { runPhp } from "./running.js";

/** Milliseconds that are longer than a call takes on a busy machine. */
const CALL_MS = 20_000;
const key = keyFile("ed25519", "private");

/** A call: one command, or with `isMulti` a unit of it. A policy of null is not named. */
interface Call {
  readonly words: readonly string[];
  readonly policy: Policy | null;
  readonly isMulti: boolean;
}

const COMMANDS = [
  ["SET", "k", "v", "NX"],
  ["set", "k", "v", "px", "1000", "xx"],
  ["SET", "k", "v"],
  ["SET", "NX", "XX"],
  ["SET", "k", "v", "NX", "XX"],
  ["SET", "k", "v", "NX", "GET"],
  ["SETNX", "k", "v"],
  ["hsetnx", "h", "f", "GET"],
  ["MSETNX", "a", "1", "b", "2"],
  ["ZADD", "z", "NX", "1", "m"],
  ["GET", "NX"],
];
const CALLS: readonly Call[] = [
  ...COMMANDS.map((words) => ({ words, policy: null, isMulti: false })),
  ...(["majority", "first", "all", "all-equal", 1] as const).map((policy) => ({
    words: ["SETNX", "k", String(policy)],
    policy,
    isMulti: false,
  })),
  { words: ["SETNX", "k", "v"], policy: null, isMulti: true },
];

const answering: Answering = ({ id }) => result(id, ":1\r\n");
const unitOf: Answering = ({ id }) => result(id, "*1\r\n:1\r\n");
const greeting = (knows: string) => () => hello(Date.now(), CLUSTER, "2", knows);

/** Returns what the daemon has received: commands, and whether their envelope requests a decision. */
function received({ messages }: FakeV2): unknown[] {
  return messages.flatMap((payload) => {
    const message = readClientMessage(payload);
    if (message.kind !== "command") return [];
    const body = Buffer.from(message.body);
    const envelope = readBody(body);
    assert.deepEqual(bodyOf(writeSigned(envelope, envelope.commands)), body, "createClient's bytes");
    return [[envelope.commands, envelope.decide]];
  });
}

/** Runs calls one after the other in a client. */
type Caller = (servers: readonly string[], calls: readonly Call[]) => Promise<unknown>;

async function inNode(servers: readonly string[], calls: readonly Call[]): Promise<void> {
  const client = createClient({ servers, key, timeout: CALL_MS });
  for (const { words, policy, isMulti } of calls) {
    const options = policy === null ? {} : { policy };
    await (isMulti ? client.multi([[...words]], options) : client.call([...words], options));
  }
  await client.close();
}

const inPhp: Caller = async (servers, calls) =>
  await runPhp(
    `$client = new Dbsync\\Client(['signkey' => '${key}', 'servers' => '${servers.join()}']);
    foreach (json_decode(stream_get_contents(STDIN), true) as $call) {
      $options = $call['policy'] === null ? [] : ['policy' => $call['policy']];
      $call['isMulti'] ? $client->multi([$call['words']], $options) : $client->call($call['words'], $options);
    } $result = true`,
    { input: JSON.stringify(calls) },
  );

const inPython =
  (kind: "blocking" | "asyncio"): Caller =>
  async (servers, calls) =>
    await runPython(
      `
import asyncio
from dbsync import AsyncClient, Client
options = {"servers": given["servers"], "key": given["key"], "timeout": ${CALL_MS / 1000}}
def sent(client, call):
    if call["isMulti"]:
        return client.multi([call["words"]], policy=call["policy"])
    return client.call(*call["words"], policy=call["policy"])
async def run():
    async with AsyncClient(**options) as client:
        for call in given["calls"]:
            await sent(client, call)
if given["kind"] == "asyncio":
    asyncio.run(run())
else:
    with Client(**options) as client:
        for call in given["calls"]:
            sent(client, call)
print(json.dumps(True))
`,
      { servers, key, calls, kind },
    );

const CALLERS: readonly (readonly [string, Caller, string | false])[] = [
  ["PHP", inPhp, skipWithout("php")],
  ["Python", inPython("blocking"), skipWithout(PYTHON)],
  ["Python with asyncio", inPython("asyncio"), skipWithout(PYTHON)],
];

async function requestsOf(caller: Caller, knows: string): Promise<unknown[]> {
  const parts = [CALLS.filter(({ isMulti }) => !isMulti), CALLS.filter(({ isMulti }) => isMulti)];
  const requests: unknown[] = [];
  for (const [part, answer] of [answering, unitOf].entries()) {
    await using daemon = await fakeV2(greeting(knows), answer);
    await caller([daemon.address], parts[part] as Call[]);
    requests.push(...received(daemon));
  }
  return requests;
}

for (const [name, caller, skip] of CALLERS)
  describe(`decisions that ${name} requests`, { skip }, () => {
    test("are those that createClient requests, in the same bytes", async () => {
      const due = await requestsOf(inNode, "signed decisions");
      const decided = due.filter((request) => (request as [unknown, boolean])[1]).length;
      assert.ok(decided > 5 && decided < due.length - 5, `${decided} of ${due.length}`);
      assert.deepEqual(await requestsOf(caller, "signed decisions"), due);
    });

    test("are none if no daemon has announced that members decide", async () => {
      const requests = await requestsOf(caller, "signed");
      assert.equal(requests.length, CALLS.length);
      for (const [commands, decide] of requests as [string[][], boolean][])
        assert.equal(decide, false, commands.join());
    });
  });

test("PHP requests decisions as soon as one of its daemons has announced them", {
  skip: skipWithout("php"),
}, async () => {
  await using member = await fakeV2(greeting("signed decisions"), answering);
  await using starting = await fakeV2(greeting("signed"), answering);
  await runPhp(`$client = new Dbsync\\Client(['signkey' => '${key}']);
    $client->call('PING', ['servers' => '${member.address}']);
    $result = $client->call('SETNX k v', ['servers' => '${starting.address}'])`);
  assert.deepEqual(received(starting), [[[["SETNX", "k", "v"]], true]]);
});

test("Python requests decisions after a daemon has announced them once", {
  skip: skipWithout(PYTHON),
}, async () => {
  let greetings = 0;
  const greet = () => greeting(greetings++ === 0 ? "signed decisions" : "signed")();
  await using daemon = await fakeV2(greet, (envelope, socket) => {
    setImmediate(() => socket.end());
    return answering(envelope, socket);
  });

  const code = `
import time
from dbsync import Client
with Client(given["server"], given["key"], timeout=${CALL_MS / 1000}) as client:
    for name in ("a", "b", "c"):
        client.setnx(name, 1)
        while client._background.fleet.links[0].state == "speaking":
            time.sleep(0.001)
print(json.dumps(True))`;

  await runPython(code, { server: daemon.address, key });
  assert.equal(greetings, 3);
  // The client has signed the last command after the second hello.
  assert.deepEqual(
    received(daemon),
    ["a", "b", "c"].map((name) => [[["SETNX", name, "1"]], true]),
  );
});

/** Starts three daemons, which answer a call in these ways. */
async function three(answers: readonly Answering[]) {
  const daemons = await Promise.all(answers.map((answer) => fakeV2(greeting("signed decisions"), answer)));
  return {
    servers: daemons.map(({ address }) => address),
    [Symbol.asyncDispose]: async () => {
      for (const daemon of daemons) await daemon[Symbol.asyncDispose]();
    },
  };
}

const cannot: Answering = ({ id }) => refused(id, "cannot-decide", Date.now());
const undecided: Answering = ({ id }) => refused(id, "undecided", Date.now(), "unknown");
const zero: Answering = ({ id }) => result(id, ":0\r\n");

const OUTCOMES: readonly (readonly [string, readonly Answering[], string | number])[] = [
  ["the outcome of a majority", [zero, answering, answering], 1],
  ["the outcome of a majority without the refusing daemon", [cannot, zero, zero], 0],
  ["an unknown effect if one daemon has the decision", [cannot, answering, cannot], "unknown"],
  ["an unknown effect if the members did not decide in time", [undecided, cannot, cannot], "unknown"],
  ["no effect if each daemon refuses it", [cannot, cannot, cannot], "not-applied"],
];

for (const [what, answers, due] of OUTCOMES) {
  test(`PHP reports ${what}`, { skip: skipWithout("php") }, async () => {
    await using daemons = await three(answers);
    const [value, text] =
      (await runPhp(`$client = new Dbsync\\Client(['signkey' => '${key}', 'servers' => '${daemons.servers.join()}']);
      try { $result = [$client->call('SETNX k v'), '']; }
      catch (Dbsync\\Failure $failure) { $result = [$failure->effect, $failure->getMessage()]; }`)) as [
        string | number,
        string,
      ];
    assert.equal(value, due);
    if (typeof due === "string") assert.match(text, /: (cannot-decide|undecided): Because\./);
  });

  test(`Python reports ${what}`, { skip: skipWithout(PYTHON) }, async () => {
    await using daemons = await three(answers);
    const code = `
from dbsync import Client, DbsyncError
with Client(given["servers"], given["key"], timeout=${CALL_MS / 1000}) as client:
    try:
        print(json.dumps([client.call("SETNX", "k", "v"), ""]))
    except DbsyncError as error:
        print(json.dumps([error.effect, str(error)]))`;
    const [value, text] = (await runPython(code, { servers: daemons.servers, key })) as [
      string | number,
      string,
    ];
    assert.equal(value, due);
    if (typeof due === "string") assert.match(text, /(cannot-decide|undecided): Because\./);
  });
}

test("a batch of Python has an envelope for each command on which members decide, in its order", {
  skip: skipWithout(PYTHON),
}, async () => {
  await using daemon = await fakeV2(greeting("signed decisions"), ({ id }) => {
    const message = readClientMessage(daemon.messages.at(-1) as Buffer);
    assert.equal(message.kind, "command");
    const count = readBody(Buffer.from(message.body)).commands.length;
    const answer = result(id, ":1\r\n") as Resp[];
    return [...answer, ...Array.from({ length: count - 1 }, () => answer.slice(-2)).flat()];
  });

  const code = `
from dbsync import Client, DbsyncError
words = [["SET", "a", 1], ["INCR", "a"], ["SETNX", "b", 1], ["SET", "c", 1, "XX"], ["INCR", "d"]]
with Client(given["server"], given["key"], timeout=${CALL_MS / 1000}) as client:
    replies = client.batch(words)
    first = client.using(policy="first").batch(words)
print(json.dumps([replies, first]))`;

  const replies = await runPython(code, { server: daemon.address, key });
  assert.deepEqual(replies, [
    [1, 1, 1, 1, 1],
    [1, 1, 1, 1, 1],
  ]);

  const [a, incr, b, c, d] = [
    ["SET", "a", "1"],
    ["INCR", "a"],
    ["SETNX", "b", "1"],
    ["SET", "c", "1", "XX"],
    ["INCR", "d"],
  ];
  assert.deepEqual(received(daemon), [
    [[a, incr], false],
    [[b], true],
    [[c], true],
    [[d], false],
    [[a, incr, b, c, d], false],
  ]);
});
