/** The settings and services of a daemon that records its writes, and the objects that such a daemon consists of. */

import type { Worker } from "node:worker_threads";
import type { Logger } from "pino";
import type { ClientTotals } from "../../../protocol/figures/figure.js";
import type { Identity } from "../../engine/trust/identity.js";
import type { Signers } from "../../engine/trust/signers.js";
import type { Environment } from "../../net/process/clock-and-randomness.js";
import type { DiskSpace } from "../../net/process/disk.js";
import type { Settings } from "../../options/settings.js";
import type { Entry } from "../../timeline/entries/entry.js";
import type { Storage } from "../../timeline/entries/storage.js";
import type { SnapshotParts } from "../../timeline/snapshots/snapshot-schedule.js";
import type { Timeline } from "../../timeline/timeline.js";
import type { MemberLists } from "../members/member-lists.js";
import type { Members } from "../peers/members-interface.js";
import type { NamedDaemon } from "../peers/shared/named-daemon.js";
import type { Arrivals } from "./arrivals.js";
import type { RemovedDataStores } from "./replaced-data-folders.js";
import type { TimelineBackend } from "./timeline-backend.js";

/** The functions that threads run, by the names of their tasks. */
export type ThreadTasks = Readonly<Record<string, (task: never) => Promise<void>>>;

/**
 * Starts a thread that runs one task with the code of all faces, and then exits. It sends no messages: the main thread
 * receives only its exit code and its error.
 * @param name  in the tasks of the daemon or of a face
 * @param task  the argument of the function with this name, which is copied
 */
export type StartThread = (name: string, task: object) => Worker;

export interface ReplicaContext {
  readonly settings: Settings;
  readonly identity: Identity;
  readonly signers: Signers;
  readonly environment: Environment;
  readonly log: Logger;
  readonly startThread: StartThread;
  /** Called when entries are on disk, and when they have been applied. */
  readonly arrived: (entries: readonly { readonly id: Entry["id"] }[]) => void;
  /** Returns the address of the daemon's dashboard, or null if it has none. */
  readonly page: () => { readonly address: string; readonly port: number } | null;
  /** Returns what the daemon did for its clients. */
  readonly clientTotals: () => ClientTotals;
  /** The daemon that sentinels name (--sentinel); null: this daemon takes no part in the choice. */
  readonly named: NamedDaemon | null;
}

/** The objects of a daemon with a timeline, which each of its components receives. */
export interface NodeState extends ReplicaContext {
  readonly storage: Storage;
  readonly timeline: Timeline;
  readonly backend: TimelineBackend;
  /** The entries in the order in which they became part of the state, for followers. */
  readonly arrivals: Arrivals;
  /** Free space on the disk of the data folder. */
  readonly disk: DiskSpace;
  /** Whether the free space on the disk is known and below --min-disk-free. */
  readonly isDiskLow: boolean;
  /** The other daemons. The object changes when a daemon without members gets a peer or a list. */
  readonly peering: Members;
  /** The daemon's member lists, or null if it has none. */
  readonly lists: MemberLists | null;
  /**
   * Loads the code of connections and messages between members, and continues with them. Returns null if the daemon has
   * members already. Rejects if the code cannot be loaded; nothing has changed then.
   */
  readonly haveMembers: () => Promise<void> | null;
  /** The existing snapshots, and the function that makes new ones. */
  readonly snapshots: SnapshotParts;
  /** The stores for entries that leave the timeline. */
  readonly removedDataStores: RemovedDataStores;
  /** Runs steps of work that can wait, while clients are served. */
  readonly soon: (step: () => void) => void;
}

/** Runs a step in the next turn of the event loop. Used for steps that clients wait for. */
export const nextTurn = (step: () => void): void => void setImmediate(step);
