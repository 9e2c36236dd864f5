/** Runs daemons with --data or --peer in the process of the test, on free ports of the loopback interface. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Environment, realEnvironment } from "../../../daemon/net/process/clock-and-randomness.js";
import { optionTable, parseArguments } from "../../../daemon/options/parse-options.js";
import { settingsOf } from "../../../daemon/options/read-settings.js";
import { Daemon } from "../../../daemon/program/daemon.js";
import type { LogLine } from "../../support/daemon-process.js";
import { freePort } from "../../support/free-port.js";
import { keepLog } from "../../support/log-lines.js";

export interface RunningReplica extends AsyncDisposable {
  readonly daemon: Daemon;
  readonly port: number;
  readonly log: readonly LogLine[];
}

export interface ReplicaOptions {
  readonly args: readonly string[];
  readonly environment?: Environment;
}

/** Starts a daemon. @throws StartError */
export async function startReplica({
  args,
  environment = realEnvironment,
}: ReplicaOptions): Promise<RunningReplica> {
  const { log, lines } = keepLog("info");
  const port = ["-p", String(await freePort())];
  const daemon = new Daemon({ settings: settingsFrom([...port, ...args]), environment, log });
  await daemon.start();
  return {
    daemon,
    port: daemon.address?.port ?? 0,
    log: lines,
    [Symbol.asyncDispose]: () => daemon.stop(),
  };
}

export function settingsFrom(args: readonly string[]) {
  const program = optionTable({ version: "0", everything: true, print: () => {} });
  for (const option of program.options) delete option.envVar;
  parseArguments(program, args, {});
  return settingsOf(program);
}

/** Creates a folder that is removed by disposal. */
export function makeFolder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "dbsync-replica-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** Time limit in milliseconds, long enough for a busy machine. With a mutant, a condition may never be met. */
const UNTIL_MS = Number(process.env["DBSYNC_UNTIL_MS"] ?? 120_000);

/** The first pause in milliseconds. Checks slow the daemons down, so the pauses grow. */
const PAUSE_MS_FIRST = 20;
const PAUSE_MS_MAX = 250;
const PAUSE_GROWTH = 1.3;

/** Waits until a condition is met. @throws Error  after the time limit */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + UNTIL_MS;
  for (let pause = PAUSE_MS_FIRST; !(await holds()); pause = Math.min(pause * PAUSE_GROWTH, PAUSE_MS_MAX)) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${UNTIL_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}
