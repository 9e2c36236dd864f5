/** A logger whose lines a test can read. */
import { type Logger, pino } from "pino";
import type { LogLine } from "./daemon-process.js";

/** Makes a logger. @returns the logger, and the array to which it adds its lines */
export function keepLog(level: "trace" | "debug" | "info"): { log: Logger; lines: LogLine[] } {
  const lines: LogLine[] = [];
  const formatters = { level: (label: string) => ({ level: label }) };
  const log = pino({ level, base: null, formatters }, { write: (line) => lines.push(JSON.parse(line)) });
  return { log, lines };
}
