/** Tests that a daemon with all its listeners starts and stops under requests to every path of --admin. */
import assert from "node:assert/strict";
import { type IncomingMessage, request } from "node:http";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { amount } from "../../support/amount.js";
import { type DaemonProcess, startDaemon } from "../../support/daemon-process.js";
import { freePort } from "../../support/free-port.js";
import { USER_LISTENER_NAMES } from "../../support/installed-options.js";
import { Trio } from "../../support/trio.js";

const PATHS = [
  "/",
  "/events",
  "/events",
  "/healthz",
  "/metrics",
  "/dashboard.js",
  "/icon.svg",
  "/nothing",
  "/%",
];
const METHODS = ["GET", "GET", "GET", "HEAD", "POST", "OPTIONS"];
const VISITORS = 12;
const COMMANDS = 400;
const UNITS = 20;
const LISTENERS = ["ws", ...USER_LISTENER_NAMES].flatMap((name) => [`--${name}`, "0"]);

/** Clients that request one path after another, even while no process listens. */
class Flood {
  readonly statuses = new Map<number, number>();
  readonly states = new Set<string>();
  readonly events = new Set<string>();
  readonly #port: number;
  #isOver = false;
  readonly #visitors: Promise<void>[];

  constructor(port: number) {
    this.#port = port;
    this.#visitors = Array.from({ length: VISITORS }, (_, i) => this.#visit(i));
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#visitors);
  }

  async #visit(from: number): Promise<void> {
    for (let i = from; !this.#isOver; i++) {
      await this.#ask(PATHS[i % PATHS.length] as string, METHODS[(i * 7 + from) % METHODS.length] as string);
      await turn();
    }
  }

  /**
   * Sends a request. The promise resolves when the answer is complete or the connection ends. For /events, it
   * resolves after the first event.
   */
  #ask(path: string, method: string): Promise<void> {
    return new Promise((resolve) => {
      const sent = request({ host: "127.0.0.1", port: this.#port, path, method }, (answer) => {
        this.#note(answer);
        let text = "";
        answer.setEncoding("latin1").on("data", (chunk) => {
          text += chunk;
          if (path !== "/events" || !/^data: .*"state":"(.*?)".*$/m.test(text)) return;
          this.events.add(/"state":"(.*?)"/.exec(text)?.[1] ?? "");
          sent.destroy();
        });
        answer.on("end", () => {
          if (path === "/healthz" && text !== "") this.states.add(/"state":"(.*?)"/.exec(text)?.[1] ?? text);
        });
        answer.on("error", () => {}).on("close", resolve);
      });
      sent.on("error", () => resolve()).end();
    });
  }

  #note({ statusCode = 0 }: IncomingMessage): void {
    this.statuses.set(statusCode, (this.statuses.get(statusCode) ?? 0) + 1);
  }
}

const isError = ({ level }: DaemonProcess["log"][number]) => level === "error" || level === "fatal";

test("a daemon starts and stops under requests to every path of --admin", async () => {
  await using trio = await Trio.start([], 2);
  {
    await using client = trio.client();
    const unit = (i: number) =>
      Array.from({ length: UNITS }, (_, at) => ["RPUSH", `list${at}`, `element ${i}`]);
    for (let i = 0; i < COMMANDS; i++) await client.multi(unit(i));
  }

  await trio.end(0, "SIGTERM");
  const port = await freePort();
  const args = [...trio.argsOf(0), ...LISTENERS, "--admin", String(port)];

  for (let round = 0; round < amount(1, 2); round++) {
    const flood = new Flood(port);
    await using daemon = await startDaemon(args);
    await trio.until(
      "/healthz and /events report that the daemon is live",
      async () => flood.states.has("live") && flood.events.has("live"),
    );

    const { code, stderr } = await daemon.stop();
    await flood.stop();
    assert.deepEqual([code, stderr, daemon.log.filter(isError)], [0, "", []]);
    assert.equal(flood.statuses.get(500) ?? 0, 0, JSON.stringify([...flood.statuses]));
    for (const status of [200, 404, 405]) assert.ok((flood.statuses.get(status) ?? 0) > 0, `${status} came`);
  }
});
