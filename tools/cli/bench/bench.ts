/** `dbsync bench`: puts load on the daemons and measures their throughput and latency. */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { CallingClient } from "../../../client/client.js";
import type { OutboxClient } from "../../../client/outbox-client.js";
import type { Settings } from "../../../client/settings/client-settings.js";
import { realEnvironment } from "../../../client/shared/client-environment.js";
import { DbsyncError } from "../../../client/shared/errors.js";
import { isLoopback } from "../../../client/version-2/cluster-votes.js";
import { formatHeadedTable, formatTable } from "../../../daemon/net/terminal/text-table.js";
import { countText } from "../../../protocol/figures/amount-texts.js";
import {
  addClientOptions,
  addPolicyOption,
  type ClientFlags,
  openFrom,
  readCount,
  readSettings,
} from "../shared/client-options.js";
import { EXIT, exitCodeHelp } from "../shared/exit-codes.js";
import { JSON_FLAG, printJson, printJsonError, printLine } from "../shared/output.js";
import { checkAccess } from "../shared/ping-result.js";
import { splitArguments } from "../shared/typed-commands.js";
import { type DaemonStatus, readWorkStatus } from "../status/read-status.js";
import { type LatencyHistogram, Load, type LoadResult } from "./load.js";

const MAX_CALLERS = 100_000;
const MAX_SECONDS = 24 * 60 * 60;
const MAX_PAYLOAD_BYTES = 16 * 1024 * 1024;
const MAX_RATE = 10_000_000;
const MAX_KEYS = 1_000_000;

/** Maximum number of keys that one command creates or removes, and maximum total length of their values. */
const BATCH_KEYS_MAX = 500;
const BATCH_BYTES_MAX = 1024 * 1024;

const PROGRESS_MS = 1_000;
const CLEAR_LINE = "\r\x1b[K";

interface BenchFlags extends ClientFlags {
  readonly concurrency: number;
  readonly seconds: number;
  readonly payload: number;
  readonly keys: number;
  readonly rate?: number;
  readonly command: string;
  readonly yes?: boolean;
  readonly beside: readonly string[];
}

export function addBench(program: Command): void {
  const command = program
    .command("bench")
    .description("put load on the daemons and measure throughput and latency");
  addPolicyOption(addClientOptions(command));
  for (const option of benchOptions()) command.addOption(option);
  command
    .addHelpText(
      "after",
      `
Without --rate each caller sends its next command when the previous one is answered. With --rate commands arrive at
random times, however fast the daemons are, and latency counts from the arrival, as users of a busy site see it.
set, get and mixed use keys named ${BENCH_KEYS}…, which are created before the run and removed after it. Keys that
your own command creates remain. Ctrl-C ends the run early and prints the results so far.

The daemons of -s and each list of --beside are measured one after the other. The table shows the backends of each
list (in more detail with an administrator's key) and its throughput relative to the first.

Examples:
  dbsync bench
  dbsync bench -c 256 --payload 1024 --command get -k private.pem
  dbsync bench --rate 5000 --seconds 30 --policy majority --json
  dbsync bench --command 'HSET user:__rand__ name __value__'
  dbsync bench -s 127.0.0.1:1111 --beside 127.0.0.1:1112 --beside 127.0.0.1:1113,127.0.0.1:1114
${exitCodeHelp("a call failed, or no daemon answered")}`,
    )
    .action(bench);
}

function benchOptions(): Option[] {
  const count = (flags: string, text: string, min: number, max: number) =>
    new Option(flags, text).argParser((value) => {
      const number = readCount(value, "It is");
      if (number < min || number > max) throw new InvalidArgumentError(`Allowed: ${min} to ${max}.`);
      return number;
    });
  return [
    count(
      "-c, --concurrency <callers>",
      "number of callers that send at the same time",
      1,
      MAX_CALLERS,
    ).default(64),
    count("--seconds <s>", "duration of the run", 1, MAX_SECONDS).default(10),
    count("--payload <bytes>", "length of __value__", 0, MAX_PAYLOAD_BYTES).default(16),
    count("--keys <number>", "number of different keys that __rand__ selects", 1, MAX_KEYS).default(1_000),
    count("--rate <calls>", "number of commands per second, instead of --concurrency", 1, MAX_RATE),
    new Option(
      "--command <text>",
      "set, get, mixed, or a command that contains __rand__ and __value__",
    ).default("set"),
    new Option(
      "--beside <list>",
      "other daemons to measure after those of -s; the output is then a table. May be repeated",
    )
      .argParser((text, all: readonly string[] = []) => [...all, text])
      .default([], "none"),
    new Option("--yes", "put load on servers that are not on this machine"),
    new Option(JSON_FLAG, "print the figures as JSON, times in milliseconds"),
  ];
}

async function bench(flags: BenchFlags): Promise<void> {
  try {
    const all = [flags.servers, ...flags.beside].map((servers) =>
      readSettings({ ...flags, ...(servers === undefined ? {} : { servers }) }),
    );
    const value = "x".repeat(flags.payload);
    const command = loadCommand(flags.command, { keys: flags.keys, value, random: Math.random });
    for (const settings of all) refuseOverload(flags, settings, describePlan(flags, command, settings));
    await (all.length === 1 ? benchOne(flags, command, all[0] as Settings) : benchEach(flags, command, all));
  } catch (error) {
    if (!flags.json) throw error;
    process.exitCode = printJsonError(error);
  }
}

async function benchOne(flags: BenchFlags, command: LoadCommand, settings: Settings): Promise<void> {
  const plan = describePlan(flags, command, settings);
  const { client } = openFrom(settings);
  await checkAccess(client);
  const measured = await measure(client, command, flags);
  const figures = figuresOf(measured.result);
  if (flags.json) printJson({ plan, ...figures });
  else process.stdout.write(`${plan}\n\n${formatFigures(figures, measured.result.latencies)}`);
  reportResult(measured);
}

/** Runs the benchmarks one after the other, because simultaneous runs would slow each other down. */
async function benchEach(flags: BenchFlags, command: LoadCommand, all: readonly Settings[]): Promise<void> {
  const rows: BenchRow[] = [];
  for (const settings of all) {
    const { client } = openFrom(settings);
    await checkAccess(client);
    const backends = await describeBackends(settings, client);
    const measured = await measure(client, command, flags);
    const servers = settings.servers.map(({ text }) => text).join(",");
    rows.push({ servers, backends, ...figuresOf(measured.result) });
    reportResult(measured);
    if (measured.isInterrupted) break;
  }
  const plan = describePlan(flags, command, all[0] as Settings).replace(/, \d+ daemons?$/, ", each");
  if (flags.json) printJson({ plan, rows });
  else process.stdout.write(`${plan}\n\n${formatRows(rows)}`);
}

function reportResult({ result, failure }: Measured): void {
  if (failure !== null) printLine(`Some of the keys named ${BENCH_KEYS}… were not removed: ${failure}`);
  if (result.failed > 0 || result.latencies.count === 0) process.exitCode = EXIT.failed;
}

function describePlan(flags: BenchFlags, { title }: LoadCommand, { servers, policy }: Settings): string {
  const load = flags.rate === undefined ? `${flags.concurrency} callers` : `${flags.rate} arrivals a second`;
  const daemons = servers.length === 1 ? "1 daemon" : `${servers.length} daemons`;
  return `${load} for ${flags.seconds} s: ${title} (values of ${flags.payload} bytes), policy ${policy === "usual" ? "first" : policy}, ${daemons}`;
}

/** @throws DbsyncError `bad-option`: daemons are on other machines, and --yes is missing */
function refuseOverload(flags: BenchFlags, { servers }: Settings, plan: string): void {
  const remote = servers.filter((server) => !isLoopback(server)).map(({ text }) => text);
  if (remote.length === 0 || flags.yes) return;
  throw new DbsyncError(
    "bad-option",
    `this would put load on other machines: ${remote.join(", ")} (${plan}). To run it anyway, add --yes`,
  );
}

interface Measured {
  readonly result: LoadResult;
  /** The reason why keys were not removed, or null if all keys were removed. */
  readonly failure: string | null;
  readonly isInterrupted: boolean;
}

async function measure(client: OutboxClient, command: LoadCommand, flags: BenchFlags): Promise<Measured> {
  const { keys, payload, concurrency: callers, rate = null, seconds } = flags;
  const load = new Load({ send: () => client.call(command.make()), callers, rate, seconds }, realEnvironment);
  let isInterrupted = false;
  const interrupt = () => {
    if (isInterrupted) process.exit(EXIT.failed);
    isInterrupted = true;
    load.stop();
  };
  process.on("SIGINT", interrupt);
  const endProgress = startProgress(load);
  let failure: string | null = null;
  try {
    if (command.reads) await makeKeys(client, keys, payload);
    if (!isInterrupted) await load.run();
  } finally {
    endProgress();
    if (command.usesBenchKeys) failure = await removeKeys(client, keys);
    process.off("SIGINT", interrupt);
  }
  return { result: load.result, failure, isInterrupted };
}

async function makeKeys(client: CallingClient, keys: number, payload: number): Promise<void> {
  const value = "x".repeat(payload);
  const keysPerCommand = Math.min(
    BATCH_KEYS_MAX,
    Math.max(1, Math.floor(BATCH_BYTES_MAX / Math.max(1, payload))),
  );
  for (const names of keyNames(keys, keysPerCommand))
    await togetherOrEach(
      () => client.send(["MSET", ...names.flatMap((name) => [name, value])]),
      () => names.map((name) => client.send(["SET", name, value])),
    );
}

/** @returns the reason why keys were not removed, or null if all keys were removed */
async function removeKeys(client: CallingClient, keys: number): Promise<string | null> {
  try {
    for (const names of keyNames(keys, BATCH_KEYS_MAX))
      await togetherOrEach(
        () => client.send(["UNLINK", ...names], { policy: "all" }),
        () => names.map((name) => client.send(["UNLINK", name], { policy: "all" })),
      );
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Sends one command for all keys. If a Redis Cluster rejects keys of several slots, sends a command for each key. */
async function togetherOrEach(
  together: () => Promise<unknown>,
  each: () => readonly Promise<unknown>[],
): Promise<void> {
  try {
    await together();
  } catch (error) {
    if (!(error instanceof DbsyncError) || !/CROSSSLOT/.test(error.message)) throw error;
    await Promise.all(each());
  }
}

function* keyNames(keys: number, keysPerCommand: number): Generator<string[]> {
  for (let start = 0; start < keys; start += keysPerCommand) {
    const count = Math.min(keysPerCommand, keys - start);
    yield Array.from({ length: count }, (_, index) => `${BENCH_KEYS}${start + index}`);
  }
}

/** Shows the progress on standard error if that is a terminal. @returns a function that ends the display */
function startProgress(load: Load): () => void {
  if (!process.stderr.isTTY) return () => {};
  let [seconds, before] = [0, 0];
  const timer = setInterval(() => {
    const { latencies, failed, pending } = load.result;
    const line = `${++seconds} s: ${latencies.count - before} answers, ${pending} in flight, ${failed} failed in all`;
    before = latencies.count;
    process.stderr.write(`${CLEAR_LINE}${line}`);
  }, PROGRESS_MS).unref();
  return () => {
    clearInterval(timer);
    process.stderr.write(CLEAR_LINE);
  };
}

/**
 * Error replies to INFO from a daemon that has its data in memory, and from a daemon whose backend is a Redis Cluster:
 * no single server can answer for the cluster.
 */
const OWN_MEMORY = /INFO is for connections of the RESP listener/;
const NO_SERVER = /names no key (?:that selects|by which) a server of the cluster/;
const NOT_REPORTED = "not reported";

/**
 * Describes the backends of the daemons. With an administrator's key, the description comes from the daemons' status;
 * with any other key, from INFO.
 */
async function describeBackends(settings: Settings, client: CallingClient): Promise<string> {
  const reported = new Set((await readWorkStatus(settings)).map(backendsOf).filter((text) => text !== null));
  return reported.size > 0 ? [...reported].join("; ") : await backendFromInfo(client);
}

function backendsOf({ figures, members }: DaemonStatus): string | null {
  if (figures === null) return null;
  const { order, backends } = figures;
  if (order !== null) return "memory, ordered by a stream";
  const names = backends.map(({ name }) => name).join(", ");
  if (members === null) return names;
  return members === 0
    ? `${names}, recorded`
    : `${names}, recorded, with ${members} other${members === 1 ? "" : "s"}`;
}

async function backendFromInfo(client: CallingClient): Promise<string> {
  try {
    const info = String(await client.send(["INFO", "server"]));
    const [version, mode] = ["redis_version", "redis_mode"].map(
      (name) => new RegExp(`^${name}:([\\w.]+)`, "m").exec(info)?.[1],
    );
    return version === undefined
      ? NOT_REPORTED
      : `Redis ${version}${mode === "cluster" ? ", in a cluster" : ""}`;
  } catch (error) {
    if (!(error instanceof DbsyncError)) throw error;
    if (NO_SERVER.test(error.message)) return "a Redis Cluster";
    return OWN_MEMORY.test(error.message) ? "memory" : NOT_REPORTED;
  }
}

const KEY_MARK = "__rand__";
const VALUE_MARK = "__value__";

/** The prefix of the keys of `set`, `get` and `mixed`, which are removed after the run. */
const BENCH_KEYS = "dbsync-bench:";

const SET = `SET ${BENCH_KEYS}${KEY_MARK} ${VALUE_MARK}`;
const GET = `GET ${BENCH_KEYS}${KEY_MARK}`;

/** Number of reads among ten commands of `mixed`. */
const READS_OF_TEN = 9;

/** A source of commands; `make` returns the arguments of the next one. */
interface LoadCommand {
  readonly title: string;
  /** Whether the keys must exist before the benchmark begins. */
  readonly reads: boolean;
  /** Whether `dbsync bench` chooses the names of the keys. If so, it removes the keys after the run. */
  readonly usesBenchKeys: boolean;
  readonly make: () => string[];
}

/**
 * @param text    `set`, `get`, `mixed`, or a command that may contain `__rand__` and `__value__`, quoted as in `dbsync
 *   repl`
 * @param random  returns a number from 0 (inclusive) to 1 (exclusive)
 * @throws DbsyncError `bad-command`
 */
export function loadCommand(
  text: string,
  { keys, value, random }: { keys: number; value: string; random: () => number },
): LoadCommand {
  const maker = (template: string) => templateOf(template, { keys, value, random });
  switch (text) {
    case "set":
      return { title: SET, reads: false, usesBenchKeys: true, make: maker(SET) };
    case "get":
      return { title: GET, reads: true, usesBenchKeys: true, make: maker(GET) };
    case "mixed": {
      const [set, get] = [maker(SET), maker(GET)];
      const make = () => (random() * 10 < READS_OF_TEN ? get() : set());
      return {
        title: `${READS_OF_TEN} of 10 ${GET}, otherwise ${SET}`,
        reads: true,
        usesBenchKeys: true,
        make,
      };
    }
    default:
      return { title: text, reads: false, usesBenchKeys: false, make: maker(text) };
  }
}

function templateOf(
  template: string,
  { keys, value, random }: { keys: number; value: string; random: () => number },
): () => string[] {
  const words = splitArguments(template);
  if (words.length === 0) throw new DbsyncError("bad-command", "the command is empty");
  const texts = words.map((word) => {
    if (typeof word === "string") return word;
    throw new DbsyncError(
      "bad-command",
      "--command of bench must be text; binary arguments are not supported",
    );
  });
  return () =>
    texts.map((text) => {
      if (!text.includes("__")) return text;
      const withValue = text.replaceAll(VALUE_MARK, () => value);
      return withValue.replaceAll(KEY_MARK, () => String(Math.floor(random() * keys)));
    });
}

const QUANTILES = { p50: 0.5, p90: 0.9, p99: 0.99, "p99.9": 0.999 } as const;

/** Length of the longest bar in characters. */
const BAR_CHARS = 40;

/** Maximum length of an error example in characters. */
const EXAMPLE_CHARS = 100;

/**
 * The figures of a run. Times are in milliseconds, or null if no call succeeded. Throughput is the number of successful
 * calls per second.
 */
interface BenchFigures {
  readonly calls: number;
  readonly failed: number;
  readonly seconds: number;
  readonly throughput: number;
  readonly latency: Readonly<Record<keyof typeof QUANTILES | "mean" | "max", number | null>>;
  readonly histogram: readonly { readonly from: number; readonly to: number; readonly count: number }[];
  readonly errors: Readonly<Record<string, { readonly count: number; readonly example: string }>>;
}

/** Returns the figures of a run, with a histogram and the errors. */
export function figuresOf({ latencies, errors, failed, ms }: LoadResult): BenchFigures {
  const { count, mean, max } = latencies;
  const time = (ms: number) => (count === 0 ? null : round(ms));
  const quantiles = Object.entries(QUANTILES).map(([name, share]) => [name, time(latencies.quantile(share))]);
  const named = Object.fromEntries(quantiles) as Record<keyof typeof QUANTILES, number | null>;
  return {
    calls: count + failed,
    failed,
    seconds: round(ms / 1000),
    throughput: ms === 0 ? 0 : Math.round(count / (ms / 1000)),
    latency: { ...named, mean: time(mean), max: time(max) },
    histogram: latencies.bands().map(({ from, to, count }) => ({ from: round(from), to: round(to), count })),
    errors: Object.fromEntries(errors),
  };
}

export function formatFigures(figures: BenchFigures, latencies: LatencyHistogram): string {
  const { calls, failed, seconds, throughput, latency } = figures;
  const times = Object.entries(latency).map(([name, ms]) => `${name} ${formatMs(ms ?? 0)}`);
  const rows = [
    [
      "throughput",
      `${countText(throughput)} a second (${countText(calls - failed)} answered in ${seconds.toFixed(1)} s)`,
    ],
    ["latency", latencies.count === 0 ? "no answer" : `${times.join(", ")} (ms)`],
    ["failed", failed === 0 ? "none" : `${countText(failed)} of ${countText(calls)}`],
  ];
  return formatTable(rows) + formatHistogram(latencies) + formatErrors(figures.errors);
}

/** The figures of one list of daemons in a comparison of several lists. */
interface BenchRow extends BenchFigures {
  readonly servers: string;
  /** The backends of the daemons on the list. */
  readonly backends: string;
}

/** Formats one row per list of daemons; ratios are relative to the first row. */
function formatRows(rows: readonly BenchRow[]): string {
  const first = rows[0]?.throughput ?? 0;
  const cells = rows.map(({ servers, backends, throughput, latency, failed }) => [
    ...[servers, backends, countText(throughput), first === 0 ? "-" : (throughput / first).toFixed(2)],
    ...[latency.p50, latency.p99].map((ms) => (ms === null ? "-" : formatMs(ms))),
    failed === 0 ? "none" : countText(failed),
  ]);
  const head = ["DAEMONS", "BACKENDS", "A SECOND", "RATIO", "P50 ms", "P99 ms", "FAILED"];
  return formatHeadedTable([head, ...cells]);
}

function formatHistogram(latencies: LatencyHistogram): string {
  const bands = latencies.bands();
  if (bands.length === 0) return "";
  const highest = Math.max(...bands.map(({ count }) => count));
  const lines = bands.map(({ from, to, count }) => {
    const share = `${((100 * count) / latencies.count).toFixed(2)} %`;
    const bar = "#".repeat(count === 0 ? 0 : Math.max(1, Math.round((BAR_CHARS * count) / highest)));
    return `${formatMs(from).padStart(9)} to ${formatMs(to).padStart(8)}  ${share.padStart(8)}  ${bar}`.trimEnd();
  });
  return `\n       ms                  calls\n${lines.join("\n")}\n`;
}

function formatErrors(errors: BenchFigures["errors"]): string {
  const rows = Object.entries(errors).map(([reason, { count, example }]) => {
    const text = example.replaceAll(/\s*\n\s*/g, " ");
    return [
      `  ${reason}`,
      countText(count),
      text.length > EXAMPLE_CHARS ? `${text.slice(0, EXAMPLE_CHARS)}…` : text,
    ];
  });
  return rows.length === 0
    ? ""
    : `\n${formatHeadedTable([["  failed at", "calls", "first error"], ...rows])}`;
}

function formatMs(ms: number): string {
  if (ms >= 100) return ms.toFixed(0);
  return ms >= 10 ? ms.toFixed(1) : ms >= 0.1 ? ms.toFixed(2) : ms.toFixed(3);
}

/** Rounds to a microsecond. */
function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
