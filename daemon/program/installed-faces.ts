/** What this build contains: its faces and tools, in one order for all uses, and the thread that has their code. */
import { Worker } from "node:worker_threads";
import * as list from "../faces.js";
import type { Build, Face } from "./face.js";

export const BUILD: Build = {
  faces: Object.values<Face>(list),
  startThread: (name, task) =>
    new Worker(new URL("./thread.js", import.meta.url), { workerData: { name, task } }),
};
