/** `dbsync test`: checks that a JSON server behaves as its clients expect, and measures its latency. */

import { randomUUID } from "node:crypto";
import type { Command } from "commander";
import type { ServerAddress } from "../../../client/shared/server-url.js";
import { shownLines } from "../../../daemon/net/terminal/terminal-text.js";
import { withEscapesOfJson } from "../../../protocol/control-characters.js";
import { CA_HELP } from "../shared/client-options.js";
import { EXIT, exitCodeHelp } from "../shared/exit-codes.js";
import { openSocket } from "../shared/open-socket.js";
import { JSON_FLAG } from "../shared/output.js";
import { withLoadedAuthorities } from "../shared/server-url-argument.js";
import { JSON_URL_HELP, JsonServerClient, readJsonUrl } from "./json-server-client.js";

/** Silence after which a server counts as unreachable, in milliseconds. */
const SILENCE_MS = 10_000;
/** Time within which a reachable replica accepts a connection, in milliseconds. */
const REPLICA_MS = 3_000;

interface TestFlags {
  readonly replica?: readonly ServerAddress[];
  readonly ca?: string;
  readonly json?: boolean;
}

export function addTest(program: Command): void {
  program
    .command("test")
    .description("check a server of JSON documents and measure its latency")
    .argument("<url>", JSON_URL_HELP, readJsonUrl)
    .option(
      "--replica <host:port>",
      "another server that must be reachable (with TLS jsons://host:port); may be repeated",
      (text, all: readonly ServerAddress[] = []) => [...all, readJsonUrl(withScheme(text))],
    )
    .option("--ca <file>", CA_HELP)
    .option(JSON_FLAG, "print the report as JSON")
    .addHelpText(
      "after",
      `
Prints the same report as the test client of the original JSON server. The test uses a temporary document, which it removes.

Examples:
  dbsync test json://127.0.0.1
  dbsync test json://10.0.0.1:8888 --replica 10.0.0.2:8888 --json
  dbsync test jsons://db1.example.org --ca tls-cert.pem
${exitCodeHelp("no connection, a check failed, or a replica cannot be reached")}`,
    )
    .action(test);
}

const withScheme = (text: string) => (text.includes("://") ? text : `json://${text}`);

async function test(address: ServerAddress, { replica = [], ca, json }: TestFlags): Promise<void> {
  const replicaAddresses = replica.map((one) => withLoadedAuthorities(one, ca));
  using server = await JsonServerClient.open(withLoadedAuthorities(address, ca), SILENCE_MS).catch(
    (problem: Error) => {
      throw new Error(`Connect error: ${problem.message}`);
    },
  );

  const report = await testJsonServer(server);
  const replicas: Replica[] = [];
  for (const other of replicaAddresses)
    replicas.push({ host: other.host, port: other.port, error: await reach(other) });

  process.stdout.write((json ? jsonReport : textReport)(report, replicas));
  const hasPassed = report.checks.every(({ pass }) => pass) && replicas.every(({ error }) => error === "");
  if (!hasPassed) process.exitCode = EXIT.failed;
}

/** @returns the reason why the server cannot be reached, or "" if it can be reached */
async function reach(address: ServerAddress): Promise<string> {
  try {
    (await openSocket(address, REPLICA_MS, "json://")).destroy();
    return "";
  } catch (problem) {
    return (problem as Error).message;
  }
}

interface Replica {
  readonly host: string;
  readonly port: number;
  /** The reason why the server cannot be reached, or "" if it can be reached. */
  readonly error: string;
}

/**
 * Returns the text report of the original JSON server's test client. Source: test/vectors/json/test-client-text.txt,
 * with which a test compares it.
 */
export function textReport({ latency, samples, checks }: JsonTest, replicas: readonly Replica[]): string {
  const byAction = [...samples].map(([name, times]) => {
    const { avg, min, max } = summary(times);
    return `- ${name}: avg ${avg.toFixed(2)}, min ${min.toFixed(2)}, max ${max.toFixed(2)}`;
  });

  const passed = checks.filter(({ pass }) => pass).length;
  const lines = [
    "Test Report",
    "===========",
    `Latency (ms): ${latency.toFixed(2)}`,
    "Latency by action (ms):",
    ...byAction,
    `Replicas configured: ${replicas.length}`,
    `Replicas reachable: ${reachable(replicas)}`,
    ...replicas.map(
      ({ host, port, error }) => `Replica ${host}:${port}: ${error === "" ? "OK" : `FAIL - ${error}`}`,
    ),
    ...checks.map(
      ({ pass, message }, at) => `${String(at + 1).padStart(2, "0")}) ${pass ? "PASS" : "FAIL"} - ${message}`,
    ),
    "-----------",
    `Passed: ${passed}`,
    `Failed: ${checks.length - passed}`,
    "",
  ];
  return shownLines(lines.join("\n"));
}

/** Returns the same report in PHP's pretty-printed form of JSON. Source: test/vectors/json/test-client.json. */
export function jsonReport({ latency, samples, checks }: JsonTest, replicas: readonly Replica[]): string {
  const byAction = [...samples].map(([name, times]) => [name, { ...summary(times), samples: times }]);

  const passed = checks.filter(({ pass }) => pass).length;
  const report = {
    latency_ms: latency,
    latency_by_action: Object.fromEntries(byAction),
    replicas_configured: replicas.length,
    replicas_reachable: reachable(replicas),
    replica_details: replicas.map(({ host, port, error }) => ({ ip: host, port, ok: error === "", error })),
    results: checks,
    passed,
    failed: checks.length - passed,
  };
  return `${withEscapesOfJson(JSON.stringify(report, null, 4)).replaceAll("/", "\\/")}\n`;
}

function summary(times: readonly number[]): { avg: number; min: number; max: number } {
  const sum = times.reduce((a, b) => a + b, 0);
  return { avg: sum / times.length, min: Math.min(...times), max: Math.max(...times) };
}

const reachable = (replicas: readonly Replica[]) => replicas.filter(({ error }) => error === "").length;

type Answer = Readonly<Record<string, unknown>>;

/**
 * `dbsync test json://…`: runs the checks of the original JSON server's test client, in the same order and with the
 * same messages, on a temporary document. Source of the checks and the numbers of samples:
 * test/vectors/json/test-client.json.
 */
export interface Check {
  readonly pass: boolean;
  readonly message: string;
}

export interface JsonTest {
  /** Milliseconds until the answer to the first request. */
  readonly latency: number;
  /** The times of each action's requests, in milliseconds; actions are in the order of their first request. */
  readonly samples: ReadonlyMap<string, readonly number[]>;
  readonly checks: readonly Check[];
}

const SAMPLES = 3;
/** The id that the original JSON server assigns to a document's first entry. */
const FIRST_ID = "0";
const JOHN = { name: "John", role: "admin", gender: "male" };
const ANNA = { name: "Anna", role: "user", gender: "female" };
const OTHERS = [
  { name: "Peter", role: "user", gender: "male" },
  { name: "Mary", role: "admin", gender: "female" },
];

/** Runs all checks on a server. @throws Error  the connection failed */
export async function testJsonServer(server: JsonServerClient): Promise<JsonTest> {
  const document = `dbsync_test_${randomUUID().slice(0, 8)}`;
  const samples = new Map<string, number[]>();
  const checks: Check[] = [];
  const timed = async (request: object) => {
    const started = performance.now();
    const answer = await server.query(request);
    return { answer, ms: performance.now() - started };
  };
  /** @param name  the action's name in the report */
  const query = async (name: string, action: string, more: object = {}) => {
    const { answer, ms } = await timed({ action, ...more });
    samples.set(name, [...(samples.get(name) ?? []), ms]);
    return answer;
  };
  const check = (message: string, pass: boolean) => void checks.push({ pass, message });

  const { ms: latency, answer: probe } = await timed({ action: "list" });
  check("latency probe (list) returns response", "status" in probe);
  check("list returns response", "status" in (await query("list", "list")));
  await query("drop", "drop", { document });
  check("create document", succeeded(await query("create", "create", { document })));
  const inserted = await query("insert", "insert", { document, data: [JOHN, ANNA] });
  check("insert entries", succeeded(inserted));
  const entries = entriesOf(await query("get", "get", { document }));
  check("get document returns 2 entries", Object.keys(entries).length === 2);
  const byId = entriesOf(await query("get_by_id", "get", { document, id: FIRST_ID }))[FIRST_ID];
  check("get by id returns John", nameOf(byId) === JOHN.name);
  const { document_keys: keys } = await query("getkeys", "getkeys", { document });
  const hasKeys = Array.isArray(keys) && Object.keys(JOHN).every((name) => keys.includes(name));
  check("getkeys includes name/role/gender", hasKeys);
  const found = entriesOf(await query("query", "get", { document, query: { name: JOHN.name } }));
  check("query returns 1 entry", Object.keys(found).length === 1);
  check("count returns 2", (await query("count", "count", { document }))["count"] === 2);
  const updated = await query("update", "update", { document, id: FIRST_ID, data: OTHERS });
  check("update whole document", succeeded(updated));
  check("delete entry", succeeded(await query("delete", "delete", { document, id: FIRST_ID })));
  const remaining = await query("count_after_delete", "count", { document });
  check("count after delete returns 1", remaining["count"] === 1);
  check("empty document", succeeded(await query("empty", "empty", { document })));
  check("drop document", succeeded(await query("drop_final", "drop", { document })));
  check("getall returns response", "status" in (await query("getall", "getall", { replicate: false })));
  for (let sample = 0; sample < SAMPLES; sample++) await query("list_sample", "list");
  for (let sample = 0; sample < SAMPLES; sample++)
    await query("getall_sample", "getall", { replicate: false });
  for (let sample = 0; sample < SAMPLES; sample++) await query("count_sample", "count", { document });
  return { latency, samples, checks };
}

const succeeded = ({ status }: Answer) => status === "success";

/** Returns the entries by id, or by index if the answer is a list. */
function entriesOf({ data }: Answer): Readonly<Record<string, unknown>> {
  return typeof data === "object" && data !== null ? (data as Record<string, unknown>) : {};
}

function nameOf(entry: unknown): unknown {
  return typeof entry === "object" && entry !== null ? (entry as Record<string, unknown>)["name"] : undefined;
}
