/** The thread that runs one task of the daemon or of a face, with the code of all faces, and then exits. */
import { workerData } from "node:worker_threads";
import type { ThreadTasks } from "../cluster/replica/replica-context.js";
import { SNAPSHOT_TASK } from "../cluster/replica/snapshot-maker.js";
import * as list from "../faces.js";
import { installFamilies } from "../store/family-code.js";
import type { Face } from "./face.js";

const faces = Object.values<Face>(list);
installFamilies(faces);
const tasks: ThreadTasks = Object.assign(
  {
    [SNAPSHOT_TASK]: async (task) =>
      await (await import("../cluster/replica/snapshot-task.js")).runSnapshotTask(task),
  } satisfies ThreadTasks,
  ...faces.map(({ tasks }) => tasks),
);
const { name, task } = workerData as { readonly name: string; readonly task: object };
await tasks[name]?.(task as never);
