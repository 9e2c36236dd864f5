/** The problems of a daemon outside its timeline, with remedies: sentences for dbsync doctor and the dashboard. */
import { DAEMON_STATES, rowOfState } from "../daemon-states.js";
import type { StateName } from "../state-names.js";
import { mebibytes } from "./amount-texts.js";
import { type Alarms, type Problem, problemsBy, type Rule, type Rules } from "./problem.js";

/** The number of stream messages that a daemon may be behind before this is a problem, and an alarm. */
export const ORDER_BEHIND_MAX = 10_000;

/** The alarms of a daemon outside its timeline. */
export const DAEMON_ALARMS = {
  DbsyncDown: {
    expr: 'up{job="dbsync"} == 0',
    lasting: "1m",
    severity: "critical",
    summary: "{{ $labels.instance }} does not answer",
    says: ["connect: …"],
    steps:
      "Run `systemctl status dbsyncd` on that machine, and read the daemon's log. The remaining daemons continue to serve; the daemon fetches what it missed when it is back. [A machine is lost](runbooks.md#a-machine-is-lost), [everything is down](runbooks.md#everything-is-down)",
  },
  DbsyncNotLive: {
    expr: 'dbsyncd_state{state="live"} == 0',
    lasting: "5m",
    severity: "warning",
    summary: "{{ $labels.instance }} is not live: it may refuse writes, or not have those of its peers",
    steps: "Run `dbsync status --watch`, which shows the reason",
  },
  DbsyncOrderAway: {
    expr: "dbsyncd_order_connected == 0",
    lasting: "1m",
    severity: "critical",
    summary: "{{ $labels.instance }} cannot read the stream of --order, so it accepts no writes",
    steps:
      "Read its log. Either the daemon cannot reach NATS, or the stream was deleted, was created again, or [discards messages](setup.md#operating-the-stream). Until this is repaired, the daemon accepts no writes",
  },
  DbsyncOrderBehind: {
    expr: `dbsyncd_order_behind > ${ORDER_BEHIND_MAX}`,
    lasting: "5m",
    severity: "warning",
    summary: "{{ $labels.instance }} is {{ $value }} messages behind the stream of --order",
    steps:
      "If the daemon has just started, wait until it has read the stream. Otherwise clients write more than it can apply: check `dbsync top` and its log",
  },
  DbsyncBackendDown: {
    expr: "dbsyncd_backend_up == 0",
    lasting: "1m",
    severity: "critical",
    summary: "{{ $labels.instance }} cannot reach its database {{ $labels.backend }}",
    steps:
      "Start that database, or correct the option `database`; the daemon's log states [the reason](redis-behind.md#if-the-daemon-does-not-start)",
  },
  DbsyncRefusals: {
    expr: 'sum by (instance, reason) (rate(dbsyncd_refusals_total{reason=~"bad-signature|unknown-key|skew|wrong-cluster"}[5m])) > 1',
    lasting: "10m",
    severity: "warning",
    summary: "{{ $labels.instance }} refuses requests: {{ $labels.reason }}",
    steps:
      "If the reason is `skew`, correct the clocks of the clients. If it is `bad-signature` or `unknown-key`, correct the keys, or find the attacker. [Troubleshooting](troubleshooting.md)",
  },
  DbsyncBusy: {
    expr: "rate(dbsyncd_event_loop_active_seconds_total[5m]) > 0.8",
    lasting: "10m",
    severity: "warning",
    summary: "{{ $labels.instance }} uses most of one core",
    steps: "Answers will soon become slow: send fewer or larger envelopes, or start more daemons for reads",
  },
  DbsyncMessagesDropped: {
    expr: "increase(dbsyncd_messages_dropped_total[10m]) > 0",
    lasting: null,
    severity: "warning",
    summary: "{{ $labels.instance }} could not deliver all published messages",
    steps:
      "Increase `max-relay-bytes`. If this does not help, the connection between the daemons is too slow",
  },
  DbsyncRestarts: {
    expr: 'changes(process_start_time_seconds{job="dbsync"}[1h]) > 3',
    lasting: null,
    severity: "warning",
    summary: "{{ $labels.instance }} restarts repeatedly",
    steps: "Read the daemon's log, and the exit codes in [the troubleshooting guide](troubleshooting.md)",
  },
} as const satisfies Alarms;

/** The sentence about a daemon that is catching up. */
export const INCOMPLETE = DAEMON_STATES["catching-up"].problem.says;

/** The sentence about a disk that is nearly full. */
export const LOW_DISK = "its disk is nearly full: … of … MiB are free";

/** The problem of a database that is down. Its subject is the name of the database, or "" if it is unknown. */
export const DATABASE_DOWN: Rule<string> = {
  when: (name) => [[name]],
  says: "its database … is down",
  fix: "start it, or correct -d there; the daemon's log says why",
  severity: "problem",
  alarm: "DbsyncBackendDown",
};

/** Returns the problem of a database that is down. @param name  the name of the database, or "" if it is unknown */
export const databaseProblems = (name: string): Problem[] =>
  problemsBy({ databaseDown: DATABASE_DOWN }, name).map((found) => ({
    ...found,
    text: found.text.replace("  ", " "),
  }));

/** The rule of each state that is a problem. Its subject is the state in the daemon's hello. */
export const STATE_RULES = {
  ...(Object.fromEntries(
    Object.entries(DAEMON_STATES).flatMap(([name, { problem }]) =>
      problem === null ? [] : [[`state ${name}`, { ...problem, when: (state: string) => state === name }]],
    ),
  ) as Readonly<Record<`state ${Exclude<StateName, "live">}`, Rule<string>>>),
  unknownState: {
    when: (state) => rowOfState(state) === null && [[state]],
    says: "it reports the unknown state …",
    fix: "update this program to the daemon's version",
    severity: "problem",
    alarm: null,
    steps: "Update dbsync on the machine where you run it",
  },
} as const satisfies Rules<string>;

/** Returns the problem that follows from a daemon's state, or none. @param state  the state in the daemon's hello */
export const stateProblems = (state: string): Problem[] => problemsBy(STATE_RULES, state);

/** The states whose problem the diagnosis of the daemon's timeline reports too, with the reason. */
const DIAGNOSED_STATES: ReadonlySet<string> = new Set<StateName>([
  "clock-off",
  "storage-failed",
  "outdated",
  "not-listed",
  "not-admitted",
  "revoked",
  "unauthorized",
]);

/** The reports of a daemon that describe a problem more precisely than its state. */
export interface PreciseReports {
  readonly hasTimeline: boolean;
  /** Whether the timeline's report says why no peer admits the daemon, which is then the reason why it is isolated. */
  readonly isRefusalNamed: boolean;
  readonly isDatabaseNamed: boolean;
  readonly isStreamNamed: boolean;
}

/** Whether another report describes the problem of a state more precisely. */
export function isDescribedElsewhere(state: string, reports: PreciseReports): boolean {
  if (state === "database-down") return reports.isDatabaseNamed;
  if (state === "order-unavailable") return reports.isStreamNamed;
  if (state === "isolated") return reports.isRefusalNamed;
  return reports.hasTimeline && DIAGNOSED_STATES.has(state);
}

/** The state of the stream that orders a daemon's writes. `trouble` says why the stream cannot be used, or is null. */
export interface DiagnosedOrder {
  readonly trouble: string | null;
  readonly behind: number;
  /** The bytes on the disk of the data folder, if it is nearly full; otherwise null. */
  readonly lowDisk: { readonly free: number; readonly size: number } | null;
}

/** The problems of a daemon with --order. */
export const ORDER_RULES = {
  orderAway: {
    when: ({ trouble }) => trouble !== null && [[trouble]],
    says: "the stream of its --order: …",
    fix: "check its NATS servers and the daemon's log: until this is fixed, no writes are possible",
    severity: "problem",
    alarm: "DbsyncOrderAway",
  },
  orderBehind: {
    when: ({ trouble, behind }) => trouble === null && behind > ORDER_BEHIND_MAX && [[behind]],
    says: "it is … messages behind the stream of its --order",
    fix: "see dbsync top, and its log",
    severity: "progress",
    alarm: "DbsyncOrderBehind",
  },
  orderDiskLow: {
    when: ({ lowDisk }) => lowDisk !== null && [[mebibytes(lowDisk.free), mebibytes(lowDisk.size)]],
    says: LOW_DISK,
    fix: "free space there, or move its data folder to a larger disk; on a full disk it makes no snapshots of the stream",
    severity: "remark",
    alarm: "DbsyncDiskLow",
  },
} as const satisfies Rules<DiagnosedOrder>;
