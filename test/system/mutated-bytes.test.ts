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
import { LISTENER_CASES } from "../support/all-listener-cases.js";
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

const COMMAND = "ds:11:SET k value\0";
const HELLO_V2 = "*1\r\n$5\r\nhello\r\n";
const HEALTH = "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

/** The listeners of the daemon that accepts unsigned commands. --ws accepts only signed ones. */
const PLAIN = ["admin", ...LISTENER_CASES.map(({ option }) => option).filter((option) => option !== "ws")];
const NAMES = ["dbsync", "tls", "ws", ...PLAIN];

/** Returns, for each listener, examples of the first bytes that a valid client sends. */
const samples = (hello: Buffer): ReadonlyMap<string, readonly (Buffer | string)[]> =>
  new Map([
    ["dbsync", [COMMAND, `${COMMAND}${COMMAND}`, `d2:${HELLO_V2.length}:${HELLO_V2}`]],
    ["admin", [HEALTH, "GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\nLast-Event-ID: 5\r\n\r\n"]],
    ["tls", [hello, Buffer.concat([hello, hello])]],
    ...LISTENER_CASES.map(({ option, inputs }) => [option, inputs] as const),
  ]);

const bytesOf = (input: Buffer | string) =>
  typeof input === "string" ? Buffer.from(input, "latin1") : input;

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
  [begin, begun]: readonly [request: string, answer: string] = ["", ""],
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
  ): Promise<{ daemons: DaemonProcess[]; portOf: (name: string) => number }> {
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

    const ports = new Map(await Promise.all(NAMES.map(async (name) => [name, await freePort()] as const)));
    const portOf = (name: string) => ports.get(name) ?? 0;
    const listenerArgs = PLAIN.flatMap((name) => [`--${name}`, String(portOf(name))]);

    const files = [
      "--tls-cert",
      join(folder.path, "tls-cert.pem"),
      "--tls-key",
      join(folder.path, "tls-key.pem"),
    ];
    const ws = ["-s", makeKeyPair().file, "--ws", String(portOf("ws"))];
    const own = ["-p", String(portOf("dbsync")), ...listenerArgs];
    const starts = [own, ["-p", String(portOf("tls")), ...files], ws];
    return { daemons: await Promise.all(starts.map((args) => startDaemon(args))), portOf };
  }

  test("do not crash the daemon, and other connections continue", async (context) => {
    using folder = new ScratchFolder();
    const { daemons, portOf } = await startAll(folder);
    context.after(() => Promise.all(daemons.map((daemon) => daemon[Symbol.asyncDispose]())));
    const all = [
      await openStable(portOf("dbsync"), "ds:5:PING\0", "PONG\0"),
      await openStable(portOf("admin"), HEALTH, "}"),
      await openStableTls(portOf("tls"), readFileSync(join(folder.path, "tls-cert.pem"))),
    ];
    for (const { option, repeated, opening } of LISTENER_CASES)
      all.push(await openStable(portOf(option), ...repeated, opening));
    context.after(() => {
      for (const connection of all) connection[Symbol.dispose]();
    });
    for (const one of all) await one.check();

    const random = new SeededRandom(seed(), 7);
    const known = samples(await clientHello("dbsync"));
    for (let round = 0; round < ROUNDS; round++)
      for (const name of NAMES) {
        const sent = Array.from({ length: BATCH }, () =>
          mutated(bytesOf(random.oneOf(known.get(name) ?? [])), random),
        );
        const sockets = await Promise.all(sent.map((bytes) => sendMutated(portOf(name), bytes)));
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
