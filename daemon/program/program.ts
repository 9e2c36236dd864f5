/** The program `dbsyncd`: reads the options, runs the daemon, handles signals and sets the exit code. */
import { randomBytes } from "node:crypto";
import { realEnvironment } from "../net/process/clock-and-randomness.js";
import { writeCompileCache } from "../net/process/compile-cache.js";
import { compileEarly } from "../net/process/early-optimization.js";
import { runService } from "../net/process/run-service.js";
import type { SighupHandler } from "../net/process/sighup.js";
import { StartError } from "../net/process/start-error.js";
import { boundYoungGeneration } from "../net/process/young-generation.js";
import { shownLines } from "../net/terminal/escaped-text.js";
import type { Settings } from "../options/settings.js";
import { OutOfMemory } from "../store/keyspace/out-of-memory.js";
import type { Semantics } from "../store/semantics.js";
import { seedNameHash } from "../store/values/tables/name-hash.js";
import { readCommandLine } from "./command-line.js";
import { Daemon } from "./daemon.js";

const TOO_SMALL =
  "stopped: there is not enough memory for commands that other daemons may have applied. Add memory, and start it again";

const arguments_ = process.argv.slice(2);

/** Runs the program. @param known  the semantics of commands by number; default: those of this release */
export async function main(hangUps: SighupHandler, known?: Semantics): Promise<void> {
  try {
    const task = await readCommandLine(arguments_, process.env);
    if (task.kind === "print") process.stdout.write(task.text);
    else await run(task.settings, hangUps, known);
  } catch (problem) {
    if (!(problem instanceof StartError)) throw problem;
    process.stderr.write(`dbsyncd: ${shownLines(problem.message)}\n`);
    process.exitCode = problem.exitCode;
  }
}

async function run(settings: Settings, hangUps: SighupHandler, known?: Semantics): Promise<void> {
  const nameKey = randomBytes(8);
  seedNameHash(nameKey.readInt32LE(0), nameKey.readInt32LE(4));
  const engineOptions = [...process.execArgv, process.env["NODE_OPTIONS"]].join(" ");
  const growYoungGeneration = boundYoungGeneration(engineOptions);
  const { logLevel, logFormat } = settings;
  const daemon = await runService(
    { logLevel, logFormat, crashText: (problem) => (problem instanceof OutOfMemory ? TOO_SMALL : null) },
    (log, shutDown) => new Daemon({ settings, environment: realEnvironment, known, log, shutDown }),
  );
  // V8 uses compiled code only with the flags with which it was written: those at the start.
  growYoungGeneration();
  writeCompileCache();
  // Optimizing the code of the start, which runs once, would take more time than it saves.
  compileEarly(engineOptions);
  hangUps.handle(() => {
    reload(daemon.service).catch((problem) => {
      // No input of a file may end a daemon that runs, not even one that reveals a fault of this program.
      const fault = problem instanceof StartError ? {} : { err: problem };
      daemon.log.error(fault, `The old configuration stays in effect: ${problem.message}`);
    });
  });
}

async function reload(daemon: Daemon): Promise<void> {
  const task = await readCommandLine(arguments_, process.env);
  if (task.kind === "run") await daemon.reload(task.settings);
}
