/**
 * `node dist/test/simulation/members/main.js`: runs the members' model and prints the results.
 *   --seed N       only that run
 *   --seeds N      N runs; --from N the first seed
 *   --without NAME removes one rule; --removals removes each rule in turn, until --catches seeds have detected it
 */
import { parseArgs } from "node:util";
import { REMOVALS, rulesWithout } from "./removals.js";
import { World } from "./world.js";

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    seeds: { type: "string", default: "2000" },
    from: { type: "string", default: "1" },
    without: { type: "string" },
    removals: { type: "boolean", default: false },
    catches: { type: "string", default: "3" },
  },
});

const [first, count] = [Number(values.from), Number(values.seeds)];

/** Maximum number of problems printed for a seed. */
const SHOWN_MAX = 3;
const FAILED_MAX = 10;
/** Seeds between two progress lines. */
const PROGRESS_EVERY = 10_000;

if (values.seed !== undefined) one(Number(values.seed));
else if (values.removals) table();
else many();

function one(seed: number): void {
  const { problems, settings, ...figures } = new World(seed, rulesWithout(values.without ?? null)).run();
  console.log(settings, figures);
  for (const problem of problems) console.log(problem);
  if (problems.length > 0) process.exitCode = 1;
}

function many(): void {
  const rules = rulesWithout(values.without ?? null);
  const started = process.cpuUsage();
  const sums = { stableMoves: 0, lists: 0, envelopes: 0, deadLetters: 0 };
  const healed: number[] = [];
  let failed = 0;
  let seed = first;

  for (; seed < first + count && failed < FAILED_MAX; seed++) {
    const verdict = new World(seed, rules).run();
    for (const name of Object.keys(sums) as (keyof typeof sums)[]) sums[name] += verdict[name];
    if (verdict.healedAfter !== null) healed.push(verdict.healedAfter);
    if ((seed - first) % PROGRESS_EVERY === 0) console.log(`seed ${seed}`);

    if (verdict.problems.length === 0) continue;
    failed++;
    process.exitCode = 1;
    console.log(`seed ${seed}: ${verdict.problems.slice(0, SHOWN_MAX).join("\n  ")}`);
    const without = values.without === undefined ? "" : ` --without "${values.without}"`;
    console.log(`  node dist/test/simulation/members/main.js --seed ${seed}${without}`);
  }

  const { user, system } = process.cpuUsage(started);
  const seconds = (user + system) / 1e6;
  healed.sort((a, b) => a - b);
  const at = (share: number) => healed[Math.floor(share * (healed.length - 1))];
  console.log(
    `${failed} of ${seed - first} seeds failed, ${((seed - first) / seconds).toFixed(0)} per second on one core`,
  );
  console.log(sums, `recovered after ${at(0.5)} ticks (half), ${at(0.99)} (99 %), ${at(1)} (all)`);
}

/** Prints the first seeds that detect each removed rule. */
function table(): void {
  const catches = Number(values.catches);
  for (const name of Object.keys(REMOVALS)) {
    if (values.without !== undefined && name !== values.without) continue;
    const rules = rulesWithout(name);
    const caught: string[] = [];
    let seed = first;
    let sentence = "";
    for (; seed < first + count && caught.length < catches; seed++) {
      const { problems } = new World(seed, rules).run();
      if (problems.length === 0) continue;
      caught.push(String(seed));
      sentence ||= problems[0] as string;
    }
    if (caught.length === 0) process.exitCode = 1;
    const seeds = caught.length === 0 ? `none of ${seed - first}` : caught.join(", ");
    console.log(`| ${name} | ${seeds} | ${sentence.replace(/^tick \d+, daemon -?\d+: /, "")} |`);
  }
}
