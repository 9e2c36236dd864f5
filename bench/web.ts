/**
 * --ws as a room: one message to 1,000 WebSocket clients, beside a bare server by the package ws that gives each message to all; and
 * a signed SET from a page in Chromium. Clients are sockets that count bytes, so that they cost little. `--smoke`: seconds.
 */
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { loadavg } from "node:os";
import { writeFrame } from "../protocol/frame.js";
import {
  type Hello,
  KNOWS_LISTEN,
  writeEvent,
  writeHello,
  writeListen,
} from "../protocol/version-2/messages-v2.js";
import { startChromium } from "../test/client/browser/chromium.js";
import { makeFolder } from "../test/daemon/replicas.js";
import { EnvelopeClient, type KeyPair, makeKeyPair, signCommands } from "../test/support/envelope-client.js";
import { freePort } from "../test/support/free-port.js";
import { browserModule } from "../test/support/make-browser-module.js";
import { skipWithout } from "../test/support/requirements.js";
import { median } from "./measure.js";
import { startBareWeb, startDaemon } from "./processes.js";
import { machine, report, table } from "./report.js";

const smoke = process.argv.includes("--smoke");
const CLIENTS = smoke ? 50 : 1_000;
const ROUNDS = smoke ? 1 : 5;
/** Of each side, each round. */
const SECONDS = smoke ? 0.3 : 2.5;
/** Messages on their way at a time, where rates are measured. */
const IN_FLIGHT = 16;
const SETS = smoke ? 20 : 1_000;
const GOAL = 2;
const LOAD = loadavg()[0] ?? 0;
const CHANNEL = "room";
const TEXT = "x".repeat(32);
const LAST_TEXT = `${TEXT.slice(1)}z`;
/** One in each message; a length before one may have it too. */
const LETTER_G = 0x67;
const LETTER_Z = 0x7a;
/** The last letter of a text, CR, LF. */
const END_BYTES = 3;
/** What a client of either server is told: the same bytes. */
const eventOf = (text: string) =>
  Buffer.from(writeFrame(writeEvent(["message", CHANNEL, text]), 2), "latin1");
const EVENT_BYTES = masked(eventOf(TEXT)).length - 4;

const pair = makeKeyPair();

/** A message as clients send it, by a mask that changes nothing. */
function masked(bytes: Buffer): Buffer {
  const isShort = bytes.length < 126;
  const head = Buffer.alloc(isShort ? 6 : 8);
  head[0] = 0x82;
  head[1] = 0x80 | (isShort ? bytes.length : 126);
  if (!isShort) head.writeUInt16BE(bytes.length, 2);
  return Buffer.concat([head, bytes]);
}

/** A client that counts what it is told. */
class Hearer {
  bytes = 0;
  /** What came last. */
  chunk: Buffer = Buffer.alloc(0);
  heard: () => void = () => {};
  readonly socket: Socket;

  private constructor(socket: Socket) {
    this.socket = socket;
  }

  static async open(port: number, frame: Buffer | null): Promise<Hearer> {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    const hearer = new Hearer(socket);
    const key = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13";
    socket.write(
      `GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${key}\r\n\r\n`,
    );
    await once(socket, "data");
    if (frame !== null) {
      socket.write(masked(frame));
      let said = "";
      while (!said.includes("result"))
        said += ((await once(socket, "data")) as [Buffer])[0].toString("latin1");
    }
    socket.on("data", (chunk: Buffer) => {
      hearer.bytes += chunk.length;
      hearer.chunk = chunk;
      hearer.heard();
    });
    return hearer;
  }
}

interface Room {
  readonly hearers: readonly Hearer[];
  /** A message for all, ready to be sent; not measured. */
  readonly make: (text: string) => Buffer;
  readonly send: (message: Buffer) => void;
  readonly kibEach: number;
}

const residentKib = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1] ?? Number.NaN);

async function gather(port: number, pid: number, frame: () => Buffer | null): Promise<[Hearer[], number]> {
  const before = residentKib(pid);
  const hearers: Hearer[] = [];
  for (let i = 0; i < CLIENTS; i++) hearers.push(await Hearer.open(port, frame()));
  return [hearers, (residentKib(pid) - before) / CLIENTS];
}

/** Milliseconds from sending one message until each client has it. */
async function latencies({ hearers, make, send }: Room): Promise<number[]> {
  const all: number[] = [];
  const end = performance.now() + SECONDS * 1000;
  while (performance.now() < end) {
    const message = make(TEXT);
    let missing = hearers.length;
    let over = () => {};
    const done = new Promise<void>((resolve) => {
      over = resolve;
    });
    const start = performance.now();
    for (const hearer of hearers) {
      const due = hearer.bytes + EVENT_BYTES;
      hearer.heard = () => {
        if (hearer.bytes < due) return;
        hearer.heard = () => {};
        all.push(performance.now() - start);
        if (--missing === 0) over();
      };
    }
    send(message);
    await done;
  }
  return all;
}

/** Messages a second that reach clients. Several may come as one, so the last one has an end of its own. */
async function rate({ hearers, make, send }: Room): Promise<number> {
  const messages = Array.from({ length: IN_FLIGHT * (smoke ? 4 : 40) }, () => make(TEXT));
  messages.push(make(LAST_TEXT));
  const last = hearers.at(-1) as Hearer;
  let [sent, arrived, missing] = [0, 0, hearers.length];
  const sendSome = () => {
    while (sent < messages.length && sent - arrived < IN_FLIGHT) send(messages[sent++] as Buffer);
  };
  const start = performance.now();
  await new Promise<void>((resolve) => {
    for (const hearer of hearers)
      hearer.heard = () => {
        if (hearer === last) {
          for (const byte of hearer.chunk) if (byte === LETTER_G) arrived++;
          sendSome();
        }
        if (hearer.chunk.at(-END_BYTES) !== LETTER_Z) return;
        hearer.heard = () => {};
        if (--missing === 0) resolve();
      };
    sendSome();
  });
  return (messages.length * hearers.length * 1000) / (performance.now() - start);
}

const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] as number;

interface Measured {
  readonly p50: number;
  readonly p99: number;
  readonly rate: number;
}

async function measureAt(room: Room): Promise<Measured> {
  const sorted = (await latencies(room)).sort((a, b) => a - b);
  return { p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99), rate: await rate(room) };
}

async function bareRoom(port: number, pid: number): Promise<Room> {
  const [hearers, kibEach] = await gather(port, pid, () => null);
  const [first] = hearers as [Hearer];
  return {
    hearers,
    kibEach,
    make: (text) => masked(eventOf(text)),
    send: (message) => first.socket.write(message),
  };
}

/** A hello, and what says that it wants to be told. */
function listenFrame({ cluster, daemon }: Hello): Buffer {
  const mine = { kind: "hello", versions: [2], daemon: "", cluster, clock: Date.now(), state: "" } as const;
  const hello = writeHello({ ...mine, role: "client", knows: [KNOWS_LISTEN] });
  const { body, signature } = signCommands(pair, [["SUBSCRIBE", CHANNEL]], { cluster, only: daemon });
  const listen = writeListen(body.toString("latin1"), signature.toString("latin1"));
  return Buffer.from(writeFrame(hello, 2) + writeFrame(listen, 2), "latin1");
}

async function ourRoom(port: number, ws: number, pid: number, speaker: EnvelopeClient): Promise<Room> {
  const hello = await speaker.hello();
  const [hearers, kibEach] = await gather(ws, pid, () => listenFrame(hello));
  const raw = connect({ port, host: "127.0.0.1", noDelay: true });
  raw.resume();
  return {
    ...{ hearers, kibEach },
    make: (text) => Buffer.from(speaker.sign([["PUBLISH", CHANNEL, text]]).frame, "latin1"),
    send: (message) => raw.write(message),
  };
}

/** Microseconds of a signed SET in a page, one after the other; null: there is no Chromium. */
async function fromPage(): Promise<{ p50: number; p99: number } | null> {
  if (skipWithout("chromium") !== false) return null;
  using folder = makeFolder();
  const web = createServer(({ url = "" }, response) => {
    const isModule = url === "/dbsync.js";
    response.writeHead(200, { "content-type": isModule ? "text/javascript" : "text/html" });
    response.end(isModule ? readFileSync(browserModule) : "<!doctype html>");
  }).listen(0, "127.0.0.1");
  await once(web, "listening");
  await using chromium = await startChromium();
  const { tab } = chromium;
  await tab.open(`http://localhost:${(web.address() as AddressInfo).port}/`);
  const file = `${folder.path}/page.pem`;
  await tab.run(`import("/dbsync.js").then((dbsync) => void (window.dbsync = dbsync))`);
  writeFileSync(file, String(await tab.run(`dbsync.openKey("bench").then(dbsync.publicKeyPem)`)));
  const ws = await freePort();
  await using _daemon = await startDaemon(["-s", file, "--ws", String(ws)]);
  const times = (await tab.run(`(async () => {
    const client = dbsync.createClient({ servers: "ws://127.0.0.1:${ws}", key: "bench" });
    const times = [];
    for (let i = 0; i < ${SETS} + 20; i++) {
      const start = performance.now();
      await client.send(["SET", "key:" + i, "${TEXT}"]);
      times.push((performance.now() - start) * 1000);
    }
    return times.slice(20);
  })()`)) as number[];
  web.close();
  web.closeAllConnections();
  times.sort((a, b) => a - b);
  return { p50: quantile(times, 0.5), p99: quantile(times, 0.99) };
}

async function figures(key: KeyPair): Promise<string> {
  const ws = await freePort();
  await using bare = await startBareWeb();
  const quiet = ["--ws-ping", "10m", "--idle-timeout", "10m", "--max-connections", "5000"];
  await using daemon = await startDaemon(["-s", key.file, "--ws", String(ws), ...quiet]);
  using speaker = await EnvelopeClient.open(daemon.port, key);
  const rooms = [
    await bareRoom(bare.port, bare.process.pid as number),
    await ourRoom(daemon.port, ws, daemon.process.pid as number, speaker),
  ] as const;
  const measured: [Measured[], Measured[]] = [[], []];
  // One that nobody reports: both are warm then.
  for (let round = -1; round < ROUNDS; round++)
    for (const side of [0, 1] as const) {
      const one = await measureAt(rooms[side]);
      if (round >= 0) measured[side].push(one);
    }
  for (const { hearers } of rooms) for (const { socket } of hearers) socket.destroy();
  const of = (side: 0 | 1, what: keyof Measured) => median(measured[side].map((one) => one[what]));
  const row = (name: string, side: 0 | 1) => [
    name,
    of(side, "p50").toFixed(1),
    of(side, "p99").toFixed(1),
    Math.round(of(side, "rate")).toLocaleString("en"),
    rooms[side].kibEach.toFixed(1),
  ];
  const ratio = of(1, "p99") / of(0, "p99");
  const page = await fromPage();
  const said =
    page === null
      ? "No Chromium here."
      : `Signed SET from a page (Chromium, headless), one after the other: p50 ${page.p50.toFixed(0)} µs, p99 ${page.p99.toFixed(0)} µs.`;
  return `## Pages

${machine()} ${CLIENTS.toLocaleString("en")} WebSocket clients in one room, sockets of one process that count bytes; one message of ${TEXT.length} characters at a time, signed for dbsyncd,
milliseconds until each client has it; then ${IN_FLIGHT} at a time, messages that reach clients in a second. Medians of ${ROUNDS} rounds turn about, ${SECONDS} s a side. Beside it a bare server by the
package ws that gives each message to all, the same bytes. Load before: ${LOAD.toFixed(1)}.

${table(["", "p50 ms", "p99 ms", "messages a second", "KiB a client"], [row("bare ws", 0), row("dbsyncd --ws", 1)])}

p99: ${ratio.toFixed(2)} × the bare server's; goal ≤ ${GOAL} (${ratio <= GOAL ? "met" : "missed"}). ${said}`;
}

report("web", await figures(pair), smoke);
