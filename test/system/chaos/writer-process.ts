/** The handle of a writer process (writer.ts) in the crash test. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { killedAtExit } from "../../support/child-process.js";
import { buildRoot } from "../../support/repository.js";
import type { ReportedWrite } from "./write.js";
import type { WriterNews, WriterOrder, WriterSettings } from "./writer.js";

export class WriterProcess implements Disposable {
  /** The writes that the process has reported so far. */
  readonly writes: ReportedWrite[] = [];
  readonly #child: ChildProcess;
  #waiting = new Map<WriterNews["kind"], () => void>();

  private constructor() {
    this.#child = killedAtExit(fork(join(buildRoot, "test", "system", "chaos", "writer.js")));
    this.#child.on("message", (news: WriterNews) => {
      if (news.kind === "reported") for (const write of news.writes) this.writes.push(write);
      else this.#waiting.get(news.kind)?.();
    });
  }

  static async start(settings: WriterSettings): Promise<WriterProcess> {
    const writer = new WriterProcess();
    await writer.#message("ready");
    writer.#order({ kind: "begin", settings });
    return writer;
  }

  /** Pauses the writer. Resolves when all its writes are answered. */
  async pause(): Promise<void> {
    const paused = this.#message("paused");
    this.#order({ kind: "pause" });
    await paused;
  }

  resume(): void {
    this.#order({ kind: "resume" });
  }

  /** Stops the writer, even if it is paused. */
  async stop(): Promise<void> {
    const ended = once(this.#child, "exit");
    this.#order({ kind: "stop" });
    await ended;
  }

  [Symbol.dispose](): void {
    this.#child.kill("SIGKILL");
  }

  #order(order: WriterOrder): void {
    this.#child.send(order);
  }

  /** Waits for a message from the writer. @throws Error if the process ends first */
  #message(kind: "paused" | "ready"): Promise<void> {
    return new Promise((resolve, reject) => {
      const ended = (code: number | null) => reject(new Error(`a writer ended with ${code}`));
      this.#child.once("exit", ended);
      this.#waiting.set(kind, () => {
        this.#child.off("exit", ended);
        resolve();
      });
    });
  }
}
