/**
 * A client that sends one plain write after the other, each under a key of its own, and counts the answers. So a test
 * can check that nothing acknowledged is lost, and show when writes were refused, and why.
 */
import type { Client } from "../../client/public-api.js";
import { DbsyncError } from "../../client/public-api.js";
import { pause } from "../support/pause.js";

/** The milliseconds between two writes of one client. */
const EVERY_MS = 40;

/** What the writes since a moment were answered. */
export interface Answers {
  readonly accepted: number;
  /** The refused writes by code. */
  readonly refusals: ReadonlyMap<string, number>;
  /** The seconds until the first write after which none was refused; 0: none was refused; null: the last one was. */
  readonly seconds: number | null;
}

export class PlainWrites implements AsyncDisposable {
  /** The keys of the acknowledged writes; each has its own name as its value. */
  readonly acknowledged: string[] = [];
  readonly #client: Client;
  readonly #name: string;
  readonly #answers: { readonly at: number; readonly code: string | null }[] = [];
  readonly #running: Promise<void>;
  #isOver = false;

  /**
   * @param client  is closed at the end
   * @param name  the beginning of the keys
   */
  constructor(client: Client, name: string) {
    this.#client = client;
    this.#name = name;
    this.#running = this.#run();
  }

  async #run(): Promise<void> {
    for (let index = 0; !this.#isOver; index++) {
      const key = `${this.#name}:${index}`;
      const at = performance.now();
      const code = await this.#client.call(["SET", key, key]).then(() => null, codeOf);
      this.#answers.push({ at, code });
      if (code === null) this.acknowledged.push(key);
      await pause(EVERY_MS);
    }
  }

  /** Returns the answers to the writes that were sent at or after a moment. @param at  as `performance.now()` */
  since(at: number): Answers {
    const answers = this.#answers.filter((one) => one.at >= at);
    const refusals = new Map<string, number>();
    let seconds: number | null = answers.length === 0 ? null : 0;
    for (const { code, at: sentAt } of answers) {
      if (code === null) seconds ??= (sentAt - at) / 1000;
      else {
        refusals.set(code, (refusals.get(code) ?? 0) + 1);
        seconds = null;
      }
    }
    const accepted = answers.filter(({ code }) => code === null).length;
    return { accepted, refusals, seconds };
  }

  /** Sends no further write, and waits for the last answer. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await this.#running;
    await this.#client[Symbol.asyncDispose]();
  }
}

/** Returns the codes with which daemons refused a write, or the causes for which they did not answer. */
function codeOf(problem: unknown): string {
  if (!(problem instanceof DbsyncError)) return String(problem);
  const codes = problem.outcomes.flatMap((one) => {
    if (one.status === "ok") return [];
    return [/^([a-z-]+): /.exec(one.detail)?.[1] ?? (one.detail === "" ? one.stage : one.detail)];
  });
  return codes.length === 0 ? problem.code : [...new Set(codes)].sort().join(" and ");
}
