/**
 * `npm run release -- --dry-run`: makes all packages of a release from a clean copy of the repository, installs each in
 * an empty folder, and sends a first command with it. Words choose packages by parts of their names. Without --dry-run,
 * it only prints what a person does to publish.
 */
import { mkdirSync, statSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { startDaemon } from "../support/daemon-process.js";
import { makeKeyPair } from "../support/envelope-client.js";
import { repositoryRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirements.js";
import { ScratchFolder } from "../support/scratch-folder.js";
import { PACKAGES } from "./all-packages.js";
import { forbiddenIn, licencesIn, readBill, writeBill } from "./bill-of-materials.js";
import { missingForPublication } from "./publication.js";
import type { ReleasePackage, Sources } from "./release-package.js";
import { makeSources, versionOf } from "./sources.js";
import { wrongVersions } from "./versions.js";

const OUTPUT = "packages";
const COLUMNS = ["package", "file", "bytes", "seconds to install", "first contact"] as const;

/** A row of the table at the end. */
interface Tried {
  readonly row: readonly [name: string, file: string, bytes: string, seconds: string, contact: string];
  readonly hasFailed: boolean;
  readonly publish: readonly string[];
}

const started = performance.now();
const secondsSince = (start: number): string => ((performance.now() - start) / 1000).toFixed(1);
const report = (line: string): void => console.log(`[${secondsSince(started)} s] ${line}`);

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { "dry-run": { type: "boolean", default: false }, output: { type: "string", default: OUTPUT } },
    allowPositionals: true,
  });
  const chosen = PACKAGES.filter(({ name }) => isChosen(name, positionals));
  if (chosen.length === 0)
    fail(`No package has this name. There are: ${PACKAGES.map(({ name }) => name).join("; ")}.`);
  else if (!values["dry-run"]) refuse();
  else await tryAll(chosen, resolve(values.output));
}

const isChosen = (name: string, words: readonly string[]): boolean =>
  words.length === 0 || words.some((word) => name.includes(word));

function fail(text: string): void {
  console.error(text);
  process.exitCode = 2;
}

/** Says what a person does, since this program publishes nothing. */
function refuse(): void {
  const version = versionOf(repositoryRoot);
  fail(
    [
      `Nothing was published: version ${version} is published by a person, with the accounts of the project.`,
      "  1. Set the version, also in the files that repeat it: npm version NUMBER",
      "  2. Make and try all packages: npm run release -- --dry-run",
      "     It prints what is still missing and, for each package, the lines that publish it.",
      "  3. Type these lines.",
    ].join("\n"),
  );
}

async function tryAll(chosen: readonly ReleasePackage[], output: string): Promise<void> {
  const wrong = wrongVersions(repositoryRoot);
  if (wrong.length > 0) return fail(wrong.join("\n"));

  using scratch = new ScratchFolder();
  const source = join(scratch.path, "source");
  mkdirSync(source);
  const sources = await makeSources(source, output, report);

  report("listing dependencies and licences");
  const bill = await readBill(sources.folder);
  const billFile = writeBill(bill, sources);

  const tried: Tried[] = [];
  for (const each of chosen) tried.push(await tryOne(each, sources));
  printTable([COLUMNS, ...tried.map(({ row }) => row)]);

  const licences = [...licencesIn(bill)].map(([name, count]) => `${name} ${count}`).join(", ");
  console.log(
    `\nDependencies: ${bill.components.length} packages in ${shown(billFile)}. Licences: ${licences}.`,
  );
  printPublication(tried, sources);

  const forbidden = forbiddenIn(bill);
  for (const line of forbidden) console.log(`This licence is not among the permitted ones: ${line}`);
  if (forbidden.length > 0 || tried.some(({ hasFailed }) => hasFailed)) process.exitCode = 1;
}

async function tryOne(each: ReleasePackage, sources: Sources): Promise<Tried> {
  const { name, needs } = each;
  const missing = each.cannotTry?.() || needs.map(skipWithout).find((reason) => reason !== false) || false;
  if (missing !== false)
    return { row: [name, "", "", "", `not tried: ${missing}`], hasFailed: false, publish: [] };

  using folder = new ScratchFolder();
  let file = "";
  let bytes = "";
  let seconds = "";
  try {
    report(`${name}: making the package`);
    file = await each.make(sources);
    bytes = String(statSync(file).size);

    report(`${name}: installing ${shown(file)}`);
    const start = performance.now();
    await each.install(file, folder.path, sources);
    seconds = secondsSince(start);

    report(`${name}: sending INCR visits`);
    const reply = await contactFrom(each, folder.path, sources);
    if (reply !== "1") throw new Error(`the reply was ${JSON.stringify(reply)}, and should be 1`);

    return {
      row: [name, shown(file), bytes, seconds, "ok"],
      hasFailed: false,
      publish: each.publish(file, sources),
    };
  } catch (problem) {
    report(`${name}: ${(problem as Error).message}`);
    return { row: [name, shown(file), bytes, seconds, "failed"], hasFailed: true, publish: [] };
  }
}

/** Sends the command to a new daemon of the clean copy. */
async function contactFrom(each: ReleasePackage, folder: string, sources: Sources): Promise<string> {
  using keys = new ScratchFolder();
  const pair = makeKeyPair("rsa");
  const program = join(sources.folder, "dist/bundles/dbsyncd.js");
  await using daemon = await startDaemon(["-s", pair.file], { program });
  return await each.contact(folder, {
    servers: `${daemon.address}:${daemon.port}`,
    key: keys.privateKey(pair),
  });
}

const shown = (file: string): string => relative(repositoryRoot, file);

function printTable(rows: readonly (readonly string[])[]): void {
  const widths = COLUMNS.map((_, index) => Math.max(...rows.map((row) => (row[index] ?? "").length)));
  console.log("");
  for (const row of rows)
    console.log(
      row
        .map((cell, index) => cell.padEnd(widths[index] ?? 0))
        .join("  ")
        .trimEnd(),
    );
}

function printPublication(tried: readonly Tried[], sources: Sources): void {
  const missing = missingForPublication(sources.folder);
  if (missing.length > 0)
    console.log(`\nStill missing before a publication:\n${missing.map((line) => `  - ${line}`).join("\n")}`);
  console.log("\nA person publishes the packages with these lines:");
  for (const { row, publish } of tried)
    for (const line of publish) console.log(`  ${row[0].padEnd(22)}  ${line}`);
}

await main();
