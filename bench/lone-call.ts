/**
 * Measures the cost of a call at a low rate, as in most applications: one client, one call at a time, 500 calls per
 * second. At this rate V8 optimizes little of the server's code. The first part prints the server's CPU time per
 * call, in memory and with a timeline on disk. For comparison it runs a minimal server that reads and writes the same
 * number of bytes, with and without checking the signature. The second part prints the latency of consecutive calls
 * to three daemons with timelines on disk. `--smoke` is short and does not change RESULTS.md.
 */
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { createClient } from "../client/public-api.js";
import { freePort } from "../test/support/free-port.js";
import { RedisConnection } from "../test/support/redis-connection.js";
import { cpuMicros } from "./daemon-cpu.js";
import { measure, median } from "./measure.js";
import { type Server, startDaemon, startEcho } from "./processes.js";
import { machine, report, table } from "./report.js";
import { Workspace } from "./timeline-daemons.js";

const smoke = process.argv.includes("--smoke");
const SECONDS = 0.2;
const WARM_UP_SECONDS = smoke ? 0.1 : 8;
/** The number of rounds. They are short and alternate, so other work on the machine affects all results equally. */
const ROUNDS = smoke ? 1 : 100;
const IDLE_SECONDS = smoke ? 0.2 : 10;
const PER_SECOND = 500;
const GOAL = 3;
const SEQUENTIAL_GOAL = 2;
const SEQUENTIAL_ROUNDS = smoke ? 1 : 10;
const SEQUENTIAL_SECONDS = smoke ? 0.2 : 2;
/** The size in bytes of a signed SET's body, of its frame without body and signature, and of its result. */
const BODY_BYTES = 258;
const FRAME_BYTES = 42;
const RESULT_BYTES = 158;
const RESP_SET_BYTES = 45;
const BARE = "bare loop, bytes of a SET";
const CHECKING = "bare loop that checks";

type Call = () => Promise<unknown>;

interface Subject {
  readonly name: string;
  /** The name of the subject to compare with, or null. */
  readonly baseline: string | null;
  readonly server: Server;
  readonly call: Call;
  readonly micros: number[];
}

const folder = mkdtempSync(join(tmpdir(), "dbsync-bench-"));
const closed: (() => unknown)[] = [];
const subjects: Subject[] = [];
let counter = 0;
const argv = () => ["SET", `key:${++counter % 1000}`, "x".repeat(16)];

async function add(name: string, baseline: string | null, server: Server, call: Call): Promise<void> {
  closed.push(() => server[Symbol.asyncDispose]());
  subjects.push({ name, baseline, server, call, micros: [] });
}

/** Returns a call that always sends the same bytes, and waits for the answer of the bare loop. */
function bareCall(port: number, bytes: Buffer): Call {
  const socket = connect(port, "127.0.0.1").setNoDelay();
  closed.push(() => socket.destroy());
  let answered: () => void = () => {};
  socket.on("data", () => answered());
  return () =>
    new Promise<void>((resolve) => {
      answered = resolve;
      socket.write(bytes);
    });
}

/** Returns a call that sends the same bytes to several bare loops, and waits for the first of their answers. */
function fastestOf(ports: readonly number[], bytes: Buffer): Call {
  let calls = 0;
  let answered: () => void = () => {};
  const sockets = ports.map((port) => {
    const socket = connect(port, "127.0.0.1").setNoDelay();
    closed.push(() => socket.destroy());
    let received = 0;
    socket.on("data", (chunk) => {
      received += chunk.length;
      if (received === calls * RESULT_BYTES) answered();
    });
    return socket;
  });
  return () =>
    new Promise<void>((resolve) => {
      calls++;
      answered = resolve;
      for (const socket of sockets) socket.write(bytes);
    });
}

interface Signer {
  readonly type: string;
  readonly pem: string;
  readonly key: KeyObject;
  /** The frame of a SET, signed with the key. */
  readonly bytes: Buffer;
}

function signerOf(type: string, publicKey: KeyObject, key: KeyObject): Signer {
  const pem = join(folder, `${type}.pem`);
  writeFileSync(pem, publicKey.export({ type: "spki", format: "pem" }));
  const body = Buffer.alloc(BODY_BYTES, "x");
  const signature = sign(type === "rsa" ? "sha256" : null, body, key);
  return { type, pem, key, bytes: Buffer.concat([signature, body, Buffer.alloc(FRAME_BYTES)]) };
}

/** Adds a daemon and two bare loops, in memory or with a file that is synced for each call. */
async function addSigned({ type, pem, key, bytes }: Signer, isRecorded: boolean): Promise<void> {
  const baseline = isRecorded ? `${type}, recorded` : type;
  const answer = "x".repeat(RESULT_BYTES);
  const appended = (name: string) => (isRecorded ? ["--append", join(folder, `${type}-${name}`)] : []);
  const bare = await startEcho(answer, ...appended("bare"));
  await add(`${BARE} (${baseline})`, null, bare, bareCall(bare.port, bytes));
  const checked = ["--check", pem, "--signed", String(BODY_BYTES)];
  const checking = await startEcho(answer, ...checked, ...appended("checked"));
  await add(`${CHECKING} (${baseline})`, null, checking, bareCall(checking.port, bytes));
  const data = ["--data", join(folder, `${type}-data`), "--fsync", "always"];
  const daemon = await startDaemon(["-s", pem, ...(isRecorded ? data : [])]);
  const client = createClient({ servers: `127.0.0.1:${daemon.port}`, key, versions: "2" });
  closed.push(() => client.close());
  await add(`signed SET (${baseline})`, baseline, daemon, () => client.send(argv()));
}

async function addResp(): Promise<void> {
  const bare = await startEcho("+OK\r\n");
  await add(`${BARE} (Redis)`, null, bare, bareCall(bare.port, Buffer.alloc(RESP_SET_BYTES)));
  const port = await freePort();
  const daemon = await startDaemon(["--resp", String(port)]);
  const connection = await RedisConnection.open(port);
  closed.push(() => connection[Symbol.dispose]());
  await add("SET of a Redis client", "Redis", daemon, () => connection.call(...argv()));
}

/** Makes one call per interval, unless the previous call is unanswered. @returns the number of calls */
async function paced(call: Call, seconds: number): Promise<number> {
  const startedAt = performance.now();
  let calls = 0;
  for (let slot = 1; slot <= seconds * PER_SECOND; slot++) {
    const wait = startedAt + (slot * 1000) / PER_SECOND - performance.now();
    if (wait < 0) continue;
    await setTimeout(wait);
    await call();
    calls++;
  }
  return calls;
}

async function microsACall({ server, call }: Subject): Promise<number> {
  const pid = server.process.pid as number;
  const before = cpuMicros(pid);
  const calls = await paced(call, SECONDS);
  return (cpuMicros(pid) - before) / calls;
}

/** Returns the CPU microseconds that an idle server uses per interval. */
async function idleMicros({ server }: Subject): Promise<number> {
  const pid = server.process.pid as number;
  const before = cpuMicros(pid);
  await setTimeout(IDLE_SECONDS * 1000);
  return (cpuMicros(pid) - before) / (IDLE_SECONDS * PER_SECOND);
}

/**
 * Measures consecutive calls to three daemons with timelines on disk. For comparison it measures one signature, one
 * round trip and one append, and the same with three bare loops that also check the signature.
 * @returns the text of the section
 */
async function sequential(signers: readonly Signer[]): Promise<string> {
  using workspace = new Workspace();
  for (const { type, pem } of signers) copyFileSync(pem, join(workspace.publicFolder, `${type}.pem`));
  const servers = await workspace.start("always");
  closed.push(...servers.map((server) => () => server[Symbol.asyncDispose]()));
  const groups: { type: string; calls: readonly Call[]; micros: readonly number[][] }[] = [];
  for (const { type, pem, key, bytes } of signers) {
    const startLoop = async (name: string, ...options: string[]) => {
      const file = join(folder, `${type}-sequential-${name}`);
      const echo = await startEcho("x".repeat(RESULT_BYTES), "--append", file, ...options);
      closed.push(() => echo[Symbol.asyncDispose]());
      return echo.port;
    };
    const trip = bareCall(await startLoop("bare"), bytes);
    const checking = ["--check", pem, "--signed", String(BODY_BYTES), "--size", String(bytes.length)];
    const names = ["first", "second", "third"];
    const three = fastestOf(await Promise.all(names.map((name) => startLoop(name, ...checking))), bytes);
    const signed = (call: Call) => () => {
      sign(type === "rsa" ? "sha256" : null, bytes.subarray(0, BODY_BYTES), key);
      return call();
    };
    const client = workspace.client(servers, { privateKey: key });
    closed.push(() => client.close());
    groups.push({
      type,
      calls: [signed(trip), signed(three), () => client.send(argv())],
      micros: [[], [], []],
    });
  }
  for (let round = 0; round <= SEQUENTIAL_ROUNDS; round++)
    for (const { calls, micros } of groups)
      for (const [index, call] of calls.entries()) {
        const { p50 } = await measure({ callers: 1, seconds: SEQUENTIAL_SECONDS }, call);
        // The first round is the warm-up.
        if (round > 0) micros[index]?.push(p50);
      }
  const rows = groups.map(({ type, micros }) => {
    const [bare = Number.NaN, three = Number.NaN, ours = Number.NaN] = micros.map(median);
    const ratio = ours / bare;
    const goal = ratio <= SEQUENTIAL_GOAL ? "met" : "missed";
    return [type, bare, three, ours, `${ratio.toFixed(2)} (${goal})`, (ours / three).toFixed(2)];
  });
  return `## Sequential calls, recorded by three daemons

${machine()} \`npm run bench -- lone-call\`. Three daemons with \`--data --fsync always\`, policy \`first\`, compared with one signature, one round trip and one append to a
file opened with O_DSYNC, and with three bare loops that check the signature, append and answer (the client waits for the first). p50 in µs, medians of ${SEQUENTIAL_ROUNDS} alternating rounds of ${SEQUENTIAL_SECONDS} s. The client and the three daemons share the cores
and the disk. Goal: a signed SET takes at most ${SEQUENTIAL_GOAL} times as long.

${table(["", "signature, trip, append", "with three loops that check", "signed SET", "÷", "÷ three loops"], rows)}`;
}

try {
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const ed25519 = generateKeyPairSync("ed25519");
  const signers = [
    signerOf("ed25519", ed25519.publicKey, ed25519.privateKey),
    signerOf("rsa", rsa.publicKey, rsa.privateKey),
  ];
  for (const isRecorded of [false, true]) for (const signer of signers) await addSigned(signer, isRecorded);
  await addResp();
  for (const { call } of subjects) await paced(call, WARM_UP_SECONDS);
  for (let round = 0; round < ROUNDS; round++)
    for (const subject of subjects) subject.micros.push(await microsACall(subject));
  const idle = await Promise.all(subjects.map(idleMicros));
  const figures = new Map(subjects.map(({ name, micros }) => [name, median(micros)]));
  const cells = subjects.map(({ name, baseline, micros }, i) => {
    const own = median(micros);
    const ratio = (to: string) =>
      baseline === null ? "" : (own / (figures.get(to) ?? Number.NaN)).toFixed(2);
    return [
      name,
      own,
      idle[i] as number,
      ratio(`${BARE} (${baseline})`),
      ...(baseline === "Redis" ? [""] : [ratio(`${CHECKING} (${baseline})`)]),
    ];
  });
  const text = `## One call at a time, ${PER_SECOND} per second

${machine()} \`npm run bench -- lone-call\`. The first column is the server's CPU time per call, including all its threads and the kernel. The second column is the part that
the server also uses when it is idle. "Recorded" means that the bare loop appends the bytes to a file opened with O_DSYNC, and the daemon has
\`--data --fsync always\`. Medians of ${ROUNDS} alternating rounds of ${SECONDS} s. Goal: at most ${GOAL} times the bare loop.

${table(["", "CPU µs per call", "of these idle", "÷ bare loop", "÷ bare loop that checks"], cells)}`;
  report("lone-call", text, smoke);
  for (const close of closed.splice(0).reverse()) await close();
  report("sequential-recorded", await sequential(signers), smoke);
} finally {
  for (const close of closed.reverse()) await close();
  rmSync(folder, { recursive: true, force: true });
}
