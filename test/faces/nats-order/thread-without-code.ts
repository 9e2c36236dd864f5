/** A thread that starts a member of a stream without the code of a family. */
import { parentPort, workerData } from "node:worker_threads";
import { INSTALLED_FAMILIES } from "../../../daemon/installed-families.js";
import { type LackingReport, memberWith, reportOf } from "./member-without-code.js";

export interface LackingTask {
  readonly args: readonly string[];
  /** The family that the program does not contain, or null. */
  readonly removed: string | null;
  /** The family whose import fails, or null. */
  readonly failing: string | null;
}

const { args, removed, failing } = workerData as LackingTask;
const others = Object.entries(INSTALLED_FAMILIES).filter(([name]) => name !== removed && name !== failing);
const failed = failing === null ? {} : { [failing]: () => Promise.reject(new Error("absent")) };
const { replica, connected } = await memberWith({ ...Object.fromEntries(others), ...failed }, args, 1);
parentPort?.postMessage({ connected, ...reportOf(replica) } satisfies LackingReport);
