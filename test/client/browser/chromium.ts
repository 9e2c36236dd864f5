/** Controls a headless Chromium with its DevTools protocol (CDP). */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { WebSocket } from "ws";
import { inTime, until as untilHolds } from "../../support/until.js";

export interface Tab {
  /** Evaluates a script in the page. @throws Error  an error that the page throws */
  run(script: string): Promise<unknown>;
  /** Repeats a script until its value is truthy. */
  until(script: string): Promise<unknown>;
  open(url: string): Promise<void>;
  /** Sends a command of the DevTools protocol. */
  command(method: string, params?: object): Promise<Record<string, unknown>>;
  /** Changes the size and theme of the page. */
  appear(look: Look): Promise<void>;
  /** Takes a PNG screenshot. */
  picture(width: number, look?: Partial<Look>): Promise<Buffer>;
  reload(): Promise<void>;
  /** Kills the tab's process, without an event in the page. */
  crash(): Promise<void>;
}

export interface Look {
  readonly width: number;
  readonly height: number;
  readonly isDark: boolean;
}

export interface Chromium extends AsyncDisposable {
  readonly tab: Tab;
  /** Opens another tab. @param isPrivate  whether to use a context with separate, temporary storage */
  another(isPrivate?: boolean): Promise<Tab>;
}

export async function startChromium(): Promise<Chromium> {
  const folder = mkdtempSync(join(tmpdir(), "dbsync-chromium-"));
  const flags = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
  ];

  const child = spawn("chromium", [...flags, "--remote-debugging-port=0", `--user-data-dir=${folder}`], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = once(child, "exit");

  let url = "";
  for await (const line of createInterface({ input: child.stderr })) {
    url = /DevTools listening on (ws:\S+)/.exec(line)?.[1] ?? "";
    if (url !== "") break;
  }
  child.stderr.resume();
  const connection = await Connection.open(url);

  const another = async (isPrivate = false) => {
    const context = isPrivate ? await connection.ask("Target.createBrowserContext", {}) : {};
    const { targetId } = await connection.ask("Target.createTarget", { url: "about:blank", ...context });
    const { sessionId } = await connection.ask("Target.attachToTarget", { targetId, flatten: true });
    const session = String(sessionId);
    return tabOf(
      (method, params = {}) => connection.ask(method, params, session),
      (event) => connection.event(event, session),
    );
  };

  return {
    tab: await another(),
    another,
    async [Symbol.asyncDispose]() {
      // Chromium ends all of its processes, so that none of them continues to write.
      connection.ask("Browser.close", {}).catch(() => {});
      await ended;
      connection.close();
      rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    },
  };
}

type Answer = Record<string, unknown>;
type Ask = (method: string, params?: object) => Promise<Answer>;

function tabOf(ask: Ask, event: (name: string) => Promise<void>): Tab {
  const run = async (expression: string): Promise<unknown> => {
    const { result, exceptionDetails } = await ask("Runtime.evaluate", {
      expression: `(async () => (${expression}))()`,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
    return (result as Answer)["value"];
  };

  const until = async (script: string): Promise<unknown> => {
    let value: unknown;
    await untilHolds(`the page shows ${script}`, async () => {
      value = await run(script);
      return value !== null && value !== undefined && value !== false && value !== "";
    });
    return value;
  };

  const appear = async ({ width, height, isDark }: Look): Promise<void> => {
    await ask("Emulation.setDeviceMetricsOverride", {
      width,
      height,
      deviceScaleFactor: 1,
      mobile: width < 500,
    });
    const value = isDark ? "dark" : "light";
    await ask("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value }] });
  };

  return {
    run,
    until,
    async open(url) {
      await ask("Page.navigate", { url });
      await until(`location.href === ${JSON.stringify(url)} && document.readyState === "complete"`);
    },
    command: ask,
    appear,
    async reload() {
      await run("globalThis.isOld = true");
      await ask("Page.reload");
      await until(`globalThis.isOld !== true && document.readyState === "complete"`);
    },
    async crash() {
      await ask("Inspector.enable");
      const crashed = event("Inspector.targetCrashed");
      // The page has crashed and cannot answer.
      ask("Page.crash").catch(() => {});
      await crashed;
    },
    async picture(width, look = {}) {
      await appear({ width, height: 900, isDark: false, ...look });
      const { data } = await ask("Page.captureScreenshot", { format: "png" });
      return Buffer.from(String(data), "base64");
    },
  };
}

class Connection {
  readonly #socket: WebSocket;
  readonly #pending = new Map<
    number,
    { resolve: (answer: Answer) => void; reject: (error: Error) => void }
  >();
  /** The waiting callers by session and event name. */
  readonly #awaited = new Map<string, () => void>();
  #last = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("message", (data: Buffer) => {
      const { id, result, error, method, sessionId } = JSON.parse(data.toString()) as {
        readonly id?: number;
        readonly result: Answer;
        readonly error?: object;
        readonly method?: string;
        readonly sessionId?: string;
      };
      if (id === undefined) this.#awaited.get(`${sessionId} ${method}`)?.();
      const pending = id === undefined ? undefined : this.#pending.get(id);
      if (error === undefined) pending?.resolve(result);
      else pending?.reject(new Error(JSON.stringify(error)));
    });
  }

  static async open(url: string): Promise<Connection> {
    const socket = new WebSocket(url, { perMessageDeflate: false });
    await once(socket, "open");
    return new Connection(socket);
  }

  ask(method: string, params: object, sessionId?: string): Promise<Answer> {
    const id = ++this.#last;
    this.#socket.send(JSON.stringify({ id, method, params, sessionId }));
    return inTime(
      () => `Chromium has not answered ${method}`,
      new Promise((resolve, reject) => this.#pending.set(id, { resolve, reject })),
    );
  }

  /** Waits for the next event with that name. */
  event(name: string, sessionId: string): Promise<void> {
    return inTime(
      () => `Chromium has not reported ${name}`,
      new Promise((resolve) => this.#awaited.set(`${sessionId} ${name}`, resolve)),
    );
  }

  close(): void {
    this.#socket.terminate();
  }
}
