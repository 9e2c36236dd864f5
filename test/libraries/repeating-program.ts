/**
 * A program that repeats an operation until its input ends. It prints a number after each success, and at the end the
 * number of failed operations by error, as JSON.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { killedAtExit } from "../support/child-process.js";
import { inTime, until } from "../support/until.js";

/** The last characters of a program's output that an error message contains. */
const OUTPUT_MAX = 500;

export class RepeatingProgram implements Disposable {
  #output = "";
  readonly #child: ChildProcess;

  /** Starts the program. @param env  further variables than PATH */
  constructor(
    [program, ...args]: readonly [string, ...string[]],
    options: { readonly env?: Readonly<Record<string, string>>; readonly cwd?: string } = {},
  ) {
    const child = spawn(program, args, {
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      env: { PATH: process.env["PATH"], PYTHONDONTWRITEBYTECODE: "1", ...options.env },
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#child = killedAtExit(child);
    this.#child.stdout?.on("data", (bytes: Buffer) => {
      this.#output += bytes.toString();
    });
  }

  /** The number of successful operations. */
  get done(): number {
    return this.#output.match(/^\d+$/gm)?.length ?? 0;
  }

  /** Waits until further operations have succeeded. @param count  their number */
  async goesOn(after: string, count: number): Promise<void> {
    const before = this.done;
    await until(
      () => `operations continue after ${after}: ${this.#output.slice(-OUTPUT_MAX)}`,
      () => this.done >= before + count,
    );
  }

  [Symbol.dispose](): void {
    this.#child.kill("SIGKILL");
  }

  /** Ends the program. @returns the number of failed operations, by error */
  async end(): Promise<Readonly<Record<string, number>>> {
    const closed = once(this.#child, "close");
    this.#child.stdin?.end();
    await inTime(() => `the program does not end: ${this.#output.slice(-OUTPUT_MAX)}`, closed);
    return JSON.parse(this.#output.trimEnd().split("\n").at(-1) ?? "");
  }
}
