/**
 * The PHP and Python clients check their deadline while they decode an answer. A call with an answer of 20
 * MB of nils ends with `timeout`, not with a value long after the deadline. An answer of the same form with few nils
 * is returned as a value.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { PHP_FILE } from "../php/running.js";
import { PYTHON, env as pythonEnv } from "../python/running.js";
import { makeKeyPair } from "../support/envelope-client.js";
import { type FakeV2, fakeV2, hello, result } from "../support/fake-daemon-v2.js";
import { skipWithout } from "../support/requirements.js";
import { type Ended, run } from "../support/run-program.js";
import { ScratchFolder } from "../support/scratch-folder.js";

const FEW = 1_000;
/** The number of nils: 20 MB, and fewer than the documented limit of 4,194,304 elements. */
const MANY = 4_000_000;
/**
 * The timeout of a call in seconds. It is long enough for few nils on a busy machine, and too short for many nils on
 * an idle machine.
 */
const PATIENT = 20;
const HASTY = 0.5;

const nils = (count: number): string => `*${count}\r\n${"$-1\r\n".repeat(count)}`;

/** Starts a daemon that answers every envelope with nils. */
function nilsDaemon(count: number): Promise<FakeV2> {
  const answer = nils(count);
  return fakeV2(
    () => hello(Date.now()),
    ({ id }) => result(id, answer),
  );
}

const PHP = `require ${JSON.stringify(PHP_FILE)};
$client = new Dbsync\\Client(['timeout' => (float) getenv('TRIAL_SECONDS')]);
try { echo json_encode(['elements' => count($client->call(['LRANGE', 'k', 0, -1]))]); }
catch (Dbsync\\Failure $failure) { echo json_encode(['error' => $failure->getMessage()]); }`;

const PYTHON_CALLS: Readonly<Record<string, string>> = {
  Client: `from dbsync import Client
def call():
    with Client(servers, key, timeout=seconds) as client:
        return client.call("LRANGE", "k", 0, -1)`,
  AsyncClient: `import asyncio
from dbsync import AsyncClient
async def asking():
    async with AsyncClient(servers, key, timeout=seconds) as client:
        return await client.call("LRANGE", "k", 0, -1)
def call():
    return asyncio.run(asking())`,
};

const pythonScript = (call: string): string => `import json, os
from dbsync import TimedOut
servers, key, seconds = os.environ["DBSYNC_SERVERS"], os.environ["DBSYNC_SIGNKEY"], float(os.environ["TRIAL_SECONDS"])
${call}
try:
    print(json.dumps({"elements": len(call())}))
except TimedOut as problem:
    print(json.dumps({"error": str(problem), "stages": [each.stage for each in problem.outcomes]}))`;

interface Outcome {
  readonly elements?: number;
  readonly error?: string;
  readonly stages?: readonly string[];
}

function outcomeOf({ code, stdout, stderr }: Ended): Outcome {
  assert.equal(code, 0, stderr + stdout);
  return JSON.parse(stdout) as Outcome;
}

describe("an answer of 20 MB of nils", { timeout: 600_000 }, () => {
  async function ask(
    count: number,
    seconds: number,
    program: string,
    args: readonly string[],
    more: Readonly<Record<string, string>> = {},
  ): Promise<Outcome> {
    using folder = new ScratchFolder();
    await using daemon = await nilsDaemon(count);
    const env = {
      ...more,
      DBSYNC_SERVERS: daemon.address,
      DBSYNC_SIGNKEY: folder.privateKey(makeKeyPair("rsa")),
      TRIAL_SECONDS: String(seconds),
    };
    const answer = outcomeOf(await run(program, args, { env }));
    assert.ok(daemon.messages.length >= 2, "the daemon has received the command");
    return answer;
  }

  test("ends a call of the PHP client with timeout", { skip: skipWithout("php") }, async () => {
    const args = ["-d", "memory_limit=-1", "-r", PHP];
    assert.deepEqual(await ask(FEW, PATIENT, "php", args), { elements: FEW });
    const { elements, error } = await ask(MANY, HASTY, "php", args);
    assert.equal(elements, undefined, "the call returned a value after the deadline");
    assert.match(error ?? "", /timeout/);
  });

  for (const [name, call] of Object.entries(PYTHON_CALLS))
    test(`ends a call of Python's ${name} with TimedOut`, { skip: skipWithout(PYTHON) }, async () => {
      const args = ["-c", pythonScript(call)];
      assert.deepEqual(await ask(FEW, PATIENT, PYTHON, args, pythonEnv), { elements: FEW });
      const { elements, stages } = await ask(MANY, HASTY, PYTHON, args, pythonEnv);
      assert.equal(elements, undefined, "the call returned a value after the deadline");
      assert.deepEqual(stages, ["timeout"]);
    });
});
