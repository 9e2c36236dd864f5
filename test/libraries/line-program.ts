/** A program in this folder that answers each line of its input with a line. */
import assert from "node:assert/strict";
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { repositoryRoot } from "../support/repository.js";

const folder = join(repositoryRoot, "test", "libraries");

export class LineProgram implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;

  private constructor(child: ChildProcessByStdio<Writable, Readable, null>) {
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  /** Starts a program, and waits until it prints `ready`. @param file  a path below test/libraries */
  static async start(program: string, file: string, args: readonly string[]): Promise<LineProgram> {
    const env = { ...process.env, PYTHONDONTWRITEBYTECODE: "1" };
    const stdio: ["pipe", "pipe", "inherit"] = ["pipe", "pipe", "inherit"];
    const started = new LineProgram(spawn(program, [join(folder, file), ...args], { env, stdio }));
    assert.equal(await started.#line(), "ready");
    return started;
  }

  /** Sends a line. @returns the next line that the program prints */
  async call(line: string): Promise<string> {
    this.#child.stdin.write(`${line}\n`);
    return await this.#line();
  }

  async #line(): Promise<string> {
    return String((await this.#lines.next()).value);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#child.once("close", resolve));
    this.#child.stdin.end();
    if (this.#child.exitCode === null && this.#child.signalCode === null) await closed;
  }
}
