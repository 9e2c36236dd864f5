/**
 * Measures requests of --json clients with many hits: the CPU time that the daemon takes for an answer, beside that of
 * a loop that only parses the entries which the answer is made of, and writes the answer.
 */
import type { TextClient } from "./clients.js";
import { askJson, fillDocument, openJson } from "./json-client.js";
import { alternate, median } from "./measure.js";
import { inEnglish, isSmoke, met, report, table } from "./report.js";
import { startFace } from "./servers.js";
import { cpuMicros } from "./usage.js";

const ENTRIES = isSmoke ? 1_000 : 10_000;
const ROUNDS = isSmoke ? 1 : 7;
const WARM_UPS = isSmoke ? 0 : 5;
/** The number of requests in a round. */
const REQUESTS = isSmoke ? 2 : 20;
const DOCUMENT = "people";

const entryOf = (index: number) => ({
  name: `Person ${index}`,
  email: `person${index}@example.org`,
  age: index % 90,
  group: index % 2,
  city: ["Paris", "Berlin", "Rome"][index % 3],
  active: index % 3 === 0,
  since: "2026-01-17",
  phone: `+49 30 12345${index}`,
  balance: index * 100,
  note: "prefers to be called in the morning",
});

interface Case {
  readonly name: string;
  readonly goal: number;
  /** The members of the request that select entries. */
  readonly selection?: object;
  /** The members of the request that change what is returned. */
  readonly result?: object;
}

const half = { where: { age: { $gte: 45 } } };
const count = { action: "count" };
const fields = ["name", "email", "age", "group", "city"];
const CASES: readonly Case[] = [
  { name: "all entries", goal: 0.5 },
  { name: "half of the entries, by a range", goal: 0.6, selection: half },
  { name: "half of the entries, by a value", goal: 0.6, selection: { query: { group: 1 } } },
  { name: "half of the members of all entries", goal: 0.6, result: { fields } },
  { name: "count of half of the entries, by a range", goal: 0.3, selection: half, result: count },
];

async function measureCase(pid: number, client: TextClient, { name, goal, selection, result }: Case) {
  const request = { action: "get", document: DOCUMENT, ...selection };
  const parsed = await askJson(client, request);
  const answer = await askJson(client, { ...request, ...result });
  const isCount = result !== undefined && "action" in result;
  const written: unknown = JSON.parse(isCount ? parsed : answer);
  const ask = async () => {
    const before = cpuMicros(pid);
    for (let left = REQUESTS; left > 0; left--) await askJson(client, { ...request, ...result });
    return (cpuMicros(pid) - before) / REQUESTS;
  };
  const loop = () => {
    const before = process.cpuUsage();
    for (let left = REQUESTS; left > 0; left--) {
      const value: unknown = JSON.parse(parsed);
      JSON.stringify(parsed === answer || isCount ? value : written);
    }
    const { user, system } = process.cpuUsage(before);
    return (user + system) / REQUESTS;
  };
  const runs = await alternate<() => number | Promise<number>, number>(
    [ask, loop],
    { rounds: ROUNDS, warmUps: WARM_UPS },
    (run) => run(),
  );
  const [ours, bare] = runs.map(median) as [number, number];
  const ratio = ours / bare;
  const sizes = [inEnglish(parsed.length), inEnglish(answer.length)];
  return [name, ...sizes, ours, bare, ratio.toFixed(2), `≤ ${goal} (${met(ratio <= goal)})`];
}

await using daemon = await startFace("json");
await fillDocument(daemon.face.port, DOCUMENT, ENTRIES, entryOf);
using client = await openJson(daemon.face.port);
const rows = [];
for (const one of CASES) rows.push(await measureCase(daemon.pid, client, one));
report(
  "document-hits",
  "Documents with many hits",
  `${inEnglish(ENTRIES)} entries of 10 members, one client of \`--json\` without an index. CPU time of the daemon for one answer, and of a loop that
calls \`JSON.parse\` with the text of the same entries and \`JSON.stringify\` with what the answer contains; for a count, with the entries. Medians of ${ROUNDS} rounds of ${REQUESTS} requests, in turn, after ${WARM_UPS} others.

${table(["", "characters parsed", "characters of the answer", "daemon, CPU µs", "loop, CPU µs", "daemon ÷ loop", "goal"], rows)}`,
);
