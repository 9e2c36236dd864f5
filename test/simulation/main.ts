/**
 * `npm run simulate`: runs the simulation and prints the results.
 *   --seed N    only that run; `--trace` also prints each event
 *   --seeds N   N runs; --from N the first seed; --keep continues after five failures
 *   --except N,N   skips seeds
 *   --without rot,wipe,votes   leaves out kinds of faults and lies, or features: tables, groups, scripts, claims,
 *   comparing, lists, contention, several, patterns
 *   --only-patterns   runs only the seeds in which keys are decided
 */
import { parseArgs } from "node:util";
import { makeWorld, simulate } from "./simulate.js";

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    seeds: { type: "string", default: "200" },
    from: { type: "string", default: "1" },
    trace: { type: "boolean", default: false },
    keep: { type: "boolean", default: false },
    without: { type: "string", default: "" },
    except: { type: "string", default: "" },
    "only-patterns": { type: "boolean", default: false },
  },
});

/** The figures whose mean over all runs is printed. */
const FIGURES = [
  "events",
  "entries",
  "acknowledged",
  "decided",
  "placed",
  "begun",
  "stable",
  "replicated",
  "snapshots",
  "ordered",
  "expelled",
  "lists",
  "pruned",
  "compared",
  "voids",
  "redone",
  "healedAfter",
] as const;

/** Runs between two progress lines. */
const PROGRESS_EVERY = 100;

const without = values.without.split(",");

async function main(): Promise<void> {
  if (values.seed !== undefined) {
    const verdict = await simulate(Number(values.seed), {
      print: values.trace ? (line) => console.log(line) : null,
      without,
    });
    const { problems, settings, ...figures } = verdict;
    console.log(
      { ...settings, faults: [...settings.faults].join(" "), lies: [...settings.lies].join(" ") },
      figures,
    );
    for (const problem of problems) console.log(problem);
    if (problems.length > 0) process.exitCode = 1;
    return;
  }

  const started = performance.now();
  const [first, count] = [Number(values.from), Number(values.seeds)];
  let failed = 0;
  let ran = 0;
  const sums: Record<string, number> = {};
  const except = new Set(values.except.split(","));

  for (let seed = first; seed < first + count; seed++) {
    if (except.has(String(seed))) continue;
    // This line shows which seed was running if a user ends a run that hangs.
    if ((seed - first) % PROGRESS_EVERY === 0) console.log(`seed ${seed}`);
    if (values["only-patterns"] && makeWorld(seed, null, without).settings.patterns === 0) continue;

    ran++;
    const verdict = await simulate(seed, { without });
    const { problems } = verdict;
    for (const name of FIGURES) sums[name] = (sums[name] ?? 0) + verdict[name];

    if (problems.length === 0) continue;
    failed++;
    process.exitCode = 1;
    console.log(`seed ${seed}: ${[...new Set(problems)].slice(0, 3).join("\n  ").slice(0, 700)}`);
    console.log(
      `  npm run simulate -- --seed ${seed}${without[0] === "" ? "" : ` --without ${without.join(",")}`}`,
    );
    if (!values.keep && failed >= 5) break;
  }
  console.log(FIGURES.map((name) => `${name} ${((sums[name] ?? 0) / ran).toFixed(2)}`).join(", "));
  console.log(`${failed} of ${ran} runs failed, ${((performance.now() - started) / ran).toFixed(0)} ms each`);
}

await main();
