/** Starts the servers of a benchmark, each in a separate process: daemons, and minimal servers for comparison. */
import { join } from "node:path";
import { type DaemonProcess, startDaemon, startProgram } from "../test/support/daemon-process.js";
import { type KeyPair, makeKeyPair } from "../test/support/envelope-client.js";
import { buildRoot } from "../test/support/repository.js";
import { Trio } from "../test/support/trio.js";
import { until } from "../test/support/until.js";

/** Milliseconds within which a cluster starts. */
export const START_MS = 20_000;

/**
 * Repeats a check of a starting cluster until it returns a value.
 * @throws Error after START_MS; the cause is the last failure
 */
export async function started<T>(check: () => Promise<T | undefined>): Promise<T> {
  let value: T | undefined;
  const holds = async () => (value = await check()) !== undefined;
  await until("the cluster has started", holds, { ms: START_MS, mayFail: true });
  return value as T;
}

/** How daemons store their timelines; `plain`: they have no timeline, and no peers. */
export type Durability = "plain" | "memory" | "interval" | "always";

/** Starts three daemons that accept one key, and are peers of each other if they have a timeline. */
export async function startThree(durability: Durability, app: KeyPair = makeKeyPair("rsa")): Promise<Trio> {
  const isInMemory = durability === "plain" || durability === "memory";
  const fsync = ["--fsync", durability === "interval" ? "interval=100" : "always"];
  const options = { app, isInMemory, arePeers: durability !== "plain" };
  return await Trio.start(isInMemory ? [] : fsync, 3, options);
}

const FACES = { resp: "Redis clients", json: "JSON clients", sql: "SQL clients" } as const;

/** A server whose CPU time and memory can be read, and the port to measure. */
export interface Target {
  readonly port: number;
  readonly pid: number;
}

/** Starts a daemon with a further listener, `face`. */
export async function startFace(
  face: keyof typeof FACES,
  args: readonly string[] = [],
  execArgv: readonly string[] = [],
): Promise<DaemonProcess & { readonly face: Target }> {
  const daemon = await startDaemon([`--${face}`, "0", ...args], { execArgv });
  return Object.assign(daemon, { face: { port: await daemon.portOf(FACES[face]), pid: daemon.pid } });
}

/** Starts a minimal server. @param args  arguments of echo-server.ts, for example the answer to each chunk */
export const startEcho = (...args: readonly string[]): Promise<DaemonProcess> =>
  startProgram([join(buildRoot, "bench/echo-server.js"), ...args]);

export const startBareLoop = (): Promise<DaemonProcess> =>
  startProgram([join(buildRoot, "bench/bare-loop.js")]);

/** Servers that are stopped together. */
export type Together<Each> = readonly Each[] & AsyncDisposable;

export async function startTogether<Each extends AsyncDisposable>(
  starts: readonly Promise<Each>[],
): Promise<Together<Each>> {
  const servers = await Promise.all(starts);
  const stop = async () => void (await Promise.all(servers.map((server) => server[Symbol.asyncDispose]())));
  return Object.assign(servers, { [Symbol.asyncDispose]: stop });
}
