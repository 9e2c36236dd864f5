/** A thread that starts a member of a stream without the code of a family. */
import { parentPort, workerData } from "node:worker_threads";
import * as faces from "../../../daemon/faces.js";
import type { FaceFamilies } from "../../../daemon/store/family-code.js";
import { type LackingReport, memberWith, reportOf } from "./member-without-code.js";

export interface LackingTask {
  readonly args: readonly string[];
  /** The family that the program does not contain. */
  readonly removed: string;
}

const { args, removed } = workerData as LackingTask;
const installed = Object.values<FaceFamilies>(faces).flatMap(({ families = {} }) => Object.entries(families));
const others = installed.filter(([name]) => name !== removed);
const { replica, connected } = memberWith(Object.fromEntries(others), args, 1);
parentPort?.postMessage({ connected, ...reportOf(replica) } satisfies LackingReport);
