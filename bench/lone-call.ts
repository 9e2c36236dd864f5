/**
 * Measures the cost of a call at a low rate, as in most applications: one client, one call at a time, 500 calls per
 * second. At this rate V8 optimizes little of the server's code. The first part prints the server's CPU time per
 * call, in memory and with a timeline on disk. For comparison it runs a minimal server that reads and writes the same
 * number of bytes, with and without checking the signature. The second part prints the latency of consecutive calls
 * to three daemons with timelines on disk.
 */
import { sign } from "node:crypto";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { createClient } from "../client/public-api.js";
import { type DaemonProcess, startDaemon } from "../test/support/daemon-process.js";
import { makeKeyPair } from "../test/support/envelope-client.js";
import { RedisConnection } from "../test/support/redis-connection.js";
import { ScratchFolder } from "../test/support/scratch-folder.js";
import { Trio } from "../test/support/trio.js";
import { roundTrip } from "./clients.js";
import { alternate, measure, median, paced } from "./measure.js";
import { isSmoke, met, report, table } from "./report.js";
import { startEcho, startFace } from "./servers.js";
import { cpuMicros } from "./usage.js";

const SECONDS = 0.2;
const WARM_UP_SECONDS = isSmoke ? 0.1 : 8;
/** The number of rounds. They are short and alternate, so other work on the machine affects all results equally. */
const ROUNDS = isSmoke ? 1 : 100;
const IDLE_SECONDS = isSmoke ? 0.2 : 10;
const PER_SECOND = 500;
const GOAL = 3;
const CHECKING_GOAL = 1.4;
const SEQUENTIAL_GOAL = 2;
const SEQUENTIAL_ROUNDS = isSmoke ? 1 : 10;
const SEQUENTIAL_SECONDS = isSmoke ? 0.2 : 2;
/** The size in bytes of a signed SET's body, of its frame without body and signature, and of its result. */
const BODY_BYTES = 258;
const FRAME_BYTES = 42;
const RESULT_BYTES = 158;
const RESP_SET_BYTES = 45;
const RESP_OK = "+OK\r\n";
const BARE = "bare loop, bytes of a SET";
const CHECKING = "bare loop that checks";

type Call = () => Promise<unknown>;

interface Subject {
  readonly name: string;
  /** The name of the subject to compare with, or null. */
  readonly baseline: string | null;
  readonly server: DaemonProcess;
  readonly call: Call;
}

using folder = new ScratchFolder();
const closed: (() => unknown)[] = [];
const subjects: Subject[] = [];
let [counter, files] = [0, 0];
const argv = () => ["SET", `key:${++counter % 1000}`, "x".repeat(16)];

function add(name: string, baseline: string | null, server: DaemonProcess, call: Call): void {
  closed.push(() => server[Symbol.asyncDispose]());
  subjects.push({ name, baseline, server, call });
}

function bareCall(ports: readonly number[], bytes: Buffer, answerBytes = RESULT_BYTES): Call {
  const trip = roundTrip(ports, () => bytes, answerBytes);
  closed.push(() => trip[Symbol.dispose]());
  return trip.call;
}

/** Makes a key: `signed` signs with it, and `bytes` is the frame of a signed SET. */
function signerOf(type: "rsa" | "ed25519") {
  const pair = makeKeyPair(type);
  const body = Buffer.alloc(BODY_BYTES, "x");
  const signed = () => sign(type === "rsa" ? "sha256" : null, body, pair.privateKey);
  return { type, pair, signed, bytes: Buffer.concat([signed(), body, Buffer.alloc(FRAME_BYTES)]) };
}

type Signer = ReturnType<typeof signerOf>;

/** Starts a minimal server. @param isRecorded  whether it syncs each call to a file */
function startLoop({ pair, bytes }: Signer, checks: boolean, isRecorded: boolean): Promise<DaemonProcess> {
  const checking = ["--check", pair.file, "--signed", String(BODY_BYTES)];
  return startEcho(
    "x".repeat(RESULT_BYTES),
    ...(checks ? [...checking, "--size", String(bytes.length)] : []),
    ...(isRecorded ? ["--append", join(folder.path, `loop-${++files}`)] : []),
  );
}

/** Adds a daemon and two bare loops, in memory or with a file that is synced for each call. */
async function addSigned(signer: Signer, isRecorded: boolean): Promise<void> {
  const { type, pair, bytes } = signer;
  const baseline = isRecorded ? `${type}, recorded` : type;
  for (const name of [BARE, CHECKING]) {
    const loop = await startLoop(signer, name === CHECKING, isRecorded);
    add(`${name} (${baseline})`, null, loop, bareCall([loop.port], bytes));
  }
  const data = isRecorded ? ["--data", join(folder.path, `data-${++files}`), "--fsync", "always"] : [];
  const daemon = await startDaemon(["-s", pair.file, ...data]);
  const client = createClient({ servers: `127.0.0.1:${daemon.port}`, key: pair.privateKey });
  closed.push(() => client.close());
  add(`signed SET (${baseline})`, baseline, daemon, () => client.send(argv()));
}

async function addResp(): Promise<void> {
  const bare = await startEcho(RESP_OK);
  add(`${BARE} (Redis)`, null, bare, bareCall([bare.port], Buffer.alloc(RESP_SET_BYTES), RESP_OK.length));
  const daemon = await startFace("resp");
  const connection = await RedisConnection.open(daemon.face.port);
  closed.push(() => connection[Symbol.dispose]());
  add("SET of a Redis client", "Redis", daemon, () => connection.call(...argv()));
}

/** Returns the CPU time of a server, in microseconds, during work that returns a number, divided by this number. */
async function micros({ server: { pid } }: Subject, work: () => Promise<number>): Promise<number> {
  const before = cpuMicros(pid);
  const count = await work();
  return (cpuMicros(pid) - before) / count;
}

/** Measures calls at a low rate, and reports them. */
async function loneCalls(signers: readonly Signer[]): Promise<void> {
  for (const isRecorded of [false, true]) for (const signer of signers) await addSigned(signer, isRecorded);
  await addResp();
  const calls = (call: Call, seconds: number) => paced(call, { perSecond: PER_SECOND, seconds });
  for (const { call } of subjects) await calls(call, WARM_UP_SECONDS);
  const runs = await alternate(subjects, { rounds: ROUNDS }, (subject) =>
    micros(subject, () => calls(subject.call, SECONDS)),
  );
  const idleCalls = () => setTimeout(IDLE_SECONDS * 1000, IDLE_SECONDS * PER_SECOND);
  const idle = await Promise.all(subjects.map((subject) => micros(subject, idleCalls)));
  const figures = new Map(subjects.map(({ name }, i) => [name, median(runs[i] as number[])]));
  const cells = subjects.map(({ name, baseline }, i) => {
    const own = figures.get(name) as number;
    const ratio = (to: string) => {
      const other = figures.get(`${to} (${baseline})`);
      return other === undefined ? "" : (own / other).toFixed(2);
    };
    return [name, own, idle[i] as number, ratio(BARE), ratio(CHECKING)];
  });
  report(
    "lone-call",
    `One call at a time, ${PER_SECOND} per second`,
    `The first column is the server's CPU time per call, including all its threads and the kernel. The second column is the part that
the server also uses when it is idle. "Recorded" means that the bare loop appends the bytes to a file opened with O_DSYNC, and the daemon has
\`--data --fsync always\`. Medians of ${ROUNDS} alternating rounds of ${SECONDS} s. Goals: at most ${GOAL} times the bare loop, and at most ${CHECKING_GOAL} times the one that checks.

${table(["", "CPU µs per call", "of these idle", "÷ bare loop", "÷ bare loop that checks"], cells)}`,
  );
}

/**
 * Measures consecutive calls to three daemons with timelines on disk. For comparison it measures one signature, one
 * round trip and one append, and the same with three bare loops that also check the signature.
 */
async function sequential(signers: readonly Signer[]): Promise<void> {
  const keys = signers.flatMap(({ pair }) => ["-s", pair.file]);
  const trio = await Trio.start([...keys, "--fsync", "always"]);
  closed.push(() => trio[Symbol.asyncDispose]());
  const calls: Call[] = [];
  for (const signer of signers) {
    const loopCall = async (count: number, checks: boolean): Promise<Call> => {
      const loops = await Promise.all(Array.from({ length: count }, () => startLoop(signer, checks, true)));
      closed.push(...loops.map((loop) => () => loop[Symbol.asyncDispose]()));
      const ports = loops.map(({ port }) => port);
      const call = bareCall(ports, signer.bytes);
      return () => {
        signer.signed();
        return call();
      };
    };
    const client = trio.client(undefined, { key: signer.pair.privateKey });
    closed.push(() => client.close());
    calls.push(await loopCall(1, false), await loopCall(3, true), () => client.send(argv()));
  }
  const runs = await alternate(
    calls,
    { rounds: SEQUENTIAL_ROUNDS, warmUps: isSmoke ? 0 : 1 },
    async (call) => {
      const { p50 } = await measure({ callers: 1, seconds: SEQUENTIAL_SECONDS }, call);
      return p50;
    },
  );
  const rows = signers.map(({ type }, i) => {
    const [bare = 0, three = 0, ours = 0] = runs.slice(i * 3, i * 3 + 3).map(median);
    const ratio = ours / bare;
    const verdict = `${ratio.toFixed(2)} (${met(ratio <= SEQUENTIAL_GOAL)})`;
    return [type, bare, three, ours, verdict, (ours / three).toFixed(2)];
  });
  report(
    "sequential-recorded",
    "Sequential calls, recorded by three daemons",
    `Three daemons with \`--data --fsync always\`, policy \`first\`, compared with one signature, one round trip and one append to a
file opened with O_DSYNC, and with three bare loops that check the signature, append and answer (the client waits for the first). p50 in µs, medians of ${SEQUENTIAL_ROUNDS} alternating rounds of ${SEQUENTIAL_SECONDS} s. The client and the three daemons share the cores
and the disk. Goal: a signed SET takes at most ${SEQUENTIAL_GOAL} times as long.

${table(["", "signature, trip, append", "with three loops that check", "signed SET", "÷", "÷ three loops"], rows)}`,
  );
}

const signers = [signerOf("ed25519"), signerOf("rsa")];
for (const measurePart of [loneCalls, sequential])
  try {
    await measurePart(signers);
  } finally {
    for (const close of closed.splice(0).reverse()) await close();
  }
