/**
 * Clients in programs of other languages, for the cases of model.ts. A program reads orders and prints ends as JSON.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { repositoryRoot } from "../../support/repository.js";
import type { Ended } from "./model.js";

/** Returns the path of a program in programs/. */
export const programFile = (name: string): string =>
  join(repositoryRoot, "test", "system", "effects", "programs", name);

export class Program implements AsyncDisposable {
  readonly #child;
  readonly #waiting = new Map<number, (end: Ended | null) => void>();
  readonly #ended: Promise<unknown>;
  #last = 0;

  constructor(program: string, args: readonly string[], env: Readonly<Record<string, string>>) {
    const { PATH = "", HOME = "" } = process.env;
    this.#child = spawn(program, args, {
      env: { PATH, HOME, ...env },
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#ended = once(this.#child, "close");
    this.#child.stdin.on("error", () => {});
    createInterface({ input: this.#child.stdout }).on("line", (line) => {
      const { id, ...end } = JSON.parse(line) as Ended & { readonly id: number };
      this.#waiting.get(id)?.(end);
      this.#waiting.delete(id);
    });
    this.#child.on("close", () => {
      for (const end of this.#waiting.values()) end(null);
      this.#waiting.clear();
    });
  }

  /** Sends an order. @returns the end that the program prints, or null if it has exited before */
  order(order: Readonly<Record<string, unknown>>): Promise<Ended | null> {
    const id = ++this.#last;
    this.#child.stdin.write(`${JSON.stringify({ id, ...order })}\n`);
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }

  /** Closes the program's input, so that it exits. */
  async exit(): Promise<void> {
    this.#child.stdin.end();
    await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.exit();
  }
}
