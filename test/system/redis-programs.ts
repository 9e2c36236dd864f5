/** Clients of Redis libraries of other languages, each in a separate process. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { repositoryRoot } from "../support/repository.js";

/** Debian's Python. The Python on the PATH may not find Debian's packages. */
const PYTHON = "/usr/bin/python3";
const programs = join(repositoryRoot, "test", "system", "programs");

interface Pending {
  resolve(reply: unknown): void;
  reject(error: Error): void;
}

/** A client that sends commands one after the other. */
class ProgramClient {
  readonly #name: string;
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #pending: Pending[] = [];
  #isOver = false;

  constructor(name: string, command: string, args: readonly string[]) {
    this.#name = name;
    this.#process = spawn(command, args);
    this.#process.stderr.pipe(process.stderr);
    this.#process.stdin.on("error", () => {});
    createInterface({ input: this.#process.stdout }).on("line", (line) => this.#onLine(line));
    this.#process.once("exit", () => {
      this.#isOver = true;
      for (const { reject } of this.#pending.splice(0)) reject(this.#exited());
    });
  }

  call(...argv: string[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#isOver) return reject(this.#exited());
      this.#pending.push({ resolve, reject });
      this.#process.stdin.write(`${JSON.stringify(argv)}\n`);
    });
  }

  disconnect(): void {
    this.#process.kill();
  }

  #exited(): Error {
    return new Error(`the ${this.#name} client has exited`);
  }

  #onLine(line: string): void {
    const { reply, error } = JSON.parse(line) as { reply?: unknown; error?: string };
    const pending = this.#pending.shift();
    if (error === undefined) pending?.resolve(reply);
    else pending?.reject(new Error(error));
  }
}

/** A client of Python's redis package. */
export class RedisPyClient extends ProgramClient {
  constructor(port: number) {
    super("Python", PYTHON, [join(programs, "redis_client.py"), String(port)]);
  }
}

/** A client of PHP's redis extension. */
export class PhpRedisClient extends ProgramClient {
  constructor(port: number) {
    super("PHP", "php", [join(programs, "redis_client.php"), String(port)]);
  }
}
