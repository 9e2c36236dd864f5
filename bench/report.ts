/** Prints the results of a benchmark as Markdown, and writes them to its section of bench/RESULTS.md. */
import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { repositoryRoot } from "../test/support/repository.js";
import type { Figures } from "./measure.js";

const FILE = join(repositoryRoot, "bench/RESULTS.md");

const round = (value: number) => (value >= 100 ? value.toFixed(0) : value.toFixed(1));

export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]) =>
    `| ${cells.map((cell) => (typeof cell === "number" ? round(cell) : cell)).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

export function figureCells({ perSecond, p50, p99, p999 }: Figures): number[] {
  return [Math.round(perSecond), p50, p99, p999];
}

export const FIGURE_HEAD = ["per second", "p50 µs", "p99 µs", "p99.9 µs"];

/** Returns a description of the machine. Figures are comparable within one run only. */
export function machine(): string {
  const processors = cpus();
  return `Node ${process.version}, ${processors.length} × ${processors[0]?.model.trim()}, ${new Date().toISOString().slice(0, 10)}.`;
}

/** Prints a section. Except in a smoke run, it also replaces the section of this name in RESULTS.md. */
export function report(name: string, text: string, smoke: boolean): void {
  console.log(`\n${text}\n`);
  if (smoke) return;
  const begin = `<!-- ${name} -->`;
  const end = `<!-- end of ${name} -->`;
  const section = `${begin}\n${text}\n${end}`;
  const old = readFileSync(FILE, "utf8");
  const start = old.indexOf(begin);
  const next =
    start < 0
      ? `${old.trimEnd()}\n\n${section}\n`
      : old.slice(0, start) + section + old.slice(old.indexOf(end) + end.length);
  writeFileSync(FILE, next);
}
