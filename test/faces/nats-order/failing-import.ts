/** A thread that starts a member of a stream, while the import of the code of GEOADD fails. */
import { parentPort, workerData } from "node:worker_threads";
import { INSTALLED_FAMILIES } from "../../../daemon/installed-families.js";
import { type LackingReport, memberWith, reportOf } from "./lacking-member.js";

const failing = { ...INSTALLED_FAMILIES, "redis/geo": () => Promise.reject(new Error("absent")) };
const { replica, connected } = await memberWith(failing, workerData as readonly string[], 1);
parentPort?.postMessage({ connected, ...reportOf(replica) } satisfies LackingReport);
