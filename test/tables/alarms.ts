/**
 * The alarms of dbsyncd: `npm run tables` writes them into examples/production/alerts.yml and docs/operations.md. What `dbsync status` reports
 * of the same is a rule of cli/status/timeline-problems.ts (or read-status.ts), and test/operations/alarms.test.ts compares the two.
 */

export interface Alarm {
  /** For Prometheus. */
  readonly expr: string;
  /** How long it has to hold; null: it fires immediately. */
  readonly lasting: string | null;
  readonly severity: "critical" | "warning";
  readonly summary: string;
  readonly action: string;
  /** What to do, with links, as in docs/operations.md. */
  readonly page: string;
}

export const ALARMS: Readonly<Record<string, Alarm>> = {
  DbsyncDown: {
    expr: 'up{job="dbsync"} == 0',
    lasting: "1m",
    severity: "critical",
    summary: "{{ $labels.instance }} does not answer",
    action:
      "systemctl status dbsyncd, and its log, there. The others serve; what it misses it gets when it is back.",
    page: "`systemctl status dbsyncd`, and its log. The others serve; what it misses it gets. [The machine is lost](runbooks.md#a-machine-is-lost), or [all are down](runbooks.md#everything-is-down)",
  },
  DbsyncNotLive: {
    expr: 'dbsyncd_state{state="live"} == 0',
    lasting: "5m",
    severity: "warning",
    summary: "{{ $labels.instance }} is not live, and takes no writes",
    action: "dbsync status --watch says why: it catches up, is cut off, or its key was revoked.",
    page: "`dbsync status --watch`: it catches up, is cut off, was left out, or is of a release too old for what commands mean ([Upgrade](#members))",
  },
  DbsyncOrderAway: {
    expr: "dbsyncd_order_connected == 0",
    lasting: "1m",
    severity: "critical",
    summary: "{{ $labels.instance }} cannot read the stream of --order, and takes no writes",
    action: "Its log says why; look at the NATS servers, and whether the stream is the one that it was.",
    page: "its log says why: NATS is away, or the stream is gone, was made anew, or [forgets](consistency.md#when-a-stream-orders-the-writes)",
  },
  DbsyncOrderBehind: {
    expr: "dbsyncd_order_behind > 10000",
    lasting: "5m",
    severity: "warning",
    summary: "{{ $labels.instance }} is {{ $value }} messages behind the stream of --order",
    action: "More is written than it can apply, or it was started a moment ago: dbsync top, and its log.",
    page: "more is written than it applies, or it reads the stream after a start: `dbsync top`, and wait",
  },
  DbsyncDiskFailed: {
    expr: "dbsyncd_timeline_failed == 1",
    lasting: null,
    severity: "critical",
    summary: "{{ $labels.instance }} cannot write its data folder, and acknowledges nothing",
    action: "Make room, or mend the disk, then restart it.",
    page: "make room or mend the disk, restart; [the disk is gone](runbooks.md#a-disk-dies)",
  },
  DbsyncWritesLost: {
    expr: "dbsyncd_log_groups_lost > 0 or increase(dbsyncd_strays_total[1h]) > 0",
    lasting: null,
    severity: "critical",
    summary: "Writes that {{ $labels.instance }} had acknowledged are gone there",
    action:
      "Its log names them. dbsync log verify its folder, and look at the disk; restore what lacks from a backup.",
    page: "its log names what is gone; `dbsync log verify` its folder, look after the disk, write again or restore what lacks",
  },
  DbsyncDeadLetters: {
    expr: "dbsyncd_dead_letters > 0",
    lasting: null,
    severity: "warning",
    summary:
      "{{ $labels.instance }} keeps {{ $value }} dead letters: acknowledged writes that the others lack, or may lack",
    action:
      "dbsync dead-letters list there; write them again, or remove them. docs/operations.md, Dead letters.",
    page: "[Dead letters](#dead-letters)",
  },
  DbsyncBackendDown: {
    expr: "dbsyncd_backend_up == 0",
    lasting: "1m",
    severity: "critical",
    summary: "{{ $labels.instance }} does not reach its database {{ $labels.backend }}",
    action: "Start that database, or correct -d.",
    page: "start that database, or correct `database`",
  },
  DbsyncMirrorAway: {
    expr: "dbsyncd_mirror_connected == 0 or increase(dbsyncd_mirror_refused_keys_total[1h]) > 0",
    lasting: "5m",
    severity: "warning",
    summary: "The Redis that mirrors {{ $labels.instance }} is not written to, or does not take all",
    action:
      "dbsync status says why; the daemon answers meanwhile. Mend that Redis: it is brought level by itself.",
    page: "mend that Redis; it is brought level by itself: [A Redis that follows](#a-redis-that-follows)",
  },
  DbsyncClockSkewed: {
    expr: "dbsyncd_clock_skewed == 1",
    lasting: "1m",
    severity: "critical",
    summary: "The clock of {{ $labels.instance }} is off, and it takes nothing from clients",
    action: "chronyc tracking there.",
    page: "`chronyc tracking` there: [A clock is wrong](runbooks.md#a-clock-is-wrong)",
  },
  DbsyncMemberAway: {
    expr: "dbsyncd_member_connected == 0",
    lasting: "5m",
    severity: "warning",
    summary: "{{ $labels.instance }} does not reach its member {{ $labels.member }}",
    action:
      "Start that one, or take it out of peer everywhere: while it is away nothing newer becomes final.",
    page: "start that one; if it is gone for good, take it out of `peer` everywhere or [evict](#members) it: while it is named and away nothing newer becomes final",
  },
  DbsyncNothingFinal: {
    expr: "time() - dbsyncd_timeline_stable_seconds > 120 and on (instance, job) count by (instance, job) (dbsyncd_member_connected) > 0",
    lasting: "5m",
    severity: "warning",
    summary:
      "At {{ $labels.instance }} nothing of the last two minutes is final, or nothing ever was since its start",
    action:
      "A daemon is away or behind: dbsync status, dbsync members list. One that does not come back: dbsync members evict.",
    page: "a daemon is away or behind: `dbsync status`, `dbsync members list`. It also fires if nothing ever became final since the start",
  },
  DbsyncMembersDiffer: {
    expr: "max_over_time(dbsyncd_member_equal[10m]) == 0",
    lasting: "5m",
    severity: "critical",
    summary: "{{ $labels.instance }} and {{ $labels.member }} do not come to hold the same",
    action: "dbsync status; stop one of the two and dbsync log verify its folder.",
    page: "stop one of the two, and `dbsync log verify` its folder",
  },
  DbsyncStateDiffers: {
    expr: "dbsyncd_state_differs > 0",
    lasting: null,
    severity: "critical",
    summary: "{{ $labels.instance }} and a member hold the same commands, and not the same data",
    action: "dbsync status names the key, and the daemon to restart: its state is made anew from its folder.",
    page: "restart the daemon that `dbsync status` names: [A state that differs](#a-state-that-differs)",
  },
  DbsyncMemberRefused: {
    expr: "dbsyncd_member_refused_entries > 0",
    lasting: null,
    severity: "critical",
    summary: "{{ $labels.instance }} has refused envelopes of {{ $labels.member }}",
    action: "That one's folder is damaged or false: dbsync log verify there.",
    page: "`dbsync log verify` the folder of that member",
  },
  DbsyncRefusals: {
    expr: 'sum by (instance, reason) (rate(dbsyncd_refusals_total{reason=~"bad-signature|unknown-key|skew|wrong-cluster"}[5m])) > 1',
    lasting: "10m",
    severity: "warning",
    summary: "{{ $labels.instance }} refuses requests: {{ $labels.reason }}",
    action:
      "skew: clocks of clients. bad-signature, unknown-key: keys, or somebody tries. docs/troubleshooting.md.",
    page: "`skew`: clients' clocks. `bad-signature`, `unknown-key`: keys, or an attacker: [troubleshooting.md](troubleshooting.md)",
  },
  DbsyncBusy: {
    expr: "rate(dbsyncd_event_loop_active_seconds_total[5m]) > 0.8",
    lasting: "10m",
    severity: "warning",
    summary: "{{ $labels.instance }} uses most of what one core gives",
    action: "Answers become slow soon: fewer or larger envelopes, or more daemons for the reads.",
    page: "fewer or larger envelopes, or more daemons for the reads",
  },
  DbsyncMessagesDropped: {
    expr: "increase(dbsyncd_messages_dropped_total[10m]) > 0",
    lasting: null,
    severity: "warning",
    summary: "{{ $labels.instance }} could not hand over what was published",
    action: "Raise max-relay-bytes, or the line between the daemons is too slow.",
    page: "raise `max-relay-bytes`; else the line between the daemons is too slow",
  },
  DbsyncRestarts: {
    expr: 'changes(process_start_time_seconds{job="dbsync"}[1h]) > 3',
    lasting: null,
    severity: "warning",
    summary: "{{ $labels.instance }} starts again and again",
    action: "Its log, and install.md for the exit codes.",
    page: "its log, and install.md for the exit codes",
  },
};

/** Returns the rules for Prometheus, as lines of YAML below `rules:`. */
export const alarmRules = (): string[] =>
  Object.entries(ALARMS).flatMap(([name, { expr, lasting, severity, summary, action }]) => [
    `      - alert: ${name}`,
    `        expr: ${expr}`,
    ...(lasting === null ? [] : [`        for: ${lasting}`]),
    `        labels: { severity: ${severity} }`,
    "        annotations:",
    `          summary: "${summary}"`,
    `          action: "${action}"`,
  ]);

/** Returns the rows of the page for operators. */
export const alarmRows = (): string[] => [
  "| alarm | do |",
  "|---|---|",
  ...Object.entries(ALARMS).map(([name, { page }]) => `| ${name} | ${page} |`),
];
