/**
 * Measures units with conditions, on which the members of a list decide, and plain writes with policy `majority`, on
 * the same three daemons with `--data --fsync always`. `--smoke` is short and does not change RESULTS.md.
 */
import type { Client } from "../client/public-api.js";
import { alternate, isSmoke, machine, measure, medians, met, report, table } from "./measure.js";
import { Workspace } from "./timeline-daemons.js";
import { cpuOf } from "./usage.js";

const ROUNDS = isSmoke ? 1 : 5;
const SECONDS = isSmoke ? 0.2 : 1.5;
const GOAL = 2;
/** The numbers of calls in flight. */
const CALLERS = [1, 64];

let counter = 0;

interface Kind {
  readonly name: string;
  call(client: Client): Promise<unknown>;
}

const policy = "majority";
const KINDS: readonly Kind[] = [
  { name: "SET", call: (client) => client.call(["SET", `plain:${++counter}`, "value"], { policy }) },
  {
    name: "SET with NX",
    call: (client) => client.call(["SET", `lock:${++counter}`, "me", "NX"], { policy }),
  },
  {
    name: "SET with `if` of one key",
    call: (client) =>
      client.call(["SET", `cas:${++counter}`, "value"], {
        policy,
        if: [{ key: `cas:${counter}`, writer: null }],
      }),
  },
];

using workspace = new Workspace();
await using servers = await workspace.start("always");
await workspace.list(servers);
await using client = workspace.client(servers);
await client.call(["DEL", "nothing"], { policy: "all" });

/** Measures one kind of unit. `cpu` is the CPU time of all daemons, in microseconds per call. */
async function run(callers: number, { call }: Kind) {
  const [before, calls] = [cpuOf(servers), counter];
  const figures = await measure({ callers, seconds: SECONDS }, () => call(client));
  return { ...figures, cpu: (cpuOf(servers) - before) / (counter - calls) };
}

const rows: (string | number)[][] = [];
for (const callers of CALLERS) {
  const rounds = { rounds: ROUNDS, warmUps: isSmoke ? 0 : 1 };
  const all = (await alternate(KINDS, rounds, (kind) => run(callers, kind))).map(medians);
  for (const [i, { p50, p99, perSecond, cpu }] of all.entries()) {
    const ratio = p50 / (all[0]?.p50 ?? Number.NaN);
    const cell = i === 0 ? "" : `${ratio.toFixed(2)} (${met(ratio <= GOAL)})`;
    rows.push([`${callers}`, KINDS[i]?.name ?? "", p50, p99, Math.round(perSecond), cpu, cell]);
  }
}
report(
  "decisions",
  `## Units with conditions, decided by three members

${machine("decisions")} Three daemons with \`--data --fsync always\` and a signed member list. All calls have policy \`majority\` and keys of their own. Medians of ${ROUNDS} alternating rounds of ${SECONDS} s.
The client and the three daemons share the cores and the disk. Goal: a unit with a condition takes at most ${GOAL} times as long as a plain write.

${table(["in flight", "", "p50 µs", "p99 µs", "per second", "CPU µs of the daemons per call", "p50 ÷ SET"], rows)}`,
);
