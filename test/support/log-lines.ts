/** A log that a test reads. */
import { type Logger, pino } from "pino";
import type { LogLine } from "./daemon-process.js";

/** Makes a log. @returns the log, and its lines as they come */
export function keepLog(level: "debug" | "info"): { log: Logger; lines: LogLine[] } {
  const lines: LogLine[] = [];
  const formatters = { level: (label: string) => ({ level: label }) };
  const log = pino({ level, base: null, formatters }, { write: (line) => lines.push(JSON.parse(line)) });
  return { log, lines };
}
