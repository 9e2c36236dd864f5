/** Runs daemons with --data or --peer in the process of the test, on free ports of the loopback interface. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Environment, realEnvironment } from "../../../daemon/net/process/clock-and-randomness.js";
import { optionProgram, parseArguments } from "../../../daemon/options/parse-options.js";
import { settingsOf } from "../../../daemon/options/read-settings.js";
import { Daemon } from "../../../daemon/program/daemon.js";
import { BUILD } from "../../../daemon/program/installed-faces.js";
import type { Semantics } from "../../../daemon/store/semantics.js";
import { peerArgs } from "../../support/cluster-secret.js";
import type { LogLine } from "../../support/daemon-process.js";
import { freePort } from "../../support/free-port.js";
import { keepLog } from "../../support/log-lines.js";
import { until } from "../../support/until.js";

export interface RunningReplica extends AsyncDisposable {
  readonly daemon: Daemon;
  readonly port: number;
  readonly log: readonly LogLine[];
}

export interface ReplicaOptions {
  /** Its options. Its port is a free one, unless `-p` is among them. */
  readonly args: readonly string[];
  /** What differs from the real clock and random numbers. */
  readonly environment?: Partial<Environment>;
  /** The meanings of commands that it knows; default: those of this build. */
  readonly known?: Semantics | undefined;
  /** The level of the log; default: info. */
  readonly level?: "trace" | "info";
}

/** Starts a daemon. @throws StartError */
export async function startReplica({
  args,
  environment,
  known,
  level = "info",
}: ReplicaOptions): Promise<RunningReplica> {
  const { log, lines } = keepLog(level);
  const settings = settingsFrom(["-p", String(await freePort()), ...args]);
  const daemon = new Daemon({
    ...BUILD,
    settings,
    environment: { ...realEnvironment, ...environment },
    log,
    known,
  });
  await daemon.start();
  return {
    daemon,
    port: daemon.address?.port ?? 0,
    log: lines,
    [Symbol.asyncDispose]: () => daemon.stop(),
  };
}

/** Daemons that are peers of each other. Disposal stops all of them. */
export type Replicas = readonly RunningReplica[] & AsyncDisposable;

/**
 * Starts daemons that are peers of each other, and waits until they are live.
 * @param args  further options of each daemon, or of the daemon with an index
 */
export async function startReplicas(
  count: number,
  args: readonly string[] | ((index: number) => readonly string[]),
): Promise<Replicas> {
  const ports = await Promise.all(Array.from({ length: count }, () => freePort()));
  const argsOf = typeof args === "function" ? args : () => args;
  const starts = ports.map((_, index) =>
    startReplica({ args: [...peerArgs(ports, index), ...argsOf(index)] }),
  );
  const stop = async () => {
    for (const start of await Promise.allSettled(starts))
      if (start.status === "fulfilled") await start.value[Symbol.asyncDispose]();
  };
  try {
    const replicas = await Promise.all(starts);
    await until("all daemons are live", () => replicas.every(({ daemon }) => daemon.health.state === "live"));
    return Object.assign(replicas, { [Symbol.asyncDispose]: stop });
  } catch (problem) {
    await stop();
    throw problem;
  }
}

export function settingsFrom(args: readonly string[]) {
  const program = optionProgram({ faces: BUILD.faces, version: "0", everything: true, print: () => {} });
  for (const option of program.options) delete option.envVar;
  parseArguments(program, args, {});
  return settingsOf(program);
}

/** Creates a folder that is removed by disposal. */
export function makeFolder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "dbsync-replica-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}
