/** Chat servers in the test's process, or as processes, with one daemon or three, and connections to them. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { WebSocket } from "ws";
import type { Limits } from "../../../examples/chat/limits.js";
import { ChatServer } from "../../../examples/chat/server.js";
import { settingsOf } from "../../../examples/chat/settings.js";
import { PROTOCOL, type ServerFrame } from "../../../examples/chat/wire.js";
import { makeFolder } from "../../daemon/replicas.js";
import { knowsSecret } from "../../support/cluster-secret.js";
import { type DaemonProcess, startDaemon } from "../../support/daemon-process.js";
import { makeKeyPair } from "../../support/envelope-client.js";
import { freePort } from "../../support/free-port.js";
import { buildRoot } from "../../support/repository.js";

const HOST = "127.0.0.1";

/** Starts a daemon in memory, for Redis clients. */
export async function startStore(): Promise<AsyncDisposable & { readonly port: number }> {
  const daemon = await startDaemon(["--resp", "0"]);
  const { port } = await daemon.logged(({ msg }) => msg === "serving Redis clients");
  return { port: port as number, [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose]() };
}

export interface ServerOptions {
  readonly redis: number;
  readonly limits?: Partial<Limits>;
  readonly settings?: Readonly<Record<string, string>>;
}

/** Time limits that are long enough for a busy machine. */
const PATIENT: Partial<Limits> = { HELLO_MS: 120_000, STORE_MS: 60_000 };

/** Starts a server in this process. */
export async function startServer({ redis, limits = {}, settings = {} }: ServerOptions) {
  const said = Object.entries({ ...PATIENT, ...limits }).map(([name, value]) => [name, String(value)]);
  const log: string[] = [];
  const server = new ChatServer(
    settingsOf({ PORT: "0", DB_PORT: String(redis), ...settings, ...Object.fromEntries(said) }),
    (line) => log.push(line),
  );
  await server.start();
  const { address } = server;
  return { address, log, stop: () => server.stop(), [Symbol.asyncDispose]: () => server.stop() };
}

/** A connection, and the messages that arrived on it, in order. */
export class Line implements Disposable {
  readonly socket: WebSocket;
  readonly closed: Promise<number>;
  readonly came: string[] = [];
  #read = 0;
  #wake: () => void = () => {};

  constructor(address: string, protocol?: string, origin?: string) {
    this.socket = new WebSocket(address, protocol ?? [], origin === undefined ? {} : { origin });
    this.closed = new Promise((resolve) => this.socket.once("close", resolve));
    this.socket.on("error", () => {});
    this.socket.on("close", () => this.#wake());
    this.socket.on("message", (data: Buffer) => {
      this.came.push(data.toString());
      this.#wake();
    });
  }

  async say(text: string | Buffer): Promise<void> {
    if (this.socket.readyState === WebSocket.CONNECTING) await once(this.socket, "open");
    this.socket.send(text);
  }

  /** Returns the next message. @throws Error  the connection was closed instead */
  async next(): Promise<string> {
    while (this.#read === this.came.length) {
      if (this.socket.readyState === WebSocket.CLOSED) throw new Error("closed");
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.came[this.#read++] as string;
  }

  /** Returns the next message that contains the words, and skips those ahead of it. */
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

/** A connection that uses frames. */
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

  /** Begins a session. @returns its id */
  async begin(pseudo: string, room?: string): Promise<string> {
    await this.ask({ do: "begin", pseudo, room });
    const { session } = await this.frame("welcome");
    return session;
  }
}

export interface Daemons extends AsyncDisposable {
  /** Returns the settings of a chat server that prefers one of them, followed by the remaining ones. */
  settingsFrom(index: number): Readonly<Record<string, string>>;
  kill(index: number): Promise<void>;
}

/** Starts three daemons that record and know each other. */
export async function startDaemons(): Promise<Daemons> {
  const app = makeKeyPair();
  const ports = [await freePort(), await freePort(), await freePort()];
  const folders = ports.map(makeFolder);
  const daemons: readonly DaemonProcess[] = await Promise.all(
    ports.map((own, index) =>
      startDaemon([
        ...["-s", app.file, "-p", String(own), "--data", folders[index]?.path ?? "", ...knowsSecret],
        ...ports.filter((other) => other !== own).flatMap((peer) => ["--peer", `${HOST}:${peer}`]),
        ...["--resp", "0", "--mongo", "0"],
      ]),
    ),
  );
  const portsOf = (said: string) =>
    Promise.all(daemons.map(async (daemon) => (await daemon.logged(({ msg }) => msg === said))["port"]));
  const redis = (await portsOf("serving Redis clients")).map((port) => `${HOST}:${port}`);
  const mongo = (await portsOf("serving MongoDB clients")).map((port) => `mongodb://${HOST}:${port}/`);
  return {
    settingsFrom(index) {
      const turned = (places: readonly string[]) => [...places.slice(index), ...places.slice(0, index)];
      return { DB_HOST: turned(redis).join(), MONGO_URL: turned(mongo).join(" ") };
    },
    async kill(index) {
      daemons[index]?.kill("SIGKILL");
      await daemons[index]?.ended();
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(daemons.map((daemon) => daemon[Symbol.asyncDispose]()));
      for (const folder of folders) folder[Symbol.dispose]();
    },
  };
}

export interface ServerProcess {
  readonly port: number;
  readonly page: string;
  /** Sends SIGSTOP or SIGCONT. */
  signal(name: NodeJS.Signals): void;
  kill(): Promise<void>;
}

/** Starts a server as a program, with its settings in a file. */
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
  const child = spawn(process.execPath, [join(buildRoot, "examples/chat/main.js"), config], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  process.once("exit", () => child.kill("SIGKILL"));
  const gone = once(child, "exit");
  let isServing = false;
  for await (const line of createInterface({ input: child.stdout }))
    if (line.startsWith("chat at")) {
      isServing = true;
      break;
    }
  if (!isServing) throw new Error("the chat server ended before it served");
  child.stdout.resume();
  return {
    port,
    page: `http://${HOST}:${port}/`,
    signal: (name) => void child.kill(name),
    async kill() {
      child.kill("SIGKILL");
      await gone;
    },
  };
}
