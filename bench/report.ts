/** Prints the results of a benchmark as Markdown, and writes them to its section of bench/RESULTS.md. */
import { readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { basename, join } from "node:path";
import { repositoryRoot } from "../test/support/repository.js";
import type { Figures } from "./measure.js";

/** Whether this run is short, and does not change RESULTS.md. */
export const isSmoke = process.argv.includes("--smoke");

const FILE = join(repositoryRoot, "bench/RESULTS.md");

const round = (value: number) => (value >= 100 ? value.toFixed(0) : value.toFixed(1));

/** Returns a table in Markdown. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]) =>
    `| ${cells.map((cell) => (typeof cell === "number" ? round(cell) : cell)).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

export function figureCells({ perSecond, p50, p99, p999 }: Figures): number[] {
  return [Math.round(perSecond), p50, p99, p999];
}

export const FIGURE_HEAD = ["per second", "p50 µs", "p99 µs", "p99.9 µs"];

/** The load average over one minute before the run. */
const loadBefore = loadavg()[0] ?? 0;

/** Whether other programs run, so that rates mean nothing. */
export const isBusy = loadBefore > 1;

/** Describes the machine, and the command of the benchmark. Figures are comparable within one run only. */
function machine(): string {
  const processors = cpus();
  const hardware = `${processors.length} × ${processors[0]?.model.trim()}`;
  const command = `\`npm run bench -- ${basename(process.argv[1] ?? "", ".js")}\``;
  return `Node ${process.version}, ${hardware}, ${new Date().toISOString().slice(0, 10)}. ${command}. Load average before the run: ${loadBefore.toFixed(1)}.`;
}

/** Returns whether a goal is met, as a word. */
export const met = (isMet: boolean): string => (isMet ? "met" : "missed");

/** Returns the name of a case with its number of clients. */
export const ofClients = (name: string, clients: number): string =>
  `${name}, ${clients} client${clients === 1 ? "" : "s"}`;

export const inEnglish = (value: number): string => Math.round(value).toLocaleString("en");

/**
 * Prints a section that begins with a description of the machine. Except in a smoke run, it also replaces the section
 * of this name in RESULTS.md.
 * @param isOnlyPrinted  whether RESULTS.md does not change
 */
export function report(name: string, title: string, text: string, isOnlyPrinted = isSmoke): void {
  const content = `## ${title}\n\n${machine()} ${text}`;
  console.log(`\n${content}\n`);
  if (isOnlyPrinted) return;
  const begin = `<!-- ${name} -->`;
  const end = `<!-- end of ${name} -->`;
  const section = `${begin}\n${content}\n${end}`;
  const old = readFileSync(FILE, "utf8");
  const start = old.indexOf(begin);
  const next =
    start < 0
      ? `${old.trimEnd()}\n\n${section}\n`
      : old.slice(0, start) + section + old.slice(old.indexOf(end) + end.length);
  writeFileSync(FILE, next);
}
