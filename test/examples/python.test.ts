/**
 * examples/python/dbsync.py, which was written from docs/protocol-v2.md alone: against test/vectors/v2, and against
 * dbsyncd. That the two understand each other shows that the page is enough.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { some } from "../support/amount.js";
import { type DaemonProcess, startDaemon } from "../support/daemon-process.js";
import { repositoryRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirements.js";
import { type Ended, run } from "../support/run-program.js";
import { startThief, THEFTS } from "../support/thief.js";
import { readVectors, vectorFolder } from "../support/v2-vectors/vector.js";
import { deadAddress } from "./fake-daemon.js";
import { fakeV2, hello, result } from "./fake-daemon-v2.js";

const PYTHON = "/usr/bin/python3";
const FILE = join(repositoryRoot, "examples", "python", "dbsync.py");
const skip = skipWithout(PYTHON);
/** Seconds for each step; a busy machine may need some of it. */
const PATIENT = ["--timeout", "60"];
const env = { PYTHONDONTWRITEBYTECODE: "1", PYTHONPATH: join(repositoryRoot, "examples", "python") };

const vectors = readVectors();
const keyFile = (name: string, half: "private" | "public") => {
  const key = vectors.keys.find((each) => each.name === name);
  assert.ok(key);
  return join(vectorFolder, half === "private" ? key.privateFile : key.publicFile);
};

/** Runs Python code that begins with dbsync.py imported and `given` at hand; what it prints must be JSON. */
async function runPython(code: string, given: unknown = null): Promise<unknown> {
  const script = `import json, sys\nfrom dbsync import *\ngiven = json.load(sys.stdin)\n${code}\n`;
  const ended = await run(PYTHON, ["-c", script], { env, input: JSON.stringify(given) });
  assert.equal(ended.code, 0, ended.stderr);
  return JSON.parse(ended.stdout);
}

describe("dbsync.py and the vectors", { skip }, () => {
  test("It writes and signs every good envelope byte for byte", async () => {
    const made = await runPython(
      `
h = bytes.fromhex
signers = {name: Signer(open(file, "rb").read()) for name, file in given["files"].items()}
made = []
for vector in given["good"]:
    header = []
    for name, value in vector["header"].items():
        if name == "if":
            value = [part for each in value for part in (each["db"], h(each["key"]), h(each["writer"]))]
        elif name == "multi":
            value = "1"
        elif isinstance(value, str):
            value = h(value)
        header.append((name, value))
    body = write_body(header, [[h(part) for part in command] for command in vector["commands"]])
    signed, signer = signed_bytes(body), signers[vector["key"]]
    assert signer.id.hex() == vector["header"]["key"]
    made.append([body.hex(), hashlib.sha256(signed).hexdigest(), signer.sign(signed).hex()])
print(json.dumps(made))
`,
      {
        good: vectors.good,
        files: Object.fromEntries(vectors.keys.map(({ name }) => [name, keyFile(name, "private")])),
      },
    );
    assert.deepEqual(
      made,
      vectors.good.map(({ body, id, signature }) => [body, id, signature]),
    );
  });

  test("It reads every message of a daemon to its end, and none with a byte more", async () => {
    const payloads = vectors.messages.map(({ payload }) => payload);
    const read = await runPython(
      `
def elements(payload):
    try:
        return len(read_message(bytes.fromhex(payload)))
    except ProtocolError:
        return None
print(json.dumps([[elements(each), elements(each + "00")] for each in given]))
`,
      payloads,
    );
    const counts = payloads.map((payload) =>
      Number(/^\*(\d+)/.exec(Buffer.from(payload, "hex").toString())?.[1]),
    );
    assert.deepEqual(
      read,
      counts.map((count) => [count, null]),
    );
  });
});

describe("dbsync.py and dbsyncd", { skip }, () => {
  let daemons: DaemonProcess[];
  let servers: string[];

  before(async () => {
    const keys = ["rsa2048", "ed25519"].flatMap((name) => ["-s", keyFile(name, "public")]);
    daemons = await Promise.all([0, 1, 2].map(() => startDaemon(keys)));
    servers = daemons.map(({ port }) => `127.0.0.1:${port}`);
  });
  after(() => Promise.all(daemons.map((daemon) => daemon[Symbol.asyncDispose]())));

  const cli = (args: readonly string[], at = servers, key = "ed25519"): Promise<Ended> =>
    run(PYTHON, [FILE, ...PATIENT, "--key", keyFile(key, "private"), "--servers", at.join(","), ...args], {
      env,
    });

  /** With `client` at hand, of all servers. */
  const withClient = (code: string) =>
    runPython(`client = Client(given["servers"], given["key"], timeout=60)\n${code}\nclient.close()`, {
      servers,
      key: keyFile("ed25519", "private"),
    });

  for (const key of ["rsa2048", "ed25519"]) {
    test(`A command signed by ${key} is applied once by each of three daemons`, async () => {
      assert.deepEqual(await cli(["INCR", `counter-${key}`], servers, key), {
        code: 0,
        stdout: "1\n",
        stderr: "",
      });
      for (const server of servers) {
        assert.equal((await cli(["GET", `counter-${key}`], [server], key)).stdout, "1\n");
      }
    });
  }

  test("Blanks, empty strings and every byte go through", async () => {
    const value = await withClient(`
everything = bytes(range(256))
client.call("SET", "all bytes", everything)
client.call("SET", "", "")
same = client.call("GET", "all bytes") == everything and client.call("GET", "") == b""
print(json.dumps([same, client.call("GET", "absent"), client.call("LRANGE", "absent", 0, -1)]))`);
    assert.deepEqual(value, [true, null, []]);
  });

  test("A command's error ends the program with 1, a refusal with 2", async () => {
    const wrong = await cli(["NOSUCH"]);
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /^\(error\) ERR unknown command/);
    const stranger = await cli(["PING"], servers, "stranger");
    assert.equal(stranger.code, 2);
    assert.match(stranger.stderr, /unknown-key: .*\(not applied\)/);
    const elsewhere = await cli(["--cluster", "00".repeat(32), "PING"]);
    assert.equal(elsewhere.code, 2);
    assert.match(elsewhere.stderr, /this is the cluster [0-9a-f]{64} \(not applied\)/);
  });

  test("A daemon that is down and one that hangs change nothing for the caller", async () => {
    const [hung, alive] = daemons as [DaemonProcess, DaemonProcess];
    const cluster = hung.log.find(({ msg }) => msg === "listening")?.["cluster"] as string;
    const first = servers[0] as string;
    hung.kill("SIGSTOP");
    const set = await cli(
      ["--cluster", cluster, "--timeout", "10", "SET", "k", "v"],
      [await deadAddress(), first, `127.0.0.1:${alive.port}`],
    );
    hung.kill("SIGCONT");
    assert.deepEqual(set, { code: 0, stdout: "OK\n", stderr: "" });
  });

  test("Several commands are one envelope: a unit each, or with multi one", async () => {
    const answers = await withClient(`
batch = client.submit([["SET", "n", "1"], ["LPUSH", "n", "x"], ["INCR", "n"]]).replies
multi = client.submit([["INCR", "n"], ["INCR", "n"]], multi=True).replies
print(json.dumps([[str(reply) for reply in batch], multi]))`);
    assert.deepEqual(answers, [
      ["OK", "WRONGTYPE Operation against a key holding the wrong kind of value", "2"],
      [[3, 4]],
    ]);
  });

  test("Conditions hold or do not: the last writer is asked, named, and then another one", async () => {
    const answers = await withClient(`
client.call("SET", "guarded", "1")
writer = client.call("WRITERS", "guarded")[0]
taken = client.submit([["INCR", "guarded"]], conditions=[(0, "guarded", writer)])
unmet = client.submit([["INCR", "guarded"]], conditions=[(0, "guarded", writer)])
print(json.dumps([len(writer), taken.replies, taken.flags, unmet.replies, unmet.flags]))`);
    assert.deepEqual(answers, [36, [2], [[]], [null], [["unmet"]]]);
  });

  test("Databases are apart", async () => {
    const answers = await withClient(`
client.call("SET", "where", "seven", db=7)
print(json.dumps([client.call("GET", "where"), client.call("GET", "where", db=7).decode()]))`);
    assert.deepEqual(answers, [null, "seven"]);
  });

  test("A clock that jumps is corrected by the refusal, and the command signed anew", async () => {
    const answers = await withClient(`
answers = [client.call("INCR", "jumps")]
for seconds in (3600, -3600):
    client.clock.now = lambda: time.time_ns() // 1_000_000 + 1000 * seconds
    answers.append(client.call("INCR", "jumps"))
print(json.dumps(answers))`);
    assert.deepEqual(answers, [1, 2, 3]);
  });

  test("Who has seen an answer writes after it, whatever the own clock says", async () => {
    const dates = await withClient(`
dates = []
for behind in range(20):
    client.clock.date()
    client.clock.newest = (client.clock.used[0] + 1000, 7)
    dates.append(client.clock.date())
    client.clock.newest = (0, 0)
print(json.dumps([dates == sorted(dates), len(set(dates)), dates[-1][0] - client.clock.now() <= 4100]))`);
    assert.deepEqual(dates, [true, 20, true]);
  });

  test("Servers of different clusters are told apart before anything is signed", async () => {
    await using other = await startDaemon(["-s", keyFile("ed25519", "public")]);
    const ended = await cli(["PING"], [servers[0] as string, `127.0.0.1:${other.port}`]);
    assert.equal(ended.code, 2);
    assert.match(ended.stderr, /the servers are of different clusters \(not applied\)/);
  });

  test("A daemon beside peers, or with a folder, whose hello has an element more, is understood", async () => {
    const folder = await mkdtemp(join(tmpdir(), "dbsync-python-"));
    try {
      await using recording = await startDaemon(["-s", keyFile("ed25519", "public"), "--data", folder]);
      const ended = await cli(["SET", "k", "v"], [`127.0.0.1:${recording.port}`]);
      assert.deepEqual(ended, { code: 0, stdout: "OK\n", stderr: "" });
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("A hello of a later version, with more elements, is understood", async () => {
    await using daemon = await fakeV2(
      () => [...(hello(Date.now()) as string[]), "2", "later"],
      ({ id }) => result(id, "+OK\r\n"),
    );
    assert.equal((await cli(["PING"], [daemon.address])).stdout, "OK\n");
  });

  test("A hello that closes is followed by another one before that daemon is given up", async () => {
    let greetings = 0;
    await using daemon = await fakeV2(
      () => (greetings++ === 0 ? null : hello(Date.now())),
      ({ id }) => result(id, "+OK\r\n"),
    );
    assert.equal((await cli(["PING"], [daemon.address])).stdout, "OK\n");
    assert.equal(greetings, 2);
  });

  for (const theft of some(THEFTS)) {
    test(`A thief who ${theft} gets nothing of version 1, and the error says what that can be`, async () => {
      await using thief = await startThief(theft);
      const ended = await cli(["SET", "secret", "1"], [thief.address], "rsa2048");
      assert.equal(ended.code, 2);
      assert.match(
        ended.stderr,
        /speaks version 1 only, .* or somebody hides version 2 from you \(not applied\)/,
      );
      assert.equal((await cli(["PING"], [thief.address, servers[0] as string], "rsa2048")).stdout, "PONG\n");
      assert.deepEqual(thief.taken, []);
    });
  }

  test("A daemon without keys, and nobody at all, are said to be so", async () => {
    await using plain = await startDaemon([]);
    assert.match(
      (await cli(["PING"], [`127.0.0.1:${plain.port}`])).stderr,
      /the daemon has no keys.*\(not applied\)/,
    );
    assert.match((await cli(["PING"], [await deadAddress()])).stderr, /refused.*\(not applied\)/i);
  });
});
