/**
 * Measures units with conditions, on which the members of a list decide, and plain writes with policy `majority`, on
 * the same three daemons with `--data --fsync always`.
 */
import { alternate, measureWithCpu, medians } from "./measure.js";
import { isSmoke, met, report, table } from "./report.js";
import { startThree } from "./servers.js";

const ROUNDS = isSmoke ? 1 : 5;
const SECONDS = isSmoke ? 0.2 : 1.5;
const GOAL = 2;
/** The numbers of calls in flight. */
const CALLERS = [1, 64];

let counter = 0;

await using trio = await startThree("always");
await trio.list();
await using client = trio.client();
await client.call(["DEL", "nothing"], { policy: "all" });

const policy = "majority";
const KINDS: Readonly<Record<string, () => Promise<unknown>>> = {
  SET: () => client.call(["SET", `plain:${++counter}`, "value"], { policy }),
  "SET with NX": () => client.call(["SET", `lock:${++counter}`, "me", "NX"], { policy }),
  "SET with `if` of one key": () => {
    const key = `cas:${++counter}`;
    return client.call(["SET", key, "value"], { policy, if: [{ key, writer: null }] });
  },
};

const rows: (string | number)[][] = [];
for (const callers of CALLERS) {
  const rounds = { rounds: ROUNDS, warmUps: isSmoke ? 0 : 1 };
  const runs = await alternate(Object.values(KINDS), rounds, async (call) => {
    const before = process.cpuUsage();
    const figures = await measureWithCpu(trio.running, { callers, seconds: SECONDS }, call);
    const { user, system } = process.cpuUsage(before);
    return { ...figures, client: (user + system) / figures.calls };
  });
  const all = runs.map(medians);
  for (const [i, { p50, p99, perSecond, cpu, client }] of all.entries()) {
    const ratio = p50 / (all[0]?.p50 ?? Number.NaN);
    const cell = i === 0 ? "" : `${ratio.toFixed(2)} (${met(ratio <= GOAL)})`;
    const each = [p50, p99, Math.round(perSecond), cpu, client, cell];
    rows.push([`${callers}`, Object.keys(KINDS)[i] ?? "", ...each]);
  }
}
report(
  "decisions",
  "Units with conditions, decided by three members",
  `Three daemons with \`--data --fsync always\` and a signed member list. All calls have policy \`majority\` and keys of their own. Medians of ${ROUNDS} alternating rounds of ${SECONDS} s.
The client and the three daemons share the cores and the disk. Goal: a unit with a condition takes at most ${GOAL} times as long as a plain write.

${table(["in flight", "", "p50 µs", "p99 µs", "per second", "CPU µs of the daemons per call", "of the client", "p50 ÷ SET"], rows)}`,
);
