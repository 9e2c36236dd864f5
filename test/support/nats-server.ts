/**
 * nats-server processes with JetStream for tests. Each listens on a free loopback port and has a data folder that
 * survives restarts.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { kill, killedAtExit } from "./child-process.js";
import { freePort } from "./free-port.js";

export class NatsServer implements AsyncDisposable {
  readonly port: number;
  readonly name: string;
  readonly #args: readonly string[];
  /** The data folder. */
  readonly folder = mkdtempSync(join(tmpdir(), "dbsync-nats-"));
  #child: ChildProcess | null = null;

  private constructor(port: number, name: string, args: readonly string[]) {
    this.port = port;
    this.name = name;
    this.#args = args;
  }

  /** Starts a new server. @param args  more arguments, such as `--user` */
  static async start(args: readonly string[] = []): Promise<NatsServer> {
    const server = new NatsServer(await freePort(), "one", args);
    await server.start();
    return server;
  }

  /** Starts servers that form one cluster. @param args  more arguments for each server */
  static async startCluster(count: number, args: readonly string[] = []): Promise<readonly NatsServer[]> {
    const routes = await Promise.all(Array.from({ length: count }, freePort));
    const all = routes.map((port) => `nats://127.0.0.1:${port}`).join(",");
    const servers = await Promise.all(
      routes.map(async (port, index) => {
        const cluster = ["--cluster", `nats://127.0.0.1:${port}`, "--cluster_name", "tests", "--routes", all];
        return new NatsServer(await freePort(), `n${index}`, [...cluster, ...args]);
      }),
    );
    await Promise.all(servers.map((server) => server.start()));
    return servers;
  }

  /** Starts the process and waits until it accepts connections. */
  async start(): Promise<void> {
    const { port, name } = this;
    const settings = [
      "-a",
      "127.0.0.1",
      "-p",
      String(port),
      "--server_name",
      name,
      "-js",
      "-sd",
      this.folder,
    ];
    const child = killedAtExit(
      spawn("nats-server", [...settings, ...this.#args], { stdio: ["ignore", "ignore", "pipe"] }),
    );
    this.#child = child;
    await ready(child);
  }

  get pid(): number {
    return this.#child?.pid as number;
  }

  /** Kills the process immediately, like a crash of its machine. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child !== null) await kill(child);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function ready(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let output = "";
    child.stderr?.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      if (output.includes("Server is ready")) resolve();
    });
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`nats-server ended with ${code}: ${output}`)));
  });
}
