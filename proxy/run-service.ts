/** A service as a program: started, told to stop by signals, and ended with a code. */
import type { Logger } from "pino";
import type { LogFormat, LogLevel } from "../serving/process/log.js";
import { openLog } from "../serving/process/log.js";
import type { Service } from "../serving/process/service.js";

const EXIT_FAILED = 1;

/** @throws StartError  it could not be started */
export async function runService(
  { logLevel, logFormat }: { readonly logLevel: LogLevel; readonly logFormat: LogFormat },
  make: (log: Logger) => Promise<Service> | Service,
): Promise<void> {
  const log = await openLog(logLevel, logFormat);
  const exit = (code: number) => {
    log.close().finally(() => process.exit(code));
  };
  // Bad input never gets here.
  const crash = (problem: unknown) => {
    log.logger.fatal({ err: problem }, "stopped by a bug; please report it");
    exit(EXIT_FAILED);
  };
  process.on("uncaughtException", crash);
  process.on("unhandledRejection", crash);
  let service: Service | null = null;
  try {
    const made = await make(log.logger);
    service = made;
    let isStopping = false;
    const stop = (signal: string) => {
      if (isStopping) return process.exit(EXIT_FAILED);
      isStopping = true;
      log.logger.info({ signal }, "stopping");
      made.stop().then(() => {
        log.logger.info("stopped");
        exit(0);
      }, crash);
    };
    process.on("SIGTERM", stop);
    process.on("SIGINT", stop);
    await made.start();
  } catch (problem) {
    // What listens already would keep the program running.
    await service?.stop();
    await log.close();
    throw problem;
  }
}
