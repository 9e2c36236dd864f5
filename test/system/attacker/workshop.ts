/**
 * A modified dbsyncd, with which an attacker makes data that only a daemon can make, for example snapshots. It can
 * accept every signature, and its clock can be wrong by any amount. It has the victims' public keys, and therefore the
 * same cluster id.
 */
import { type DaemonProcess, startDaemon } from "../../support/daemon-process.js";

/** The code of the modifications. Threads inherit it, since it is an argument of the process. */
const MODIFICATIONS = `
import crypto from "node:crypto";
import { syncBuiltinESMExports } from "node:module";
const realNow = Date.now;
const off = Number(process.env.CLOCK_OFF_MS ?? 0);
Date.now = () => realNow() + off;
if (process.env.FORGE) {
  crypto.verify = (...args) => {
    const done = args.at(-1);
    if (typeof done !== "function") return true;
    setImmediate(done, null, true);
  };
  syncBuiltinESMExports();
}`;

export interface WorkshopOptions {
  readonly clockOffMs?: number;
  /** Whether the daemon accepts every signature. */
  readonly forges?: boolean;
}

export async function startWorkshop(
  args: readonly string[],
  { clockOffMs = 0, forges = false }: WorkshopOptions,
): Promise<DaemonProcess> {
  const execArgv = ["--import", `data:text/javascript,${encodeURIComponent(MODIFICATIONS)}`];
  const env = { CLOCK_OFF_MS: String(clockOffMs), ...(forges ? { FORGE: "1" } : {}) };
  return await startDaemon(args, { execArgv, env });
}
