/** examples/php/dbsync.php and version 2: which version is spoken to whom, keys, clusters, clocks, bad answers. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { FrameParser } from "../../protocol/frame.js";
import { type DaemonProcess, startDaemon } from "../support/daemon-process.js";
import { skipWithout } from "../support/requirements.js";
import { frame, type Resp, raw, resp } from "../support/v2-vectors/scene.js";
import { readVectors, vectorFolder } from "../support/v2-vectors/vector.js";
import { answer, type FakeDaemon, fakeDaemon } from "./fake-daemon.js";
import { runPhp, sendOne } from "./php-script.js";

const vectors = readVectors();
const keyFile = (name: string, half: "private" | "public") => {
  const key = vectors.keys.find((each) => each.name === name);
  assert.ok(key);
  return join(vectorFolder, half === "private" ? key.privateFile : key.publicFile);
};
const rsa = { "dbsync.signkey": keyFile("rsa2048", "private"), "dbsync.format": "text" };
const ed25519 = { "dbsync.signkey": keyFile("ed25519", "private"), "dbsync.format": "text" };
const CLUSTER = Buffer.alloc(32, 7).toString("latin1");

interface FakeV2 extends AsyncDisposable {
  readonly address: string;
  /** The messages that came. */
  readonly messages: Buffer[];
}

type Answering = (envelope: { id: string; number: number }, socket: Socket) => Resp | null;

const hello = (clock: number, cluster = CLUSTER, versions = "1 2"): Resp => [
  ...["hello", versions, "d".repeat(32), cluster, String(clock), "live", "daemon"],
];

/** A daemon of version 2 that checks nothing: it answers hellos, and envelopes as a test says. */
async function fakeV2(greeting: () => Resp, answering: Answering): Promise<FakeV2> {
  const sockets = new Set<Socket>();
  const messages: Buffer[] = [];
  let number = 0;
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {}).on("close", () => sockets.delete(socket));
    const parser = new FrameParser(1 << 20, 2);
    socket.on("data", (chunk) => {
      for (const payload of parser.push(chunk)) {
        messages.push(payload);
        const reply = payload.includes("hello\r\n")
          ? greeting()
          : answering(envelopeOf(payload, ++number), socket);
        if (reply !== null) socket.write(frame(resp(reply)));
      }
      if (parser.malformed !== null) socket.destroy();
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as { port: number };
  return {
    address: `127.0.0.1:${port}`,
    messages,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

function envelopeOf(payload: Buffer, number: number): { id: string; number: number } {
  const head = /^\*3\r\n\$7\r\ncommand\r\n\$(\d+)\r\n/.exec(payload.toString("latin1"));
  assert.ok(head);
  const body = payload.subarray(head[0].length, head[0].length + Number(head[1]));
  const length = Buffer.alloc(8);
  length.writeBigUInt64BE(BigInt(body.length));
  const id = createHash("sha256").update("dbsync2\0command\0").update(length).update(body).digest();
  return { id: id.toString("latin1"), number };
}

const result = (id: string, reply: string): Resp => {
  const now = String(Date.now());
  return ["result", id, "d".repeat(32), now, `${now} 0`, raw(reply), ""];
};

const refused = (id: string, code: string, clock: number, effect = "not-applied"): Resp => [
  ...["refused", id, code, "Because.", String(clock), effect],
];

describe("dbsync.php chooses a version", { skip: skipWithout("php"), concurrency: 2 }, () => {
  test("A daemon of version 2 gets a hello and an envelope", async () => {
    await using daemon = await fakeV2(
      () => hello(Date.now()),
      ({ id }) => result(id, "$1\r\nv\r\n"),
    );
    assert.deepEqual(await valueAndError([daemon], rsa), ["v", ""]);
    assert.equal(daemon.messages.length, 2);
  });

  test("A daemon of version 1 closes on the hello, and gets a version 1 command", async () => {
    await using daemon = await fakeDaemon(answer("v"));
    assert.deepEqual(await valueAndError([daemon], rsa), ["v", ""]);
    assert.equal(daemon.connections, 2);
    assert.equal(daemon.frames.length, 1);
  });

  test("A daemon that has no keys says so in its hello, and gets a version 1 command", async () => {
    await using daemon = await fakeV2(
      () => hello(Date.now(), CLUSTER, "1"),
      () => null,
    );
    const [value, error] = await valueAndError([daemon], rsa);
    assert.equal(value, null);
    assert.match(error, /no-reason/, "this one closes on a frame of version 1");
  });

  test("Both kinds of daemons take part in one call, and a closed connection is not asked again", async () => {
    await using old = await fakeDaemon(answer("old"));
    await using current = await fakeV2(
      () => hello(Date.now()),
      () => null,
    );
    const code = "$result = []; for ($i = 0; $i < 3; $i++) { $result[] = dbsync_send('GET k'); }";
    const ini = { "dbsync.servers": `${old.address},${current.address}`, ...rsa };
    assert.deepEqual(await runPhp(code, { ini }), ["old", "old", "old"]);
    assert.equal(old.connections, 2);
    assert.equal(old.frames.length, 3);
  });

  test("With dbsync.require = v2 a daemon of version 1 gets no command", async () => {
    await using daemon = await fakeDaemon(answer("v"));
    const [value, error] = await valueAndError([daemon], { ...rsa, "dbsync.require": "v2" });
    assert.equal(value, null);
    assert.match(error, /version: the daemon speaks version 1 only.*dbsync\.require is "v2"/);
    assert.equal(daemon.frames.length, 0);
  });

  test("An Ed25519 key is for version 2 alone", async () => {
    await using old = await fakeDaemon(answer("v"));
    assert.match((await valueAndError([old], ed25519))[1], /version 1 knows RSA keys only/);
    assert.equal(old.frames.length, 0);
  });

  test("Without a key version 1 is spoken, and dbsync.require = v2 is an error", async () => {
    await using daemon = await fakeDaemon(answer("v"));
    assert.deepEqual(await valueAndError([daemon], { "dbsync.format": "text" }), ["v", ""]);
    assert.equal(daemon.connections, 1);
    assert.match(
      (await valueAndError([daemon], { "dbsync.require": "v2" }))[1],
      /always signed: set dbsync\.signkey/,
    );
  });

  for (const [name, value] of [
    ["dbsync.require", "2"],
    ["dbsync.cluster", "12ab"],
    ["dbsync.cluster", "g".repeat(64)],
  ] as const) {
    test(`${name} = ${value} is an error that names it`, async () => {
      assert.match(
        (await sendOne(["127.0.0.1:1"], { ...rsa, [name]: value })).error,
        new RegExp(`^${name}: "${value}"`),
      );
    });
  }
});

async function valueAndError(
  daemons: readonly (FakeV2 | FakeDaemon)[],
  ini: Record<string, string>,
): Promise<[string | null, string]> {
  const { value, error } = await sendOne(
    daemons.map(({ address }) => address),
    ini,
  );
  return [value, error];
}

describe("dbsync.php and envelopes", { skip: skipWithout("php"), concurrency: 2 }, () => {
  for (const hour of [3_600_000, -3_600_000]) {
    test(`A refusal for skew is followed by one new envelope, by a clock that is ${hour} ms away`, async () => {
      const clock = Date.now() + hour;
      await using daemon = await fakeV2(
        () => hello(Date.now()),
        ({ id, number }) => (number === 1 ? refused(id, "skew", clock) : result(id, "+OK\r\n")),
      );
      assert.deepEqual(await valueAndError([daemon], rsa), ["OK", ""]);
      assert.equal(daemon.messages.length, 3);
      const at = Number(/\$2\r\nat\r\n\$13\r\n(\d+)/.exec(String(daemon.messages[2]))?.[1]);
      assert.ok(Math.abs(at - clock) < 5000, `${at - clock} ms`);
    });
  }

  test("No new envelope is made when one that was refused for skew may be applied elsewhere", async () => {
    await using skewed = await fakeV2(
      () => hello(Date.now()),
      ({ id }) => refused(id, "skew", Date.now()),
    );
    await using unsure = await fakeV2(
      () => hello(Date.now()),
      ({ id }) => refused(id, "database-lost", Date.now(), "unknown"),
    );
    const [value, error] = await valueAndError([skewed, unsure], rsa);
    assert.equal(value, null);
    assert.match(error, /skew: Because/);
    assert.match(error, /database-lost: Because/);
    assert.equal(skewed.messages.length, 2);
  });

  test("A clock that stays wrong is an error after the second envelope", async () => {
    await using daemon = await fakeV2(
      () => hello(Date.now()),
      ({ id }) => refused(id, "skew", Date.now()),
    );
    assert.match((await valueAndError([daemon], rsa))[1], /skew: Because/);
    assert.equal(daemon.messages.length, 3);
  });

  test("A daemon of another cluster gets no envelope", async () => {
    const told = { ...rsa, "dbsync.cluster": Buffer.from(CLUSTER, "latin1").toString("hex") };
    await using daemon = await fakeV2(
      () => hello(Date.now(), "x".repeat(32)),
      () => null,
    );
    assert.match(
      (await valueAndError([daemon], told))[1],
      /wrong-cluster: the daemon is of the cluster 7878/,
    );
    assert.equal(daemon.messages.length, 1);
  });

  for (const [what, reply] of [
    ["an error", "-WRONGTYPE Operation\r\n"],
    ["no string", "+OK"],
  ] as const) {
    test(`A reply that is ${what} is null and an error`, async () => {
      await using daemon = await fakeV2(
        () => hello(Date.now()),
        ({ id }) => result(id, reply),
      );
      const [value, error] = await valueAndError([daemon], rsa);
      assert.equal(value, null);
      assert.match(error, what === "an error" ? /command: WRONGTYPE Operation/ : /garbage/);
    });
  }

  for (const [reply, value] of [
    [":-5\r\n", "-5"],
    ["*3\r\n$1\r\na\r\n$-1\r\n*1\r\n:1\r\n", "a\n\n1"],
    ["*0\r\n", null],
    ["*-1\r\n", null],
    ["$-1\r\n", null],
    ["$3\r\na\0b\r\n", "a\0b"],
    ["$0\r\n\r\n", ""],
  ] as const) {
    test(`The reply ${JSON.stringify(reply)} is ${JSON.stringify(value)}, as in version 1`, async () => {
      await using daemon = await fakeV2(
        () => hello(Date.now()),
        ({ id }) => result(id, reply),
      );
      assert.deepEqual(await valueAndError([daemon], rsa), [value, ""]);
    });
  }

  for (const [what, answering] of [
    ["another id", () => result("x".repeat(32), "+OK\r\n")],
    ["a hello for an answer", () => hello(0)],
    ["strings that are arrays", ({ id }) => ["result", id, ["d"], [], [], raw("+OK\r\n"), ""]],
    ["no array", () => "result"],
    ["too few elements", () => ["result"]],
    ["nested too deep", ({ id }) => result(id, `${"*1\r\n".repeat(100)}:1\r\n`)],
  ] as const satisfies readonly (readonly [string, Answering])[]) {
    test(`An answer with ${what} is garbage`, async () => {
      await using daemon = await fakeV2(() => hello(Date.now()), answering);
      const [value, error] = await valueAndError([daemon], rsa);
      assert.equal(value, null);
      assert.match(error, /garbage: not an answer of a dbsync daemon/);
    });
  }
});

describe("dbsync.php and dbsyncd with both kinds of keys", { skip: skipWithout("php") }, () => {
  let daemons: DaemonProcess[];

  before(async () => {
    const keys = ["rsa2048", "rsa4096", "ed25519"].flatMap((name) => ["-s", keyFile(name, "public")]);
    daemons = await Promise.all([startDaemon(keys), startDaemon(keys)]);
  });
  after(() => Promise.all(daemons.map((daemon) => daemon[Symbol.asyncDispose]())));

  for (const name of ["rsa2048", "rsa4096", "ed25519"]) {
    test(`The key ${name} signs what both daemons apply once`, async () => {
      const servers = daemons.map(({ port }) => `127.0.0.1:${port}`);
      const ini = {
        "dbsync.signkey": keyFile(name, "private"),
        "dbsync.format": "text",
        "dbsync.require": "v2",
      };
      const code = `$result = [dbsync_send('INCR ${name}'), dbsync_send('INCR ${name}'), dbsync_last_error()];`;
      const value = await runPhp(code, { ini: { "dbsync.servers": servers.join(","), ...ini } });
      assert.deepEqual(value, ["1", "2", null]);
      for (const server of servers) {
        const read = await runPhp(`$result = dbsync_send('GET ${name}');`, {
          ini: { "dbsync.servers": server, ...ini },
        });
        assert.equal(read, "2");
      }
    });
  }
});
