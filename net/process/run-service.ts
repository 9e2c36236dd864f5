/** Runs a service as a program: starts it, stops it on signals, and exits with a code, also after a bug. */
import type { Logger } from "pino";
import { type LogFormat, type LogLevel, openLog } from "./log.js";
import { notifyReady } from "./ready-notice.js";
import type { Service } from "./service.js";

const EXIT_FAILED = 1;
const BUG = "stopped by a bug; please report it";

export interface ProgramOptions {
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  /** The log line for an exception that nothing caught; null, as by default: that it is a bug. */
  readonly lastWords?: (problem: unknown) => string | null;
}

export interface Program<S extends Service> {
  readonly service: S;
  readonly log: Logger;
  /** Ends the program immediately. Its state is unknown. */
  readonly crash: (problem: unknown) => void;
}

/**
 * @param make  makes the service; `shutDown` stops the program, as a signal does
 * @throws StartError  it could not be started
 */
export async function runService<S extends Service>(
  { logLevel, logFormat, lastWords = () => null }: ProgramOptions,
  make: (log: Logger, shutDown: () => void) => Promise<S> | S,
): Promise<Program<S>> {
  const { logger: log, close } = await openLog(logLevel, logFormat);
  const exit = (code: number) => {
    close().finally(() => process.exit(code));
  };
  // Bad input never gets here.
  const crash = (problem: unknown) => {
    log.fatal({ err: problem }, lastWords(problem) ?? BUG);
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
    // Before the start, which may take a while: a signal during it must find a handler.
    process.on("SIGTERM", stop);
    process.on("SIGINT", stop);
    await made.start();
    notifyReady(log);
    return { service: made, log, crash };
  } catch (problem) {
    // The log is closed: errors are thrown, and Node prints them.
    process.off("uncaughtException", crash);
    process.off("unhandledRejection", crash);
    // What listens already would keep the program running.
    await Promise.resolve(service?.stop()).catch((reason: unknown) =>
      log.error({ err: reason }, "what was started could not be stopped"),
    );
    await close();
    throw problem;
  }
}
