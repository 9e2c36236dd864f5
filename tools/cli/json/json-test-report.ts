/**
 * The report of the original JSON server's test client, as text and as JSON in PHP's pretty-printed form. Source:
 * test/vectors/json/test-client-text.txt and test-client.json. A test compares this output with these files.
 */
import { shownLines } from "../../../daemon/net/terminal/escaped-text.js";
import { withEscapesOfJson } from "../../../protocol/control-characters.js";
import type { JsonTest } from "./json-test.js";

export interface Replica {
  readonly host: string;
  readonly port: number;
  /** The reason why the server cannot be reached, or "" if it can be reached. */
  readonly error: string;
}

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
