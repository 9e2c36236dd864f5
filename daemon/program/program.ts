/**
 * The program `dbsyncd`: determines its task from the command line, the environment and the configuration file, runs
 * the daemon, handles signals and sets the exit code.
 */
import { randomBytes } from "node:crypto";
import { CommanderError } from "commander";
import { pino } from "pino";
import { realEnvironment } from "../net/process/clock-and-randomness.js";
import { writeCompileCache } from "../net/process/compile-cache.js";
import { runService } from "../net/process/run-service.js";
import { StartError } from "../net/process/service.js";
import type { SighupHandler } from "../net/process/sighup.js";
import { boundYoungGeneration, compileEarly, engineOptions } from "../net/process/v8-flags.js";
import { version } from "../net/process/version.js";
import { breakHelp, shownLines } from "../net/terminal/terminal-text.js";
import { attributeOf, environmentNameOf, nameOf } from "../options/option-row.js";
import type { OptionName } from "../options/option-table.js";
import {
  type Actions,
  applyNamedFile,
  type OptionProgram,
  optionProgram,
  parseArguments,
} from "../options/parse-options.js";
import { settingsOf, valuesOf } from "../options/read-settings.js";
import { type OptionValues, type Settings, tlsFilesOf } from "../options/settings.js";
import { OutOfMemory } from "../store/keyspace/out-of-memory.js";
import type { Semantics } from "../store/semantics.js";
import { seedNameHash } from "../store/values/tables/name-hash.js";
import { Daemon } from "./daemon.js";
import type { Build, Face } from "./face.js";

const TOO_SMALL =
  "stopped: there is not enough memory for commands that other daemons may have applied. Add memory, and start it again";

const arguments_ = process.argv.slice(2);

/** Runs the program. @param known  the semantics of commands by number; default: those of this release */
export async function main(hangUps: SighupHandler, build: Build, known?: Semantics): Promise<void> {
  try {
    const task = await readCommandLine(arguments_, process.env, build.faces);
    if (task.kind === "print") process.stdout.write(task.text);
    else await run(task.settings, hangUps, build, known);
  } catch (problem) {
    if (!(problem instanceof StartError)) throw problem;
    process.stderr.write(`dbsyncd: ${shownLines(problem.message)}\n`);
    process.exitCode = problem.exitCode;
  }
}

async function run(
  settings: Settings,
  hangUps: SighupHandler,
  build: Build,
  known?: Semantics,
): Promise<void> {
  const nameKey = randomBytes(8);
  seedNameHash(nameKey.readInt32LE(0), nameKey.readInt32LE(4));
  const growYoungGeneration = boundYoungGeneration(engineOptions());
  const { logLevel, logFormat } = settings;

  const daemon = await runService(
    { logLevel, logFormat, crashText: (problem) => (problem instanceof OutOfMemory ? TOO_SMALL : null) },
    (log, shutDown) => new Daemon({ ...build, settings, environment: realEnvironment, known, log, shutDown }),
  );

  // V8 uses compiled code only with the flags with which it was written: those at the start.
  growYoungGeneration();
  writeCompileCache();
  // Optimizing the code of the start, which runs once, would take more time than it saves.
  compileEarly(engineOptions());

  hangUps.handle(() =>
    reload(daemon.service, build.faces).catch((problem) => {
      // No input of a file may end a daemon that runs, not even one that reveals a fault of this program.
      const fault = problem instanceof StartError ? {} : { err: problem };
      daemon.log.error(fault, `The old configuration stays in effect: ${problem.message}`);
    }),
  );
}

async function reload(daemon: Daemon, faces: readonly Face[]): Promise<void> {
  const task = await readCommandLine(arguments_, process.env, faces);
  if (task.kind === "run") await daemon.reload(task.settings);
}

type Task =
  | { readonly kind: "run"; readonly settings: Settings }
  /** Prints a text and exits with 0. */
  | { readonly kind: "print"; readonly text: string };

const SOURCES: Readonly<Record<string, string>> = {
  cli: "command line",
  env: "environment",
  config: "file",
  default: "default",
};

/** Returns the task of the program. Each call reads the configuration file again. @throws StartError */
export async function readCommandLine(
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
  faces: readonly Face[],
): Promise<Task> {
  let printed = "";
  const print = (text: string) => {
    printed += breakHelp(text);
  };
  const program = optionProgram({ faces, version, everything: false, print });

  try {
    parseArguments(program, argv, env);
  } catch (problem) {
    if (!(problem instanceof CommanderError)) throw problem;
    return { kind: "print", text: printed };
  }

  const { checkConfig, helpAll } = program.opts<Actions>();
  if (helpAll) {
    optionProgram({ faces, version, everything: true, print }).outputHelp();
    return { kind: "print", text: printed };
  }

  await applyNamedFile(program);
  const settings = settingsOf(program);
  if (!checkConfig) return { kind: "run", settings };
  await checkAllFiles(settings, faces);
  return { kind: "print", text: `${describe(program, valuesOf(program))}\n` };
}

/** Formats a line for each option with its name, value and source. The text is a valid configuration file. */
function describe(program: OptionProgram, values: OptionValues): string {
  const { names, rows } = program.table;
  return names
    .map((name) => {
      const { [name]: row } = rows;
      const { [name]: value } = values;
      if (value === null) return `# ${nameOf(row)} is not set`;
      const source = program.getOptionValueSource(attributeOf(row)) ?? "default";
      const implied = source === "default" && isImplied(name, values);
      const from = implied
        ? "compat"
        : source === "env"
          ? `environment, ${environmentNameOf(row)}`
          : SOURCES[source];
      return `${nameOf(row)} = ${JSON.stringify(row.form.show(value))}   # ${from}`;
    })
    .join("\n");
}

/** Whether --compat determines the value of an option that was not set. */
function isImplied(name: OptionName, { compat, allowUnsigned }: OptionValues): boolean {
  return compat !== null && (name === "database" || (name === "allowUnsigned" && allowUnsigned));
}

/**
 * Checks the files that the daemon would read at its start, for --check-config.
 * @throws StartError  a file cannot be used; the message says what to do
 */
async function checkAllFiles(settings: Settings, faces: readonly Face[]): Promise<void> {
  if (settings.signKey.length > 0 || settings.rootKey.length > 0) {
    const { loadSigners } = await import("../engine/trust/load-signers.js");
    loadSigners(settings, pino({ level: "silent" }));
  }

  if (settings.clusterSecret !== null) {
    const { loadClusterSecret } = await import("../engine/trust/cluster-secret.js");
    loadClusterSecret(settings, pino({ level: "silent" }));
  }

  const tls = tlsFilesOf(settings);
  if (tls !== null) {
    const { readPair } = await import("../engine/trust/tls-certificate.js");
    readPair(tls);
  }

  for (const { checkFiles } of faces) await checkFiles?.(settings);
}
