/** The components that a program starts and stops, and the errors of a start, which are reported to the operator. */

/**
 * A component that can be started and stopped. The constructor only stores its arguments, `start` opens resources, and
 * `stop` releases them. `stop` may be called twice.
 */
export interface Service {
  /** Opens the resources. @throws StartError  says what could not be opened, where, and what to do */
  start(): Promise<void>;
  /** Releases all resources. Waits for requests in progress, for a limited time. */
  stop(): Promise<void>;
}

/** The exit code. 1: a port or file could not be opened. 2: an error in usage or configuration. */
type StartExitCode = 1 | 2;

/** An error at the start. `message` says what is wrong, where, and what to do. */
export class StartError extends Error {
  override readonly name = "StartError";
  readonly exitCode: StartExitCode;

  constructor(message: string, exitCode: StartExitCode) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Reports an error in usage or configuration. @throws StartError  always */
export function fail(sentence: string): never {
  throw new StartError(sentence, 2);
}

/** The error about a configuration file or key file that cannot be used. `dbsync` has a separate exit code for it. */
export class UnusableFile extends StartError {}

/**
 * Loads a module that needs an optional package.
 * @param load     `() => import(…)` of a module that needs the package, or of the package itself
 * @param purpose  the option that needs it, as the user wrote it
 * @throws StartError  the package, or its native code for this machine, is not installed
 */
export async function loadWith<T>(packageName: string, purpose: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (problem) {
    const missing = missingPart(problem as NodeJS.ErrnoException, packageName);
    if (missing === null) throw problem;
    throw new StartError(`${purpose} requires ${missing}`, 1);
  }
}

/** Returns what is not installed, and the cure, or null for any other problem. */
function missingPart({ code, message }: NodeJS.ErrnoException, packageName: string): string | null {
  if (code === "ERR_MODULE_NOT_FOUND")
    return `the package ${packageName}, which is not installed. Install it next to dbsyncd: npm install ${packageName}`;
  // The loader of prebuilt files sets no code.
  const isMissing = code === "ERR_DLOPEN_FAILED" || message?.startsWith("No native build was found");
  if (!isMissing) return null;
  const [reason = ""] = message.split("\n");
  return (
    `the native code of the package ${packageName} for ${process.platform}-${process.arch}, ` +
    `which cannot be loaded: ${reason}. Install dbsyncd again on this machine, with its optional packages ` +
    "(without --omit=optional, and without a node_modules of another machine). If there is no prebuilt file " +
    "for this kind of machine, compile it, with python3, make and a C++ compiler: " +
    `npm rebuild ${packageName} --ignore-scripts=false`
  );
}
