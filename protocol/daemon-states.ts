/**
 * The states of a daemon. Each report of the state (hello, INFO, HELLO, ROLE, /healthz, /metrics, the page of --admin,
 * dbsync status and doctor) and each refusal of writes because of the state follows from this table.
 */
import type { StateName } from "./state-names.js";

interface DaemonStateRow {
  readonly meaning: string;
  /**
   * The code with which writes are refused, or null if no write is refused. Writes that are in progress when the daemon
   * stops, or that name a document while documents are fetched, have their own refusals.
   */
  readonly refusal: string | null;
  /** Whether a load balancer should send clients to the daemon. */
  readonly isHealthy: boolean;
  /** Whether the daemon has all data that its peers have acknowledged, as far as it knows. */
  readonly isComplete: boolean;
  /** The sentence of dbsync status and doctor, with the remedy and the alarm, or null if nothing is wrong. */
  readonly problem: {
    readonly severity: "problem" | "progress" | "note";
    readonly says: string;
    readonly fix: string;
    readonly alarm: string | null;
    /** The instructions in docs/operations.md, with links as there, if they are not those of the alarm. */
    readonly steps?: string;
  } | null;
}

const NOT_LIVE = "DbsyncNotLive";
const problem = (says: string, fix: string, alarm = NOT_LIVE) =>
  ({ severity: "problem", says, fix, alarm }) as const;
const progress = (says: string, fix: string) =>
  ({ severity: "progress", says, fix, alarm: NOT_LIVE }) as const;

export const DAEMON_STATES = {
  starting: {
    meaning: "its listeners are not started yet",
    refusal: null,
    isHealthy: false,
    isComplete: false,
    problem: {
      ...progress("it is starting", "its log shows its progress"),
      steps: "Wait. If this continues, read its log",
    },
  },
  live: {
    meaning: "its data is complete",
    refusal: null,
    isHealthy: true,
    isComplete: true,
    problem: null,
  },
  "loading-documents": {
    meaning: "it refuses documents, which it is fetching from a server of `--json-replica`",
    refusal: null,
    isHealthy: false,
    isComplete: true,
    problem: {
      ...progress(
        "it is fetching its documents, and refuses commands about documents",
        "its log names the server of --json-replica that has not sent its documents",
      ),
      steps: "Start the server of `json-replica` that the daemon's log names",
    },
  },
  "catching-up": {
    meaning: "its data is not complete yet",
    refusal: "catching-up",
    isHealthy: false,
    isComplete: false,
    problem: {
      ...progress("it is catching up", "its log shows its progress"),
      steps: "Read its log, which shows the progress and what it waits for. Start the members that are down",
    },
  },
  isolated: {
    meaning: "it is cut off from most of its peers, and accepts writes",
    refusal: null,
    isHealthy: true,
    isComplete: true,
    problem: {
      ...problem(
        "it is cut off from most of its peers, which receive its writes later",
        "start the peers that are down, or repair the network between them",
      ),
      steps:
        "Start the peers that are down, or repair the network between them. Until then, the daemon accepts writes, but refuses those on which members decide (`cannot-decide`)",
    },
  },
  "order-unavailable": {
    meaning: "the stream of `--order` cannot be reached or read",
    refusal: "order-unavailable",
    isHealthy: false,
    isComplete: false,
    problem: problem(
      "it cannot use the stream of its --order, so it accepts no writes",
      "check its NATS servers and the daemon's log",
      "DbsyncOrderAway",
    ),
  },
  "clock-off": {
    meaning: "its clock is wrong",
    refusal: "clock-off",
    isHealthy: false,
    isComplete: true,
    problem: problem(
      "its clock differs from the other daemons', so it accepts no writes",
      "set its clock by NTP",
      "DbsyncClockSkewed",
    ),
  },
  unauthorized: {
    meaning:
      "its own key, with which it signs for clients without keys, is not authorized (only in `INFO` of these clients; for others it is `live`)",
    refusal: "not-let-in",
    isHealthy: true,
    isComplete: true,
    problem: {
      severity: "note",
      alarm: null,
      steps:
        "Run the `CLUSTER ADD` command that it shows; `dbsync members add` and `replace` run it automatically",
      says: "it refuses writes from clients that do not sign (Redis, SQL, JSON, MongoDB, version 1): its key is not authorized",
      fix: "authorize it as administrator, with the command in its log",
    },
  },
  "storage-failed": {
    meaning: "its disk has failed",
    refusal: "storage-failed",
    isHealthy: false,
    isComplete: false,
    problem: problem(
      "its disk has failed, so it accepts no writes",
      "free space on the disk or repair it, then start the daemon again",
      "DbsyncDiskFailed",
    ),
  },
  "database-down": {
    meaning: "a database of `-d` cannot be reached",
    refusal: "database-down",
    isHealthy: false,
    isComplete: false,
    problem: problem(
      "its database is down",
      "start it, or correct -d there; the daemon's log says why",
      "DbsyncBackendDown",
    ),
  },
  outdated: {
    meaning:
      "its release does not know the cluster's semantics version, or its build does not contain the code of a command",
    refusal: "semantics-unknown",
    isHealthy: false,
    isComplete: false,
    problem: {
      ...problem(
        "it applies no further entries, and answers neither reads nor writes: its release does not know the cluster's semantics version, or its build does not contain the code of a command",
        "upgrade it, or install a complete build; its log names what is missing",
      ),
      steps: "[Upgrade](#upgrades) it",
    },
  },
  "not-listed": {
    meaning: "the list of members does not name it",
    refusal: "not-listed",
    isHealthy: false,
    isComplete: false,
    problem: {
      ...problem(
        "it accepts no writes, because the list of members does not name it",
        "if its folder was lost: run dbsync members replace; if it was removed: run dbsync dead-letters find there, start it with a new data folder, and add it with dbsync members add; if it has left: stop it, and to add it again, run dbsync members join; otherwise add it with dbsync members add",
      ),
      steps: "Run `dbsync members list`, and read [Members by list](#members-by-list)",
    },
  },
  "not-admitted": {
    meaning: "it is new, and every peer that answers refuses it",
    refusal: "not-admitted",
    isHealthy: false,
    isComplete: false,
    problem: {
      ...problem(
        "it accepts no writes, because it is new and no peer admits it",
        "its log and its dashboard name the cause and the cure: compare its --root-key, -s, --cluster-name, --cluster-secret, pins in --peer and version with those of its peers",
      ),
      steps:
        "Correct the option that `dbsync status` names: [a new daemon that no peer admits](#a-new-daemon-that-no-peer-admits)",
    },
  },
  revoked: {
    meaning: "its own key was revoked",
    refusal: "daemon-revoked",
    isHealthy: false,
    isComplete: false,
    problem: {
      ...problem(
        "its own key was revoked, so it accepts no writes and is no longer a member",
        "start it with a new data folder, or stop it and remove it from the lists",
      ),
      steps: "Start it with an empty folder, or stop it and remove it from the lists",
    },
  },
  stopping: {
    meaning: "it is stopping",
    refusal: null,
    isHealthy: false,
    isComplete: false,
    problem: {
      ...progress("it is stopping", "start it again if it is needed"),
      steps: "Wait. If this continues, read its log",
    },
  },
} as const satisfies Readonly<Record<StateName, DaemonStateRow>>;

/** A daemon's state and the reason for it, which may be empty. */
export interface DaemonCondition {
  readonly state: StateName;
  readonly reason: string;
}

/** Returns the row of a state that a daemon reports, or null for one that this release does not know. */
export function rowOfState(state: string): DaemonStateRow | null {
  return Object.hasOwn(DAEMON_STATES, state) ? DAEMON_STATES[state as StateName] : null;
}

/** Whether the daemon accepts writes in a state. */
export function acceptsWrites(state: StateName): boolean {
  const { refusal } = DAEMON_STATES[state];
  return refusal === null && state !== "starting" && state !== "stopping";
}
