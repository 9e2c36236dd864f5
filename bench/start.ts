/**
 * Measures starts: of dbsyncd until it has answered a signed SET, of `dbsync send`, and of a program of three lines
 * that uses the library. Also measures how fast a daemon is in its first two seconds, compared with its tenth.
 * `--build dist` (repeatable) names builds to compare in alternating rounds, and `--node path` (repeatable) versions of
 * Node. A run with one of these options does not change RESULTS.md.
 */
import { spawnSync } from "node:child_process";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createClient } from "../client/public-api.js";
import { type DaemonProcess, startProgram } from "../test/support/daemon-process.js";
import { makeKeyPair } from "../test/support/envelope-client.js";
import { buildRoot } from "../test/support/repository.js";
import { ScratchFolder } from "../test/support/scratch-folder.js";
import { alternate, measureWithCpu, medians } from "./measure.js";
import { isSmoke, report, table } from "./report.js";
import { cpuMicros } from "./usage.js";

const { values: given } = parseArgs({
  options: {
    smoke: { type: "boolean" },
    /** Makes only calls to this build, and prints their figures. */
    calls: { type: "string" },
    build: { type: "string", multiple: true, default: [buildRoot] },
    node: { type: "string", multiple: true, default: [process.execPath] },
  },
});
const ROUNDS = isSmoke ? 1 : 15;
const LAST_SECOND = isSmoke ? 3 : 10;
const CALL_ROUNDS = isSmoke ? 1 : 3;
const CALLERS = 64;
const GOAL = 0.8;

using folder = new ScratchFolder();
const pair = makeKeyPair("rsa");
const privateFile = folder.privateKey(pair);
let count = 0;

/** Seconds until the end of a start, and of CPU time that it took. */
type Start = { readonly wall: number; readonly cpu: number };

/** A build that runs with a version of Node. */
interface Subject {
  readonly node: string;
  readonly build: string;
}

function startDaemon({ node, build }: Subject): Promise<DaemonProcess> {
  const args = ["-p", "0", "-s", pair.file, "--data", join(folder.path, `${count++}`)];
  return startProgram([join(build, "bundles/dbsyncd.js"), ...args], node);
}

async function daemonStart(subject: Subject): Promise<Start> {
  const before = performance.now();
  await using server = await startDaemon(subject);
  await using client = createClient({ servers: [`127.0.0.1:${server.port}`], key: privateFile });
  await client.call("SET key value");
  const wall = (performance.now() - before) / 1000;
  return { wall, cpu: cpuMicros(server.pid) / 1e6 };
}

/** Runs a program until it ends. The shell measures it, because Node reports only its own CPU time. */
function programStart(node: string, args: readonly string[]): Start {
  const script = 'TIMEFORMAT="%3R %3U %3S"; time "$@" >/dev/null';
  const { status, stderr } = spawnSync("bash", ["-c", script, "bash", node, ...args], { encoding: "utf8" });
  if (status !== 0) throw new Error(`${args.join(" ")} ended with ${status}: ${stderr}`);
  const [wall = 0, user = 0, system = 0] = stderr.trim().split(" ").map(Number);
  return { wall, cpu: user + system };
}

const STARTS: Readonly<Record<string, (subject: Subject, server: DaemonProcess) => Start | Promise<Start>>> =
  {
    "dbsyncd --data, until it has answered a SET": daemonStart,
    "dbsync send": ({ node, build }, { port }) => {
      const args = ["send", "-s", `127.0.0.1:${port}`, "-k", privateFile, "SET", "key", "value"];
      return programStart(node, [join(build, "bundles/dbsync.js"), ...args]);
    },
    "program with dbsyncSend": ({ node, build }, { port }) => {
      const library = JSON.stringify(join(build, "bundles/client.js"));
      const options = JSON.stringify({ servers: `127.0.0.1:${port}`, key: privateFile });
      const call = `await dbsyncSend("SET key value", ${options});`;
      const file = folder.file("three-lines.mjs", `import { dbsyncSend } from ${library};\n\n${call}\n`);
      return programStart(node, [file]);
    },
  };

/** The rate of the first two seconds divided by that of the last, and the same of the calls per CPU second. */
type Ratios = { readonly rate: number; readonly perCpu: number };

function firstSeconds({ node, build }: Subject): Ratios {
  const args = [fileURLToPath(import.meta.url), "--calls", build, ...(isSmoke ? ["--smoke"] : [])];
  const { stdout } = spawnSync(node, args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
  return JSON.parse(stdout) as Ratios;
}

/** Starts a daemon, makes calls for some seconds, and prints the ratios. Runs in a process whose client is new. */
async function makeCalls(build: string): Promise<void> {
  await using server = await startDaemon({ node: process.execPath, build });
  const { createClient: create } = (await import(join(build, "bundles/client.js"))) as {
    createClient: typeof createClient;
  };
  await using client = create({ servers: [`127.0.0.1:${server.port}`], key: privateFile });
  const load = { callers: CALLERS, seconds: isSmoke ? 0.2 : 1 };
  let n = 0;
  /** Returns the number of calls in a second, and the CPU microseconds of the client and the daemon. */
  const second = async () => {
    const own = process.cpuUsage();
    const set = () => client.call(["SET", `key:${n++ % 1000}`, "value"]);
    const { calls, cpu } = await measureWithCpu([server], load, set);
    const { user, system } = process.cpuUsage(own);
    return { calls, cpu: cpu * calls + user + system };
  };
  const [one, two] = [await second(), await second()];
  let last = two;
  for (let number = 3; number <= LAST_SECOND; number++) last = await second();
  const calls = one.calls + two.calls;
  const perCpu = calls / (one.cpu + two.cpu) / (last.calls / last.cpu);
  console.log(JSON.stringify({ rate: calls / 2 / last.calls, perCpu } satisfies Ratios));
}

if (given.calls !== undefined) {
  await makeCalls(given.calls);
  folder[Symbol.dispose]();
  process.exit();
}

const subjects = given.node.flatMap((node) =>
  given.build.map((build): Subject => ({ node, build: resolve(build) })),
);
const rows: (readonly string[])[] = [];
await using server = await startDaemon({ node: process.execPath, build: buildRoot });
for (const [name, start] of Object.entries(STARTS)) {
  const starts = await alternate(subjects, { rounds: ROUNDS }, (subject) => start(subject, server));
  for (const [i, { wall, cpu }] of starts.map(medians).entries())
    rows.push([name, ...nameOf(i), wall.toFixed(3), cpu.toFixed(3)]);
}
const ratios = (await alternate(subjects, { rounds: CALL_ROUNDS }, firstSeconds)).map(medians);
const ratioRows = ratios.map(({ rate, perCpu }, i) => [...nameOf(i), rate.toFixed(2), perCpu.toFixed(2)]);
const head = subjects.length === 1 ? [] : ["build", "Node"];
report(
  "start",
  "Starts, and the first seconds",
  `Medians of ${ROUNDS} runs, in seconds; the CPU time includes all threads and the kernel.

${table(["", ...head, "wall", "CPU"], rows)}

Signed SETs per second of one client to a daemon with --data, with ${CALLERS} in flight: the first two seconds divided by the tenth (goal: ${GOAL}). Client and daemon are new processes. Calls per CPU second depend less on other programs.

${table([...head, "calls per second", "calls per CPU second"], ratioRows)}`,
  isSmoke || subjects.length > 1,
);

/** Returns the cells that name the subject with an index, or none if there is only one subject. */
function nameOf(index: number): readonly string[] {
  if (subjects.length === 1) return [];
  const { node, build } = subjects[index] as Subject;
  return [build, spawnSync(node, ["--version"], { encoding: "utf8" }).stdout.trim()];
}
