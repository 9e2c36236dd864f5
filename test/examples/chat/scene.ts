/**
 * Starts chat servers within the test process or as separate processes, with one or three daemons, and connects to
 * them.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { WebSocket } from "ws";
import { PROTOCOL, type ServerFrame } from "../../../examples/chat/page-frames.js";
import { ChatServer } from "../../../examples/chat/server.js";
import { type Limits, settingsOf } from "../../../examples/chat/settings.js";
import { killedAtExit } from "../../support/child-process.js";
import { type Served, startDaemon } from "../../support/daemon-process.js";
import { freePort } from "../../support/free-port.js";
import { buildRoot } from "../../support/repository.js";
import { authorizeDaemons } from "../../support/resp-trio.js";
import { Trio } from "../../support/trio.js";
import { inTime } from "../../support/until.js";

const HOST = "127.0.0.1";

/** Starts a daemon in memory that serves Redis clients. */
export async function startStore(): Promise<AsyncDisposable & { readonly port: number }> {
  const daemon = await startDaemon(["--resp", "0"]);
  const port = await daemon.portOf("Redis clients");
  return { port, [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose]() };
}

export interface ServerOptions {
  readonly redis: number;
  readonly limits?: Partial<Limits>;
  readonly settings?: Readonly<Record<string, string>>;
}

/** Timeouts that are long enough for a busy machine. */
const PATIENT: Partial<Limits> = { HELLO_MS: 120_000, STORE_MS: 60_000 };

/** Starts a chat server in this process. */
export async function startServer({ redis, limits = {}, settings = {} }: ServerOptions) {
  const limitTexts = Object.entries({ ...PATIENT, ...limits }).map(([name, value]) => [name, String(value)]);
  const log: string[] = [];
  const server = new ChatServer(
    settingsOf({ PORT: "0", DB_PORT: String(redis), ...settings, ...Object.fromEntries(limitTexts) }),
    (line) => log.push(line),
  );
  await server.start();
  const { address } = server;
  return { address, log, stop: () => server.stop(), [Symbol.asyncDispose]: () => server.stop() };
}

/** A connection with the messages that have arrived, in order. */
export class Line implements Disposable {
  readonly socket: WebSocket;
  readonly closed: Promise<number>;
  readonly received: string[] = [];
  #read = 0;
  #wake: () => void = () => {};

  constructor(address: string, protocol?: string, origin?: string) {
    this.socket = new WebSocket(address, protocol ?? [], origin === undefined ? {} : { origin });
    this.closed = new Promise((resolve) => this.socket.once("close", resolve));
    this.socket.on("error", () => {});
    this.socket.on("close", () => this.#wake());
    this.socket.on("message", (data: Buffer) => {
      this.received.push(data.toString());
      this.#wake();
    });
  }

  async say(text: string | Buffer): Promise<void> {
    if (this.socket.readyState === WebSocket.CONNECTING) await once(this.socket, "open");
    this.socket.send(text);
  }

  /** Waits for the next message. @throws Error if the connection is closed first */
  async next(): Promise<string> {
    while (this.#read === this.received.length) {
      if (this.socket.readyState === WebSocket.CLOSED) throw new Error("closed");
      await inTime(
        () => `no message arrives after ${this.received.at(-1)}`,
        new Promise<void>((resolve) => (this.#wake = resolve)),
      );
    }
    return this.received[this.#read++] as string;
  }

  /** Waits for the next message that contains a text. Skips the messages before it. */
  async until(words: string): Promise<string> {
    for (;;) {
      const text = await this.next();
      if (text.includes(words)) return text;
    }
  }

  [Symbol.dispose](): void {
    this.socket.terminate();
  }
}

/** A connection that uses JSON frames. */
export class FrameLine extends Line {
  constructor(address: string) {
    super(address, PROTOCOL);
  }

  async ask(frame: object): Promise<void> {
    await this.say(JSON.stringify(frame));
  }

  async frame<Is extends ServerFrame["is"]>(is: Is): Promise<Extract<ServerFrame, { is: Is }>> {
    return JSON.parse(await this.until(`"is":"${is}"`)) as Extract<ServerFrame, { is: Is }>;
  }

  /** Begins a session. @returns the id of the session */
  async begin(pseudo: string, room?: string): Promise<string> {
    await this.ask({ do: "begin", pseudo, room });
    const { session } = await this.frame("welcome");
    return session;
  }
}

export interface Daemons extends AsyncDisposable {
  /** Returns the settings of a chat server that prefers one daemon, followed by the remaining ones. */
  settingsFrom(index: number): Readonly<Record<string, string>>;
  kill(index: number): Promise<void>;
}

/** Starts three daemons that serve clients of Redis and MongoDB. */
export async function startDaemons(): Promise<Daemons> {
  const trio = await Trio.start(["--resp", "0", "--mongo", "0"]);
  await authorizeDaemons(trio);
  const portsOf = (served: Served) =>
    Promise.all([...trio.ports.keys()].map((index) => trio.daemon(index).portOf(served)));
  const redis = (await portsOf("Redis clients")).map((port) => `${HOST}:${port}`);
  const mongo = (await portsOf("MongoDB clients")).map((port) => `mongodb://${HOST}:${port}/`);
  return {
    settingsFrom(index) {
      const turned = (places: readonly string[]) => [...places.slice(index), ...places.slice(0, index)];
      return { DB_HOST: turned(redis).join(), MONGO_URL: turned(mongo).join(" ") };
    },
    async kill(index) {
      await trio.end(index, "SIGKILL");
    },
    [Symbol.asyncDispose]: () => trio[Symbol.asyncDispose](),
  };
}

export interface ServerProcess {
  readonly port: number;
  readonly page: string;
  /** Sends SIGSTOP or SIGCONT. */
  signal(name: NodeJS.Signals): void;
  kill(): Promise<void>;
}

/** Starts a chat server as a program, with its settings in a file. */
export async function spawnServer(
  folder: string,
  values: Readonly<Record<string, string>>,
): Promise<ServerProcess> {
  const port = await freePort();
  const config = join(folder, `config${port}`);
  const patient = Object.entries(PATIENT).map(([name, value]) => [name, String(value)] as const);
  const settings = { ...Object.fromEntries(patient), ...values, PORT: String(port) };
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
  writeFileSync(config, lines.join("\n"));

  const child = killedAtExit(
    spawn(process.execPath, [join(buildRoot, "examples/chat/main.js"), config], {
      stdio: ["ignore", "pipe", "inherit"],
    }),
  );

  const exited = once(child, "exit");
  let isServing = false;
  for await (const line of createInterface({ input: child.stdout }))
    if (line.startsWith("chat at")) {
      isServing = true;
      break;
    }
  if (!isServing) throw new Error("the chat server ended before it was ready");

  child.stdout.resume();
  return {
    port,
    page: `http://${HOST}:${port}/`,
    signal: (name) => void child.kill(name),
    async kill() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}
