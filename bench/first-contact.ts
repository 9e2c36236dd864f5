/** From a clone to the first answer, by the three lines of docs/first-contact.md: how long each takes. */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { firstContacts, lackOf, meet } from "../test/support/first-contact.js";
import { ownFiles, repositoryRoot } from "../test/support/repository.js";
import { median } from "./measure.js";
import { machine, report, table } from "./report.js";

const smoke = process.argv.includes("--smoke");
const ROUNDS = smoke ? 1 : 5;
const MS = 1000;

async function main(): Promise<void> {
  const clone = smoke ? repositoryRoot : copy();
  const begun = performance.now();
  // What a smoke run would only build once more.
  if (!smoke) execFileSync("bash", ["-c", "npm install"], { cwd: clone, stdio: "ignore" });
  const installed = performance.now() - begun;
  const rows: (string | number)[][] = [];
  for (const contact of firstContacts().filter((one) => lackOf(one) === false)) {
    const met = [];
    for (let round = 0; round < ROUNDS; round++) met.push(await meet(contact, clone));
    const failure = met.find(({ answer }) => answer.code !== 0);
    if (failure !== undefined) throw new Error(`${contact.name}: ${failure.answer.stderr}`);
    const [listening, answered] = [
      median(met.map((one) => one.listening)),
      median(met.map((one) => one.answered)),
    ];
    rows.push([
      contact.name,
      ...[installed, listening, answered, installed + listening + answered].map((ms) => ms / MS),
    ]);
  }
  if (!smoke) rmSync(clone, { recursive: true, force: true });
  const text = `## From a clone to the first answer

${machine()} Seconds for the three lines of docs/first-contact.md, without the time that somebody types: \`npm install\` with npm's cache filled, the build among it,
once for all; the others as medians of ${ROUNDS}.

${table(["", "npm install", "npx dbsyncd, until it listens", "the command, until its answer", "together"], rows)}`;
  report("first-contact", text, smoke);
}

/** What git would clone. */
function copy(): string {
  const clone = mkdtempSync(join(tmpdir(), "dbsync-clone-"));
  for (const file of ownFiles()) {
    mkdirSync(dirname(join(clone, file)), { recursive: true });
    cpSync(join(repositoryRoot, file), join(clone, file));
  }
  return clone;
}

await main();
