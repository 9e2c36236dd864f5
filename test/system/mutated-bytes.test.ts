/**
 * No bytes from one connection crash the daemon or disturb other connections. The test sends WebSocket
 * frames, and the first bytes of every listener's protocol, with flipped bits and with parts removed, repeated and
 * truncated.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { connect as connectTls } from "node:tls";
import { amount } from "../support/amount.js";
import { clientHello } from "../support/client-hello.js";
import { type DaemonProcess, startDaemon } from "../support/daemon-process.js";
import { makeKeyPair } from "../support/envelope-client.js";
import { freePort } from "../support/free-port.js";
import { programPaths } from "../support/programs.js";
import { RawClient } from "../support/raw-client.js";
import { run } from "../support/run-program.js";
import { ScratchFolder } from "../support/scratch-folder.js";
import { seed } from "../support/seed.js";
import { SeededRandom } from "../support/seeded-random.js";
import { inTime } from "../support/until.js";

const ROUNDS = amount(6, 100);
/** The number of mutated connections between two checks of the other connections. */
const BATCH = 20;

const UPGRADE = [
  "GET / HTTP/1.1",
  "Host: 127.0.0.1",
  "Upgrade: websocket",
  "Connection: Upgrade",
  "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
  "\r\n",
].join("\r\n");
const MASK = [1, 2, 3, 4] as const;

/** Returns a frame of a WebSocket client. @param first  the first byte: FIN, RSV1 (deflated) and the opcode */
function wsFrame(first: number, payload: Buffer): Buffer {
  const masked = payload.map((byte, index) => byte ^ (MASK[index % 4] as number));
  return Buffer.concat([Buffer.from([first, 0x80 | payload.length, ...MASK]), masked]);
}
const WS_PING = wsFrame(0x89, Buffer.from("hi"));

const COMMAND = "ds:11:SET k value\0";
const HELLO_V2 = "*1\r\n$5\r\nhello\r\n";

/** Returns a MongoDB message with one document. @param code  the operation: 2013 OP_MSG, 2004 OP_QUERY */
function mongoMessage(code: number, fields: Readonly<Record<string, number | string>>): Buffer {
  const parts = Object.entries(fields).map(([name, value]) => {
    const key = Buffer.from(`${name}\0`);
    const size = Buffer.alloc(4);
    if (typeof value === "number") {
      size.writeInt32LE(value);
      return Buffer.concat([Buffer.from([0x10]), key, size]);
    }
    size.writeInt32LE(value.length + 1);
    return Buffer.concat([Buffer.from([0x02]), key, size, Buffer.from(`${value}\0`)]);
  });
  const body = Buffer.concat([Buffer.alloc(4), ...parts, Buffer.alloc(1)]);
  body.writeInt32LE(body.length);
  const before =
    code === 2013 ? Buffer.alloc(5) : Buffer.from("\0\0\0\0admin.$cmd\0\0\0\0\0\xff\xff\xff\xff", "latin1");
  const header = Buffer.alloc(16);
  header.writeInt32LE(16 + before.length + body.length);
  header.writeInt32LE(7, 4);
  header.writeInt32LE(code, 12);
  return Buffer.concat([header, before, body]);
}

const NAMES = ["dbsync", "ws", "resp", "json", "memcached", "sql", "mongo", "admin", "tls"] as const;
type Name = (typeof NAMES)[number];
/** The listeners of the daemon that accepts unsigned commands. */
const PLAIN = ["resp", "json", "memcached", "sql", "mongo", "admin"] as const;

/** Returns, for each listener, examples of the first bytes that a valid client sends. */
const samples = (hello: Buffer): Readonly<Record<Name, readonly (Buffer | string)[]>> => ({
  dbsync: [COMMAND, `${COMMAND}${COMMAND}`, `d2:${HELLO_V2.length}:${HELLO_V2}`],
  ws: [
    ...[0x82, 0xc2, 0x81, 0xc1, 0x02, 0x42, 0x88, 0x89, 0xc9].map((first) =>
      Buffer.concat([Buffer.from(UPGRADE), wsFrame(first, Buffer.from(COMMAND)), WS_PING]),
    ),
    Buffer.concat([Buffer.from(UPGRADE), wsFrame(0xc2, Buffer.from("aa56050000ffff0300", "hex"))]),
    UPGRADE,
  ],
  resp: [
    "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nvalue\r\n",
    "SET k value\r\nGET k\r\n",
    "*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n",
  ],
  json: [
    '{"action":"create","document":"users"}\n{"action":"insert","document":"users","data":[{"name":"Ada","n":1.5e3}]}\n',
    '{"action":"get","document":"users","query":{"name":["\\u00e9\\ud83d\\ude00",null,true]}}\n',
  ],
  memcached: [
    "set k 0 0 5\r\nvalue\r\nget k\r\n",
    "incr k 18446744073709551615\r\nmg k v t f\r\n",
    Buffer.concat([
      Buffer.from("800100010800000000000000000000000000000000000000000000006b", "hex"),
      Buffer.alloc(9),
    ]),
  ],
  sql: [
    "create database shop;\nuse shop;\ncreate table t (k number);\n",
    "insert into t values (1, 'it''s', null);\nselect * from t;\n",
  ],
  mongo: [
    mongoMessage(2013, { hello: 1, $db: "admin" }),
    mongoMessage(2004, { isMaster: 1 }),
    mongoMessage(2013, { insert: "c", $db: "shop" }),
  ],
  admin: [
    "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\nLast-Event-ID: 5\r\n\r\n",
  ],
  tls: [hello, Buffer.concat([hello, hello])],
});

/** Returns a copy of the bytes with one to four changes. */
function mutated(bytes: Buffer, random: SeededRandom): Buffer {
  let result = Buffer.from(bytes);
  for (let changes = random.between(1, 4); changes > 0 && result.length > 1; changes--) {
    const at = random.below(result.length);
    const end = Math.min(result.length, at + random.between(1, 8));
    const piece = result.subarray(at, end);
    const mutations: readonly (() => Buffer)[] = [
      () => result.subarray(0, at),
      () => Buffer.concat([result.subarray(0, at), result.subarray(end)]),
      () => Buffer.concat([result.subarray(0, end), piece, result.subarray(end)]),
      () =>
        Buffer.concat([
          result.subarray(0, at),
          piece.map(() => random.oneOf([0, 0x0a, 0x7f, 0x80, 0xff])),
          result.subarray(end),
        ]),
      () =>
        Buffer.concat([
          result.subarray(0, at),
          piece.map((byte) => byte ^ (1 << random.below(8))),
          result.subarray(end),
        ]),
    ];
    result = Buffer.from(random.oneOf(mutations)());
  }
  return result;
}

/** A connection that stays open and repeats a valid request. */
interface StableConnection extends Disposable {
  /** Repeats the request. @throws AssertionError if the answer is wrong or missing */
  check(): Promise<void>;
}

/** Opens a connection of a listener. @param answer  the expected answer */
async function openStable(
  port: number,
  request: string,
  answer: string,
  begin = "",
  begun = "",
): Promise<StableConnection> {
  const raw = await RawClient.open(port);
  if (begin !== "") {
    raw.send(begin);
    await raw.readTo(begun);
  }
  return {
    check: async () => {
      raw.send(request);
      const read = await raw.readTo(answer);
      assert.ok(
        read.endsWith(answer),
        `port ${port}: ${JSON.stringify(read)} instead of ${JSON.stringify(answer)}`,
      );
    },
    [Symbol.dispose]: () => raw[Symbol.dispose](),
  };
}

async function openStableTls(port: number, ca: Buffer): Promise<StableConnection> {
  const socket = connectTls({ port, host: "127.0.0.1", servername: "localhost", ca });
  await once(socket, "secureConnect");
  let received = "";
  let changed = (): void => {};
  const notify = (): void => changed();
  socket.on("error", () => {}).on("close", notify);
  socket.on("data", (chunk: Buffer) => {
    received += chunk.toString("latin1");
    notify();
  });
  return {
    check: async () => {
      received = "";
      socket.write("ds:5:PING\0");
      while (!received.includes("PONG") && !socket.destroyed)
        await inTime(
          () => `PING is not answered: ${received}`,
          new Promise<void>((resolve) => (changed = resolve)),
        );
      assert.match(received, /PONG/);
    },
    [Symbol.dispose]: () => void socket.destroy(),
  };
}

/**
 * Sends bytes and ends the stream.
 * @returns the connection, when the bytes are sent or the daemon has closed it
 */
async function sendMutated(port: number, bytes: Buffer): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {}).resume();
  await new Promise<void>((resolve) => {
    socket.on("close", () => resolve());
    socket.end(bytes, () => resolve());
  });
  return socket;
}

/** Matches a line of the daemon's log that reports an exception. */
const EXCEPTION = /internal-error|uncaught|TypeError|RangeError|ReferenceError|unhandled/i;

describe("mutated bytes", { timeout: 600_000 }, () => {
  async function startAll(
    folder: ScratchFolder,
  ): Promise<{ daemons: DaemonProcess[]; ports: Record<Name, number> }> {
    const generated = await run(process.execPath, [
      ...[
        programPaths["dbsync-keygen"],
        "--certificate",
        "--san",
        "localhost,127.0.0.1",
        "--out",
        folder.path,
      ],
    ]);
    assert.equal(generated.code, 0, generated.stderr);
    const ports = Object.fromEntries(
      await Promise.all(NAMES.map(async (name) => [name, await freePort()] as const)),
    ) as Record<Name, number>;
    const listenerArgs = PLAIN.flatMap((name) => [`--${name}`, String(ports[name])]);
    const files = [
      "--tls-cert",
      join(folder.path, "tls-cert.pem"),
      "--tls-key",
      join(folder.path, "tls-key.pem"),
    ];
    // --ws accepts only signed commands.
    const ws = ["-s", makeKeyPair().file, "--ws", String(ports.ws)];
    const starts = [["-p", String(ports.dbsync), ...listenerArgs], ["-p", String(ports.tls), ...files], ws];
    return { daemons: await Promise.all(starts.map((args) => startDaemon(args))), ports };
  }

  test("do not crash the daemon, and other connections continue", async (context) => {
    using folder = new ScratchFolder();
    const { daemons, ports } = await startAll(folder);
    context.after(() => Promise.all(daemons.map((daemon) => daemon[Symbol.asyncDispose]())));
    const hello = mongoMessage(2013, { hello: 1, $db: "admin" }).toString("latin1");
    const all = [
      await openStable(ports.dbsync, "ds:5:PING\0", "PONG\0"),
      await openStable(ports.ws, WS_PING.toString("latin1"), "hi", UPGRADE, "\r\n\r\n"),
      await openStable(ports.resp, "PING\r\n", "+PONG\r\n"),
      await openStable(ports.json, '{"action":"list"}\n', "}\n"),
      await openStable(ports.memcached, "version\r\n", "\r\n"),
      await openStable(ports.sql, "create database again;\n", "END\n"),
      await openStable(ports.mongo, hello, "maxWireVersion"),
      await openStable(ports.admin, "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "}"),
      await openStableTls(ports.tls, readFileSync(join(folder.path, "tls-cert.pem"))),
    ];
    context.after(() => {
      for (const connection of all) connection[Symbol.dispose]();
    });
    for (const one of all) await one.check();

    const random = new SeededRandom(seed(), 7);
    const known = samples(await clientHello("dbsync"));
    for (let round = 0; round < ROUNDS; round++)
      for (const name of NAMES) {
        const sent = Array.from({ length: BATCH }, () =>
          mutated(Buffer.from(random.oneOf(known[name])), random),
        );
        const sockets = await Promise.all(sent.map((bytes) => sendMutated(ports[name], bytes)));
        try {
          for (const one of all) await one.check();
        } catch (problem) {
          const bytes = sent.map((each) => each.toString("base64")).join("\n");
          assert.fail(`round ${round}, ${name}: ${problem}\n${bytes}`);
        }
        for (const socket of sockets) socket.destroy();
      }

    for (const daemon of daemons) {
      const { code, stderr } = await daemon.stop();
      assert.equal(code, 0, stderr);
      assert.deepEqual(
        daemon.log.filter((line) => EXCEPTION.test(JSON.stringify(line))),
        [],
      );
    }
  });
});
