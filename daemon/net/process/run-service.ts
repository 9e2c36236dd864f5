/** Runs a service as a program: starts it, stops it on signals, and exits with a code, even after a bug. */

import { execFile } from "node:child_process";
import type { Logger } from "pino";
import { openLog } from "./log.js";
import type { LogFormat, LogLevel } from "./log-settings.js";
import type { Service } from "./service.js";

const EXIT_FAILED = 1;
const BUG = "stopped because of a bug; please report it";

export interface ProgramOptions {
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  /** Returns the log line for an uncaught exception, or null (the default) for the line that reports a bug. */
  readonly crashText?: (problem: unknown) => string | null;
}

export interface Program<S extends Service> {
  readonly service: S;
  readonly log: Logger;
  /** Ends the program immediately, because its state is unknown. */
  readonly crash: (problem: unknown) => void;
}

/**
 * Starts a service as a program.
 * @param make  creates the service; `shutDown` stops the program like a signal
 * @throws StartError  it could not be started
 */
export async function runService<S extends Service>(
  { logLevel, logFormat, crashText = () => null }: ProgramOptions,
  make: (log: Logger, shutDown: () => void) => Promise<S> | S,
): Promise<Program<S>> {
  const { logger: log, close } = await openLog(logLevel, logFormat);
  const exit = (code: number) => {
    close().finally(() => process.exit(code));
  };

  // Only a bug causes an uncaught exception; invalid input never does.
  const crash = (problem: unknown) => {
    log.fatal({ err: problem }, crashText(problem) ?? BUG);
    exit(EXIT_FAILED);
  };
  process.on("uncaughtException", crash);
  process.on("unhandledRejection", crash);

  let service: S | null = null;
  let isStopping = false;
  const stop = (signal: string) => {
    if (isStopping) return process.exit(EXIT_FAILED);
    isStopping = true;
    log.info({ signal }, "stopping");
    Promise.resolve(service?.stop()).then(() => {
      log.info("stopped");
      exit(0);
    }, crash);
  };

  try {
    const made = await make(log, () => stop("SHUTDOWN"));
    service = made;
    // The handlers are set before the start, which may take some time, so that a signal during the start is handled.
    process.on("SIGTERM", stop);
    process.on("SIGINT", stop);
    await made.start();
    notifyReady(log);
    return { service: made, log, crash };
  } catch (problem) {
    // The log will be closed, so errors are thrown and Node prints them.
    process.off("uncaughtException", crash);
    process.off("unhandledRejection", crash);
    // Listeners that have started would keep the program running.
    await Promise.resolve(service?.stop()).catch((reason: unknown) =>
      log.error({ err: reason }, "the service could not be stopped after its failed start"),
    );
    await close();
    throw problem;
  }
}

/** The timeout for systemd, which answers within milliseconds. */
const ANSWER_MS = 30_000;

/**
 * Notifies systemd that all listeners have started, if its unit waits for that (Type=notify). Node does not support the
 * type of socket that systemd listens on, so this runs systemd's own program, which exists wherever systemd does. That
 * program waits until systemd has received the message, and is a separate process, so the unit needs NotifyAccess=all.
 */
function notifyReady(log: Logger): void {
  if ((process.env["NOTIFY_SOCKET"] ?? "") === "") return;
  execFile("systemd-notify", ["--ready"], { timeout: ANSWER_MS }, (problem) => {
    if (problem === null) return;
    log.warn(
      { reason: problem.message },
      "could not notify systemd that this program is ready; if its unit has Type=notify, systemd continues to wait: use Type=exec",
    );
  });
}
