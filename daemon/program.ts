/** What the program `dbsyncd` does: options → daemon → signals → exit code. */
import { randomBytes } from "node:crypto";
import { realEnvironment } from "../serving/process/environment.js";
import type { HangUps } from "../serving/process/hang-ups.js";
import { openLog } from "../serving/process/log.js";
import { StartError } from "../serving/process/start-error.js";
import { boundYoungGeneration } from "../serving/process/young-generation.js";
import { Shortage } from "../store/engine/shortage.js";
import { seedNameHash } from "../store/values/tables/name-hash.js";
import { readCommandLine } from "./command-line.js";
import { Daemon } from "./daemon.js";
import type { Settings } from "./options/settings.js";

const EXIT_FAILED = 1;
const BUG = "stopped by a bug; please report it";
const TOO_SMALL =
  "stopped, as there is no memory left for what other daemons may have applied: give it more, and start again";

const arguments_ = process.argv.slice(2);

export async function main(hangUps: HangUps): Promise<void> {
  try {
    const task = await readCommandLine(arguments_, process.env);
    if (task.kind === "print") process.stdout.write(task.text);
    else await run(task.settings, hangUps);
  } catch (problem) {
    if (!(problem instanceof StartError)) throw problem;
    process.stderr.write(`dbsyncd: ${problem.message}\n`);
    process.exitCode = problem.exitCode;
  }
}

async function run(settings: Settings, hangUps: HangUps): Promise<void> {
  seedNameHash(randomBytes(4).readInt32LE());
  boundYoungGeneration([...process.execArgv, process.env["NODE_OPTIONS"]].join(" "));
  const log = await openLog(settings.logLevel, settings.logFormat);
  const exit = (code: number) => {
    log.close().finally(() => process.exit(code));
  };
  // Bad input never gets here: this is a bug, or the machine is too small, and what state it left is not known.
  const crash = (problem: unknown) => {
    log.logger.fatal({ err: problem }, problem instanceof Shortage ? TOO_SMALL : BUG);
    exit(EXIT_FAILED);
  };
  process.on("uncaughtException", crash);
  process.on("unhandledRejection", crash);

  let stopping = false;
  const stop = (signal: string) => {
    if (stopping) return process.exit(EXIT_FAILED);
    stopping = true;
    log.logger.info({ signal }, "stopping");
    daemon.stop().then(() => {
      log.logger.info("stopped");
      exit(0);
    }, crash);
  };
  const shutDown = () => stop("SHUTDOWN");
  const daemon = new Daemon({ settings, environment: realEnvironment, log: log.logger, shutDown });
  // Before the start, which may take a while: a signal that comes meanwhile must not find nobody.
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  try {
    await daemon.start();
  } catch (problem) {
    await log.close();
    throw problem;
  }
  hangUps.handle(() => {
    reload(daemon).catch((problem) => {
      if (!(problem instanceof StartError)) return crash(problem);
      log.logger.error(`The old configuration stays: ${problem.message}`);
    });
  });
}

async function reload(daemon: Daemon): Promise<void> {
  const task = await readCommandLine(arguments_, process.env);
  if (task.kind === "run") await daemon.reload(task.settings);
}
