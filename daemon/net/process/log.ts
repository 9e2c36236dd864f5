/** The daemon's log: JSON lines on standard output, or coloured text if that is a terminal. */
import { isatty } from "node:tty";
import { destination, type Logger, pino, stdTimeFunctions } from "pino";
import { withEscapesOfJson } from "../../../protocol/control-characters.js";
import type { LogFormat, LogLevel } from "./log-settings.js";
import { loadWith } from "./service.js";

const STDOUT = 1;

/**
 * The maximum number of log bytes that wait for a slow reader of standard output. Further lines are dropped, so that
 * the daemon is not blocked.
 */
const MAX_WAITING_BYTES = 16 * 1024 * 1024;

/** The milliseconds for which closing may wait for a slow reader of standard output. */
const CLOSE_MS_MAX = 500;

/** pino's number for the level "trace". The numbers of the other levels are higher. */
const TRACE_LEVEL = 10;

/** The maximum number of bytes of a frame that the trace shows. */
const MAX_SHOWN_BYTES = 256;

/** Escapes control characters of texts from clients, so that the log can be read on a terminal. */
const JSON_HOOKS = { streamWrite: withEscapesOfJson };

/** An escape of JSON; its group is that of a control character which is not a line break or a tab. */
const ESCAPE = /\\(?:["\\nt/]|(u[\da-f]{4}|[bfr]))/g;

/**
 * Escapes them for pino-pretty, which converts the escapes of JSON back to characters: they get another backslash.
 * Line breaks and tabs, for example of a stack trace, remain.
 */
const PRETTY_HOOKS = {
  streamWrite: (line: string) =>
    withEscapesOfJson(line).replace(ESCAPE, (found, control) =>
      control === undefined ? found : `\\${found}`,
    ),
};

export interface Log {
  readonly logger: Logger;
  /** Writes the waiting lines, for a limited time. Nothing is logged afterwards. */
  close(): Promise<void>;
}

export async function openLog(level: LogLevel, format: LogFormat): Promise<Log> {
  const options = {
    level,
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };

  const pretty =
    format === "pretty" || (format === "auto" && isatty(STDOUT)) ? await loadPretty(format) : null;
  if (pretty !== null) {
    const stream = pretty({ colorize: isatty(STDOUT), destination: STDOUT, sync: true });
    return { logger: pino({ ...options, hooks: PRETTY_HOOKS }, stream), close: async () => {} };
  }
  const stream = destination({ dest: STDOUT, sync: false, minLength: 0, maxLength: MAX_WAITING_BYTES });
  // The daemon continues to serve even if the reader of its log disappears.
  stream.on("error", () => {});
  return { logger: pino({ ...options, hooks: JSON_HOOKS }, stream), close: () => closeStream(stream) };
}

/** Loads pino-pretty. Returns null if it is not installed and no option requires it. */
async function loadPretty(format: LogFormat) {
  const loading = loadWith("pino-pretty", "--log-format pretty", () => import("pino-pretty"));
  if (format === "pretty") return (await loading).PinoPretty;
  return loading.then(
    (module) => module.PinoPretty,
    () => null,
  );
}

function closeStream(stream: ReturnType<typeof destination>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, CLOSE_MS_MAX);
    stream.once("close", () => {
      clearTimeout(timer);
      resolve();
    });
    stream.end();
  });
}

/** Whether the log contains the trace. pino computes its level at each access: ask once for many commands. */
export const isTracing = (log: Logger): boolean => log.levelVal <= TRACE_LEVEL;

/**
 * Writes one line of the trace. At other levels it costs only a comparison.
 * @param showsBytes  whether the line shows the bytes; otherwise it shows only their number
 */
export function traceFrame(
  log: Logger,
  direction: "received" | "sent",
  remote: string,
  frame: Buffer | string,
  showsBytes: boolean,
): void {
  if (!isTracing(log)) return;
  if (!showsBytes) {
    log.trace({ direction, remote, length: frame.length }, "frame");
    return;
  }
  const bytes = typeof frame === "string" ? Buffer.from(frame, "latin1") : frame;
  log.trace({ direction, remote, bytes: shownBytes(bytes) }, "frame");
}

/** Writes the user, and the command's name without arguments, of a connection whose bytes the trace does not show. */
export function traceCommand(
  log: Logger,
  remote: string,
  client: { readonly doing: { readonly name: string; readonly command: string } },
): void {
  const { name, command } = client.doing;
  log.trace({ remote, user: name, command }, "command");
}

/** Escapes bytes, and truncates them after `MAX_SHOWN_BYTES`. */
function shownBytes(bytes: Buffer): string {
  const shown = bytes.toString("latin1", 0, MAX_SHOWN_BYTES);
  const escaped = shown.replace(/[^\x20-\x5b\x5d-\x7e]/g, escapeByte);
  return bytes.length > MAX_SHOWN_BYTES ? `${escaped}… (${bytes.length} bytes)` : escaped;
}

function escapeByte(char: string): string {
  if (char === "\\") return "\\\\";
  if (char === "\n") return "\\n";
  return `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`;
}
