/**
 * Finds the data folder from the daemon's options, and turns problems with it into the errors that `dbsync` reports: a
 * sentence and an exit code.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { DbsyncError } from "../../../client/shared/errors.js";
import { noTimeline } from "../../../daemon/engine/trust/data-folder.js";
import * as list from "../../../daemon/faces.js";
import { StartError, UnusableFile } from "../../../daemon/net/process/service.js";
import { version } from "../../../daemon/net/process/version.js";
import {
  applyNamedFile,
  type FaceOptions,
  optionProgram,
  parseArguments,
} from "../../../daemon/options/parse-options.js";
import { settingsOf } from "../../../daemon/options/read-settings.js";
import type { Settings } from "../../../daemon/options/settings.js";
import type { FaceFamilies } from "../../../daemon/store/family-code.js";
import { writingFailure } from "../../../keys/atomic-file.js";
import { KeyFileError } from "../../../keys/key-file-errors.js";
import { EXIT, type ExitCode, ExitError } from "../shared/exit-codes.js";
import type { FolderFlags } from "../shared/folder-options.js";

/** The faces of the daemon, whose options and commands its folder may need. */
export const FACES: readonly (FaceOptions & FaceFamilies)[] = Object.values(list);

/** Returns the settings that a daemon with these options would start with. @throws StartError */
export async function daemonSettings(flags: FolderFlags): Promise<Settings> {
  const program = optionProgram({ faces: FACES, version, everything: false, print: () => {} });
  parseArguments(program, argumentsOf(flags), process.env);
  await applyNamedFile(program);
  return settingsOf(program);
}

/**
 * Returns the path of the data folder. The key options may be missing if `--config` is missing too. With `--config`,
 * this function reads the file as a daemon would, so the keys are required.
 * @throws StartError
 */
export async function folderPath(flags: FolderFlags): Promise<string> {
  const { data = process.env["DBSYNCD_DATA"], config } = flags;
  const found = config === undefined ? data : (await daemonSettings(flags)).data;
  if (found !== undefined && found !== null && found !== "") return found;
  throw new StartError("--data is missing: add --data FOLDER.", 2);
}

/**
 * Returns the path of a data folder with a timeline or dead letters.
 * @throws StartError  the folder is missing or is not a daemon's
 */
export async function daemonFolder(flags: FolderFlags): Promise<string> {
  const data = await folderPath(flags);
  if (["timeline", "dead-letters"].some((name) => existsSync(join(data, name)))) return data;
  throw new StartError(`--data ${data}: ${noTimeline(data)}`, 1);
}

function argumentsOf({ data, signKey = [], rootKey = [], clusterName, config }: FolderFlags): string[] {
  const option = (name: string, value: string | undefined) => (value === undefined ? [] : [name, value]);
  return [
    ...option("--data", data),
    ...signKey.flatMap((file) => ["--sign-key", file]),
    ...rootKey.flatMap((file) => ["--root-key", file]),
    ...option("--cluster-name", clusterName),
    ...option("--config", config),
  ];
}

type ErrorClass = abstract new (...parts: never) => Error;

/**
 * The problems with a daemon's data folder that are expected. `dbsync` reports them as a sentence, with an exit code.
 */
interface Expected {
  /** Expected errors about the folder, in addition to those of the operating system. */
  readonly kinds?: readonly ErrorClass[];
  /** The exit code for errors that are caused neither by the options nor by a file that they name. */
  readonly failed?: ExitCode;
}

/** Runs work on a folder. @throws ExitError  for an error in the folder, the options or the operating system */
export async function withFolderErrors<T>(
  work: () => Promise<T>,
  { kinds = [], failed = EXIT.failed }: Expected = {},
): Promise<T> {
  try {
    return await work();
  } catch (problem) {
    // The client's errors have their own sentences and exit codes.
    if (problem instanceof DbsyncError || problem instanceof KeyFileError) throw problem;
    const isExpected = [StartError, ...kinds].some((kind) => problem instanceof kind);
    if (!(problem instanceof Error) || !(isExpected || isSystemError(problem))) throw problem;
    const reason = isSystemError(problem) ? writingFailure(problem) : null;
    const sentence = reason === null ? problem.message : `${problem.message} (${reason})`;
    throw new ExitError(sentence, codeOf(problem, failed), { cause: problem });
  }
}

/**
 * Whether a problem is an error of the operating system or was caused by one, for example a full disk or a missing
 * permission.
 */
function isSystemError(problem: unknown): boolean {
  return problem instanceof Error && ("syscall" in problem || isSystemError(problem.cause));
}

function codeOf(problem: Error, failed: ExitCode): ExitCode {
  if (problem instanceof UnusableFile) return EXIT.configuration;
  return problem instanceof StartError && problem.exitCode === EXIT.usage ? EXIT.usage : failed;
}

/** The message if signatures have to be verified but no keys are configured. */
export const KEYS_MISSING =
  "the keys are missing: add --sign-key and --root-key as for the daemon, or --config with its configuration file.";
