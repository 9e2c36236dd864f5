/** A client of Python's redis package, in a separate process. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { repositoryRoot } from "../support/repository.js";

/** Debian's Python. The Python on the PATH may not find Debian's packages. */
const PYTHON = "/usr/bin/python3";
const program = join(repositoryRoot, "test", "system", "programs", "redis_client.py");

interface Pending {
  resolve(reply: unknown): void;
  reject(error: Error): void;
}

/** A client that sends commands one after the other. */
export class RedisPyClient {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #pending: Pending[] = [];
  #isOver = false;

  constructor(port: number) {
    this.#process = spawn(PYTHON, [program, String(port)]);
    this.#process.stderr.pipe(process.stderr);
    this.#process.stdin.on("error", () => {});
    createInterface({ input: this.#process.stdout }).on("line", (line) => this.#onLine(line));
    this.#process.once("exit", () => {
      this.#isOver = true;
      for (const { reject } of this.#pending.splice(0)) reject(new Error("the Python client has exited"));
    });
  }

  call(...argv: string[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#isOver) return reject(new Error("the Python client has exited"));
      this.#pending.push({ resolve, reject });
      this.#process.stdin.write(`${JSON.stringify(argv)}\n`);
    });
  }

  disconnect(): void {
    this.#process.kill();
  }

  #onLine(line: string): void {
    const { reply, error } = JSON.parse(line) as { reply?: unknown; error?: string };
    const pending = this.#pending.shift();
    if (error === undefined) pending?.resolve(reply);
    else pending?.reject(new Error(error));
  }
}
