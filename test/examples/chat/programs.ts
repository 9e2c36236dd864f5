/** Runs chat clients as programs, and reads their output. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { buildRoot, repositoryRoot } from "../../support/repository.js";
import { until } from "../../support/until.js";

export class ClientProgram implements Disposable {
  readonly #child: ChildProcess;
  #printed = "";

  constructor(command: readonly string[], folder: string) {
    const [program, ...args] = command as [string, ...string[]];
    this.#child = spawn(program, args, { cwd: folder, stdio: ["pipe", "pipe", "inherit"] });
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.#printed += text;
    });
  }

  get lines(): readonly string[] {
    return this.#printed.split("\n");
  }

  type(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  async prints(words: string): Promise<void> {
    await until(`it prints ${words}`, () => this.#printed.includes(words));
  }

  /** Ends the program by a signal. @returns the exit code, or null if the signal killed the program */
  async end(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    this.#child.kill(signal);
    return await this.ended();
  }

  /** Waits for the end of the program. @returns the exit code, or null if a signal killed it */
  async ended(): Promise<number | null> {
    const { exitCode } = this.#child;
    if (exitCode !== null) return exitCode;
    const [code] = await once(this.#child, "exit");
    return code;
  }

  [Symbol.dispose](): void {
    this.#child.kill("SIGKILL");
  }
}

/** Returns the command that starts the terminal client. */
export const terminal = (port: number): readonly string[] => [
  ...[process.execPath, join(buildRoot, "examples/chat/terminal.js"), "-a", "127.0.0.1", "-p", String(port)],
];

/**
 * Returns the command that starts client.py, a client of the exercise (examples/chat/README.md). It names Debian's
 * Python, because another Python on the PATH may not find Debian's packages.
 */
export const python = (port: number): readonly string[] => [
  ...["/usr/bin/python3", "-B", join(repositoryRoot, "test/examples/chat/client.py"), "-p", String(port)],
];
