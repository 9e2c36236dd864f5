/** A thread that starts a member of a stream without the code of a family. */
import { parentPort, workerData } from "node:worker_threads";
import * as faces from "../../../daemon/faces.js";
import type { FaceFamilies } from "../../../daemon/store/family-code.js";
import { type MemberReport, memberWith, reportOf } from "./member-without-code.js";

export interface MemberTask {
  readonly args: readonly string[];
  /** The family that the program does not contain. */
  readonly removed: string;
}

const { args, removed } = workerData as MemberTask;
const installed = Object.values<FaceFamilies>(faces).flatMap(({ families = {} }) => Object.entries(families));
const families = installed.filter(([name]) => name !== removed);
const { replica, connectError } = memberWith(Object.fromEntries(families), args, 1);
parentPort?.postMessage({ connectError, ...reportOf(replica) } satisfies MemberReport);
