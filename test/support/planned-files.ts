/** Decides which test files run, and in which order. */
import { isFullOnly } from "./full-files.js";

/**
 * The beginnings of the paths of files that are long in each run, the longest first, according to the list at the end
 * of a run.
 */
const LONG = [
  "test/simulation/worlds.test",
  "test/docs.test",
  "test/site/",
  "test/system/active-active",
  "test/system/effects/",
  "test/operations/",
  "test/conformance/differential",
  "test/daemon/program/replicas.test",
  "test/daemon/program/false-members",
  "test/run.test",
  "test/simulation/known-runs",
  "faces/json/test/late-entries",
  "faces/redis/test/users",
];

/** The beginnings of the paths of files that are long only in full, the longest first. */
const LONG_IN_FULL = [
  "test/system/claims/job-libraries",
  "faces/mongo/test/store/queries/long-expressions",
  "test/libraries/",
  "faces/json/test/store/commands/number-tests",
  "test/simulation/",
  "test/client/simulation",
  "test/system/chaos",
  "test/system/scans",
  "faces/sql/test/store/commands/planned",
  "test/daemon/program/working-memory",
  "test/system/member-snapshots",
  "test/system/lost-entries-alarm",
  "test/system/",
  "test/client/unsigned.test",
  "faces/sidecar/test/",
  "test/tools/cli/redis/import-redis",
  "test/tools/cli/main",
  "test/tools/cli/members/members",
  "test/tools/cli/timeline",
  "test/tools/cli/version-2",
  "test/tools/cli/json/",
  "test/tools/cli/profile",
  "test/tools/cli/keys/keys",
  "test/tools/cli/exit-codes",
  "test/examples/",
  "test/daemon/engine/memory/maxmemory",
  "test/daemon/timeline/timeline.test",
  "test/daemon/timeline/compare/reconcile",
  "test/daemon/store/keyspace/undo",
  "faces/redis/test/hostile",
];

/**
 * Returns whether a file is among the long ones, which have their own process and start first.
 * @param file  its path
 */
export const isLong = (file: string, { isFull }: Pick<Settings, "isFull">): boolean =>
  [...LONG, ...(isFull ? LONG_IN_FULL : [])].some((words) => file.startsWith(words));

export interface Settings {
  /** Whether DBSYNC_FULL is set. */
  readonly isFull: boolean;
  /** Whether the developer has named the files, so that those of full runs are not omitted. */
  readonly areNamed: boolean;
}

/** Returns the files that run, the long ones first. @param chosen  paths from the root of the build */
export function plannedFiles(chosen: readonly string[], { isFull, areNamed }: Settings): readonly string[] {
  const long = [...LONG, ...LONG_IN_FULL].flatMap((words) => chosen.filter((file) => file.startsWith(words)));
  const inOrder = [...new Set([...long, ...chosen])];
  return inOrder.filter((file) => isFull || areNamed || !isFullOnly(file));
}
