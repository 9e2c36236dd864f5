/**
 * Sends mutated requests to each listener of a real daemon. Each request may end only its own connection. DBSYNC_SEED
 * repeats a run.
 */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { deflateRawSync } from "node:zlib";
import type { UserListenerName } from "../../daemon/options/option-table.js";
import { openClient, pair } from "../../faces/web/test/scene.js";
import { amount, isFull } from "../support/amount.js";
import { type DaemonProcess, type Served, startDaemon } from "../support/daemon-process.js";
import { makeKeyPair } from "../support/envelope-client.js";
import { OPTIONS } from "../support/installed-options.js";
import { SeededRandom, seedOfRun } from "../support/seeded-random.js";

/** The number of inputs to each listener. */
const INPUTS = amount(80, 1_500);
const CONNECTIONS = 8;
const CHANGES_MAX = 4;
/** Milliseconds after which the test closes a connection that neither side has closed. */
const OPEN_MS_MAX = 30;

const latin1 = (text: string) => Buffer.from(text, "latin1");

const UPGRADE =
  "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
  "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";

/** Returns a WebSocket frame that is masked with zeros. */
function frame(first: number, payload: Buffer): Buffer {
  const { length } = payload;
  const size = length < 126 ? [0x80 | length] : [0xfe, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([first, ...size, 0, 0, 0, 0]), payload]);
}

function webSocketInputs(): readonly Buffer[] {
  const hello = latin1("ds:10:*1\r\n$4\r\nPING\r\n");
  const deflated = deflateRawSync(Buffer.alloc(3_000, 65));
  const half = deflated.length >> 1;
  const pieces = [frame(0x42, deflated.subarray(0, half)), frame(0x89, latin1("hi"))];
  return [
    frame(0x82, hello),
    frame(0xc2, deflated),
    frame(0xc2, Buffer.alloc(0)),
    Buffer.concat([...pieces, frame(0x80, deflated.subarray(half))]),
    Buffer.concat([frame(0xc2, deflated), frame(0x88, Buffer.alloc(0))]),
  ];
}

/** The inputs to mutate, by listener. */
const INPUTS_OF: Readonly<Record<"ws" | UserListenerName, readonly Buffer[]>> = {
  ws: [latin1(UPGRADE), ...webSocketInputs()],
  resp: [
    "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n",
    "*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n",
    "GET k\r\nINFO\r\n",
  ].map(latin1),
  sentinel: [
    "*3\r\n$8\r\nSENTINEL\r\n$6\r\nmaster\r\n$1\r\nm\r\n",
    "*2\r\n$9\r\nSUBSCRIBE\r\n$6\r\n+sdown\r\n",
    "SENTINEL masters\r\nHELLO 3\r\nINFO\r\n",
  ].map(latin1),
  memcached: ["set k 0 0 1\r\nv\r\nget k\r\n", "incr k 1\r\ngets k b\r\n", "cas k 1 2 3 4\r\nabc\r\n"].map(
    latin1,
  ),
  json: ['["getall","d"]\n', '["set","d",{"a":[1,{"b":null}],"c":"\\u00e9"}]\n', '{"a":"}'].map(latin1),
  sql: ["use d; select 'a;b' x, 1 + 2 y;", "create database d; drop database d;", "pages 10;login a b;"].map(
    latin1,
  ),
  mongo: ["3a00000001000000000000000d40700000000000", "25000000010000000000000dd070000000000000"].map((hex) =>
    Buffer.concat([
      Buffer.from(hex, "hex"),
      Buffer.from("0010000000 1068656c6c6f000100000000".replaceAll(" ", ""), "hex"),
    ]),
  ),
};

/** Changes, removes or duplicates a few bytes. */
function mutated(bytes: Buffer, random: SeededRandom): Buffer {
  let result = Buffer.from(bytes);
  for (let remaining = random.below(CHANGES_MAX + 1); remaining > 0 && result.length > 0; remaining--) {
    const at = random.below(result.length);
    const kind = random.below(4);
    if (kind === 0) result[at] = random.below(256);
    else if (kind === 1) result[at] = (result[at] as number) ^ (1 << random.below(8));
    else if (kind === 2)
      result = Buffer.concat([result.subarray(0, at), result.subarray(random.below(result.length))]);
    else result = Buffer.concat([result, result.subarray(at)]);
  }
  return result;
}

/** Sends an input in one or two pieces, and ends the connection in a random way. */
function send(port: number, name: keyof typeof INPUTS_OF, random: SeededRandom): Promise<void> {
  const count = random.between(1, 3);
  const bytes = Buffer.concat(
    Array.from({ length: count }, () => mutated(random.oneOf(INPUTS_OF[name]), random)),
  );
  const start = latin1(random.chance(0.5) && name === "ws" ? UPGRADE : "");
  const [at, isAbrupt] = [random.below(bytes.length + 1), random.chance(0.5)];
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port, noDelay: true });
    const timer = setTimeout(() => socket.destroy(), OPEN_MS_MAX);
    socket.on("error", () => {}).resume();
    socket.on("close", () => {
      clearTimeout(timer);
      resolve();
    });
    socket.write(Buffer.concat([start, bytes.subarray(0, at)]), () => {
      socket.write(bytes.subarray(at));
      if (isAbrupt) setImmediate(() => socket.destroy());
      else socket.end();
    });
  });
}

async function portOf(daemon: DaemonProcess, name: keyof typeof INPUTS_OF): Promise<number> {
  const clients = name === "ws" ? "WebSocket" : OPTIONS[name].clients;
  return await daemon.portOf(`${clients} clients` as Served);
}

const NAMES = Object.keys(INPUTS_OF) as (keyof typeof INPUTS_OF)[];
/** The listeners that share a daemon: each has its own in full runs. */
const GROUPS = isFull ? NAMES.map((name) => [name]) : [NAMES];

for (const names of GROUPS)
  test(`${INPUTS} mutated inputs to ${names.map((name) => `--${name}`).join(", ")} end only their own connections, seed ${seedOfRun()}`, async () => {
    const root = makeKeyPair();
    // A sentinel needs Redis clients whose daemon it names.
    const served = new Set(names.includes("sentinel") ? [...names, "resp"] : names);
    const flags = [...served].flatMap((name) => (name === "ws" ? [] : [`--${name}`, "0"]));
    const keys = ["-s", pair.file, "--root-key", root.file];
    await using daemon = await startDaemon([...keys, "--ws", "0", ...flags]);
    using other = await openClient(await portOf(daemon, "ws"));
    for (const name of names) {
      const port = await portOf(daemon, name);
      const random = new SeededRandom(seedOfRun());
      let remaining = INPUTS;
      const worker = async () => {
        while (remaining-- > 0) await send(port, name, random);
      };
      await Promise.all(Array.from({ length: CONNECTIONS }, worker));
      const answer = await other.replies([["PING"]]).catch((cause: Error) => cause.message);
      assert.deepEqual(answer, [{ kind: "status", text: "PONG" }], name);
    }
    const { code, stderr } = await daemon.stop();
    assert.deepEqual([code, stderr], [0, ""]);
  });
