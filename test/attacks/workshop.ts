/**
 * A modified dbsyncd, with which an attacker makes what only a daemon can make, such as snapshots. It accepts
 * every signature, and its clock shows any time. It has the victims' public keys, and so the same cluster name.
 */
import { type DaemonProcess, startDaemon } from "../support/daemon-process.js";

/** Code of the changes. Threads inherit it with the process's arguments. */
const CHANGED = `
import crypto from "node:crypto";
import { syncBuiltinESMExports } from "node:module";
const right = Date.now;
const off = Number(process.env.CLOCK_OFF_MS ?? 0);
Date.now = () => right() + off;
if (process.env.FORGE) {
  crypto.verify = (...given) => {
    const done = given.at(-1);
    if (typeof done !== "function") return true;
    setImmediate(done, null, true);
  };
  syncBuiltinESMExports();
}`;

export interface WorkshopOptions {
  readonly clockOffMs?: number;
  /** Whether it accepts every signature. */
  readonly forges?: boolean;
}

export async function startWorkshop(
  args: readonly string[],
  { clockOffMs = 0, forges = false }: WorkshopOptions,
): Promise<DaemonProcess> {
  const execArgv = ["--import", `data:text/javascript,${encodeURIComponent(CHANGED)}`];
  const env = { CLOCK_OFF_MS: String(clockOffMs), ...(forges ? { FORGE: "1" } : {}) };
  return await startDaemon(args, { execArgv, env });
}
