/**
 * A redis-server process for one test. It listens on a free loopback port, stores nothing on disk, and is stopped
 * when the test ends.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { kill, killedAtExit } from "./child-process.js";
import { freePort } from "./free-port.js";

/** Maximum attempts to start, because another process may take the free port before redis-server listens on it. */
const START_ATTEMPTS_MAX = 5;

export interface RedisServer extends AsyncDisposable {
  readonly port: number;
  readonly pid: number;
  /** Sends a signal, for example SIGSTOP or SIGCONT. */
  kill(signal: NodeJS.Signals): void;
  stop(): Promise<void>;
}

/**
 * Starts redis-server and waits until it accepts connections.
 * @param options.args  more arguments, for example `["--requirepass", "secret"]`
 * @param options.port  the port of a stopped server, to restart it there; default: a free port
 */
export async function startRedis(
  options: { args?: readonly string[]; port?: number } = {},
): Promise<RedisServer> {
  const { args = [], port } = options;
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(port ?? (await freePort()), args);
    } catch (reason) {
      if (port !== undefined || attempt === START_ATTEMPTS_MAX) throw reason;
    }
  }
}

async function start(port: number, args: readonly string[]): Promise<RedisServer> {
  // Each server has a new folder. Otherwise it would load the file that an earlier server wrote with SAVE.
  const folder = mkdtempSync(join(tmpdir(), "dbsync-redis-"));
  const settings = [
    "--port",
    String(port),
    "--bind",
    "127.0.0.1",
    "--save",
    "",
    "--appendonly",
    "no",
    "--dir",
    folder,
  ];

  const child = killedAtExit(
    spawn("redis-server", [...settings, ...args], {
      stdio: ["ignore", "pipe", "inherit"],
      // SORT ALPHA compares according to the locale.
      env: { ...process.env, LC_ALL: "C" },
    }),
  );

  child.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  await ready(child);
  return {
    port,
    pid: child.pid as number,
    kill: (signal) => void child.kill(signal),
    stop: () => kill(child),
    [Symbol.asyncDispose]: () => kill(child),
  };
}

function ready(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let output = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      if (output.includes("Ready to accept connections")) resolve();
    });
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`redis-server ended with ${code}: ${output}`)));
  });
}
