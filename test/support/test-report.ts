/** Prints the events of a test run: a line for each test, and each failure once, at the end, with its file. */
import { once } from "node:events";
import { loadavg } from "node:os";
import { basename, isAbsolute, join, relative } from "node:path";
import type { TestsStream } from "node:test";
import { inspect } from "node:util";
import { repositoryRoot } from "./repository.js";
import { withSourceLines } from "./source-lines.js";
import { membersOf } from "./together.js";

/** The number of files in the list of the longest files. */
const LISTED = 10;

/** The maximum length, in characters, of the end of a failed process's stderr that is printed with its failure. */
const OUTPUT_LENGTH_MAX = 4_000;

/**
 * How long the text on stderr waits, in milliseconds. If its process fails within this time, the text is the reason,
 * and is printed only with the failure.
 */
const STDERR_WAIT_MS = 2_000;

/** A test that failed. */
interface Failure {
  /** The names of the test and the tests that contain it, the outermost first. Empty if the process itself failed. */
  readonly names: readonly string[];
  readonly error: unknown;
  /** The load average of the last minute when the test failed. */
  readonly load: number;
}

interface PlacedEvent {
  readonly name: string;
  /** The number of tests and suites that contain the test. */
  readonly nesting: number;
  readonly file?: string;
}

/** The part of a test event that is printed. */
interface TestEvent extends PlacedEvent {
  readonly skip?: string | boolean;
  readonly todo?: string | boolean;
  readonly details: {
    readonly duration_ms: number;
    readonly error?: {
      readonly failureType?: string;
      readonly cause?: unknown;
      readonly exitCode?: number | null;
      readonly signal?: string | null;
    };
  };
}

export class TestReport {
  /** The failures by file. */
  readonly #failures = new Map<string, Failure[]>();
  /** The duration of the tests of each file in milliseconds. */
  readonly #tests = new Map<string, number>();
  /** The duration of each process in milliseconds, by the file that it runs. Several short files share a process. */
  readonly #processes = new Map<string, number>();
  /** The files whose processes failed, among them the programs of groups. */
  readonly #failedProcesses = new Set<string>();
  /** The files whose suites have ended in a shared process. */
  readonly #endedSuites = new Set<string>();
  /** The load average of the last minute when a test failed, by the place of the test. */
  readonly #loads = new Map<string, number>();
  /** The end of what each process has written to stderr, by the file that it runs. */
  readonly #stderr = new Map<string, string>();
  /** The text on stderr that is not printed yet, by the file that the process runs. */
  readonly #unprinted = new Map<string, string>();
  /** The runner's texts about errors after the end of a test, which name the test. */
  readonly #strayErrors: string[] = [];
  /** The tests that have begun to run and not ended, the earliest first. */
  readonly #running = new Set<string>();
  /** The tests that contain the current one, by file and nesting. */
  readonly #parents = new Map<string, string[]>();
  /**
   * The file whose suite contains the current test, if the file shares a process. Node reports starts and ends one
   * process after the other.
   */
  #suiteOf: string | undefined;
  readonly #print: (text: string) => void;
  /** Whether the runner ended a test or a file that exceeded its time limit. */
  hasHung = false;
  /** Whether the process of a file has not ended. */
  isFileRunning = false;

  constructor(print: (text: string) => void) {
    this.#print = print;
  }

  /** Whether a test, a hook or a process failed. A process can fail without a test, and a hook without its process. */
  get hasFailed(): boolean {
    return this.#failures.size > 0 || this.#failedProcesses.size > 0;
  }

  /**
   * Returns the files of a process that failed. If the process crashed, or has an error that belongs to no test, or
   * failed without a test of its files, these are all its files.
   * @param program  the file that it ran: a test file, or the program of a group of them
   */
  failedFilesOf(program: string): readonly string[] {
    const files = membersOf(program);
    const failed = files.filter((file) => this.#failures.has(file));
    if (!this.#failedProcesses.has(program)) return failed;

    const hasCrashed = this.#failures.has(program) || files.some((file) => !this.#endedSuites.has(file));
    return hasCrashed || this.#strayErrors.length > 0 || failed.length === 0 ? files : failed;
  }

  /** Returns whether everything that failed in another run also failed in this one. */
  includesFailuresOf(other: TestReport): boolean {
    const own = new Set(this.#failedPlaces());
    return other.#failedPlaces().every((place) => own.has(place));
  }

  #failedPlaces(): readonly string[] {
    return [...this.#failures].flatMap(([file, failures]) =>
      failures.map(({ names }) => [file, ...names].join(" > ")),
    );
  }

  /** Prints the events of a run as they arrive, until its end. */
  async follow(stream: TestsStream): Promise<void> {
    stream
      .on("test:start", (event) => this.#start(event))
      .on("test:dequeue", (event) => {
        if (!isFile(event) && !isSuiteOfFile(event)) this.#running.add(placeOf(event));
      })
      .on("test:complete", (event) => this.#complete(event as TestEvent))
      .on("test:pass", (event) => this.#end(event as TestEvent))
      .on("test:fail", (event) => this.#end(event as TestEvent))
      .on("test:stdout", ({ message }) => this.#print(message))
      .on("test:stderr", ({ message, file }) => {
        this.#stderr.set(file, `${this.#stderr.get(file) ?? ""}${message}`.slice(-OUTPUT_LENGTH_MAX));
        this.#printLater(file, message);
      })
      .on("end", () => {
        for (const file of this.#unprinted.keys()) this.#printStderr(file);
      })
      .on("test:diagnostic", ({ message, nesting }) => {
        if (message.startsWith("Error: ")) this.#strayErrors.push(message);
        this.#print(`${"  ".repeat(nesting)}ℹ ${message}\n`);
      });
    // The stream ends only if it is read.
    stream.resume();
    await once(stream, "end");
  }

  /** Node reports that a test has completed at once, and its result when the tests before it have theirs. */
  #complete(event: TestEvent): void {
    const { duration_ms, error } = event.details;
    if (error !== undefined) this.#loads.set(placeOf(event), loadavg()[0] ?? 0);
    if (isSuiteOfFile(event)) this.#endedSuites.add(event.name);
    if (!isFile(event)) {
      this.#running.delete(placeOf(event));
      return;
    }
    const file = event.file!;
    this.#processes.set(file, duration_ms);
    if (error === undefined) return;
    this.#failedProcesses.add(file);
    // Node reports a crash as the failure of a file only if no test of the file failed before.
    if (error.failureType === "subtestsFailed" && hasCrashed(error))
      this.#add(file, { names: [], error: endOf(error), load: this.#loadAt(event) });
  }

  #printLater(file: string, message: string): void {
    const text = this.#unprinted.get(file);
    if (text === undefined) setTimeout(() => this.#printStderr(file), STDERR_WAIT_MS).unref();
    this.#unprinted.set(file, `${text ?? ""}${message}`);
  }

  /** Prints the text of a process on stderr. @param except  the number of characters at its end that are not printed */
  #printStderr(file: string, except = 0): void {
    const text = this.#unprinted.get(file) ?? "";
    this.#print(withSourceLines(text.slice(0, Math.max(0, text.length - except))));
    this.#unprinted.delete(file);
  }

  #start(event: PlacedEvent): void {
    if (event.nesting === 0) this.#suiteOf = isSuiteOfFile(event) ? event.name : undefined;
    const { name, nesting, file = "" } = this.#inItsFile(event);
    const names = this.#parents.get(file) ?? [];
    names.length = nesting;
    this.#parents.set(file, [...names, name]);
  }

  /** Returns an event of a file that shares a process as it would be if the file had its own. */
  #inItsFile<Event extends PlacedEvent>(event: Event): Event {
    const file = this.#suiteOf;
    if (file === undefined) return event;
    return { ...event, file, nesting: Math.max(0, event.nesting - 1) };
  }

  #end(inProcess: TestEvent): void {
    const event = this.#inItsFile(inProcess);
    const { name, nesting, file = name, details } = event;
    const isOfFile = isFile({ name, file });
    if (nesting === 0)
      this.#tests.set(file, (this.#tests.get(file) ?? 0) + (isOfFile ? 0 : details.duration_ms));

    const { error } = details;
    const indent = "  ".repeat(nesting);
    if (!isOfFile)
      this.#print(
        `${indent}${markOf(event)} ${name} (${details.duration_ms.toFixed(0)} ms)${noteOf(event)}\n`,
      );

    if (error === undefined || event.todo !== undefined || error.failureType === "subtestsFailed") return;
    // Many errors of the product have "timeout" in their texts, so only the runner can know that something hangs.
    if (error.failureType === "testTimeoutFailure") {
      this.hasHung = true;
      this.isFileRunning ||= isOfFile;
    }

    if (isOfFile) this.#printStderr(file, OUTPUT_LENGTH_MAX);
    const names = isOfFile ? [] : [...(this.#parents.get(file) ?? []).slice(0, nesting), name];
    const failure = isOfFile ? endOf(error) : (error.cause ?? error);
    this.#add(file, { names, error: failure, load: this.#loadAt(inProcess) });
  }

  #add(file: string, failure: Failure): void {
    this.#failures.set(file, [...(this.#failures.get(file) ?? []), failure]);
  }

  #loadAt(event: PlacedEvent): number {
    return this.#loads.get(placeOf(event)) ?? 0;
  }

  /** Returns the text of all failures, each with its file. */
  failures(): string {
    const texts = [...this.#failures].flatMap(([file, failures]) =>
      failures.map(({ names, error }) => {
        const text =
          typeof error === "string"
            ? `${error}\n${names.length === 0 ? (this.#stderr.get(file) ?? "") : ""}`
            : inspect(error, { depth: 5 });
        return `\n✖ ${sourcePath(file)}${names.map((name) => ` > ${name}`).join("")}\n${indented(withSourceLines(text))}\n`;
      }),
    );
    const stray = this.#strayErrors.map((message) => `\n✖ ${withSourceLines(message)}\n`);
    const failed = texts.length === 0 ? "" : `\nThe failures:\n${[...texts, ...stray].join("")}`;
    return failed + this.#notEnded();
  }

  /** Returns the list of the tests that have not ended, if a file hung. */
  #notEnded(): string {
    if (!this.isFileRunning) return "";
    if (this.#running.size === 0)
      return "\nAll tests have ended: something that they opened keeps the process alive.\n";
    return `\nThese tests have not ended:\n${[...this.#running].map((place) => `  ${place}\n`).join("")}`;
  }

  /**
   * Returns a line for each failure: its file, the names of its test, and the load of the machine when it failed. For a
   * process that failed without a failed test, the line names the files that it ran.
   */
  flakes(): readonly string[] {
    const line = (file: string, { names, load }: Pick<Failure, "names" | "load">) => {
      const files = names.length === 0 ? membersOf(file) : [file];
      return `FLAKE ${[files.map(sourcePath).join(", "), ...names].join(" > ")}, load ${load.toFixed(0)}`;
    };
    const hasFailure = (program: string) =>
      [program, ...membersOf(program)].some((file) => this.#failures.has(file));
    const others = [...this.#failedProcesses].filter((program) => !hasFailure(program));
    return [
      ...[...this.#failures].flatMap(([file, failures]) => failures.map((failure) => line(file, failure))),
      ...others.map((file) =>
        line(file, { names: [], load: this.#loadAt({ name: file, nesting: 0, file }) }),
      ),
    ];
  }

  /** Returns the list of the files that took the longest time. */
  longest(): string {
    if (this.#tests.size <= 1) return "";
    const lines = [...this.#tests]
      .map(([file, ms]) => [file, Math.max(ms, this.#processes.get(file) ?? 0)] as const)
      .sort(([, one], [, other]) => other - one)
      .slice(0, LISTED)
      .map(([file, ms]) => `${(ms / 1000).toFixed(1).padStart(8)} s ${sourcePath(file)}`);
    return `The longest files:\n${lines.join("\n")}\n`;
  }
}

/** Returns whether an event is that of a file, not of a test in it. */
const isFile = ({ name, file }: { readonly name: string; readonly file?: string }): boolean =>
  file?.endsWith(name) === true;

/** Returns whether an event is that of the suite of a file that shares a process (file-suites.ts). */
const isSuiteOfFile = (event: PlacedEvent): boolean =>
  event.nesting === 0 && isAbsolute(event.name) && !isFile(event);

const placeOf = ({ name, file = "" }: { readonly name: string; readonly file?: string }): string =>
  `${sourcePath(file)} > ${name}`;

/** Describes how the process of a file has ended that failed without a failed test. */
function endOf({ cause, exitCode, signal }: NonNullable<TestEvent["details"]["error"]>): string {
  const text = typeof cause === "string" ? cause : inspect(cause, { depth: 5 });
  if (signal) return `${text} (ended by ${signal})`;
  return typeof exitCode === "number" ? `${text} (exit code ${exitCode})` : text;
}

/** Returns whether a process did not end by itself, with the exit code of failed tests. */
const hasCrashed = ({ exitCode, signal }: NonNullable<TestEvent["details"]["error"]>): boolean =>
  Boolean(signal) || (typeof exitCode === "number" && exitCode !== 1);

function markOf({ details, skip }: TestEvent): string {
  if (details.error !== undefined) return "✖";
  return skip === undefined ? "✔" : "﹣";
}

function noteOf({ skip, todo }: TestEvent): string {
  const note = skip ?? todo;
  return note === undefined ? "" : ` # ${note === true ? "skipped" : note}`;
}

/** Returns the path of the source file of a test. Only the name is returned of a file outside the repository. */
export function sourcePath(file: string): string {
  const path = relative(join(repositoryRoot, "dist"), file);
  return path.startsWith("..") ? basename(file) : path.replace(/\.js$/, ".ts");
}

function indented(text: string): string {
  return text.replace(/^/gm, "  ");
}
