/** The test's handle of a writer process of the crash test (writer.ts). */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { buildRoot } from "../../support/repository.js";
import type { ToldWrite } from "./write.js";
import type { WriterNews, WriterOrder, WriterSettings } from "./writer.js";

export class WriterProcess implements Disposable {
  /** The writes so far. */
  readonly writes: ToldWrite[] = [];
  readonly #child: ChildProcess;
  #waiting = new Map<WriterNews["kind"], () => void>();

  private constructor() {
    this.#child = fork(join(buildRoot, "test", "faults", "chaos", "writer.js"));
    const killChild = () => void this.#child.kill("SIGKILL");
    process.once("exit", killChild);
    this.#child.once("exit", () => process.off("exit", killChild));
    this.#child.on("message", (news: WriterNews) => {
      if (news.kind === "told") for (const write of news.writes) this.writes.push(write);
      else this.#waiting.get(news.kind)?.();
    });
  }

  static async start(settings: WriterSettings): Promise<WriterProcess> {
    const writer = new WriterProcess();
    await writer.#told("ready");
    writer.#order({ kind: "begin", settings });
    return writer;
  }

  /** Pauses the writer; resolves when everything that was sent is answered. */
  async pause(): Promise<void> {
    const paused = this.#told("paused");
    this.#order({ kind: "pause" });
    await paused;
  }

  resume(): void {
    this.#order({ kind: "resume" });
  }

  /** Ends the writer, paused or not. */
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

  /** Waits for a message of the writer. @throws Error  the process ends before */
  #told(kind: "paused" | "ready"): Promise<void> {
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
