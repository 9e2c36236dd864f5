/**
 * The possible problems of a daemon. `npm run tables` writes them into docs/operations.md, and the alarms also into
 * examples/production/alerts.yml. The rules by which `dbsync status` finds a problem are in
 * protocol/figures/timeline-problems.ts or tools/cli/status/read-status.ts. test/operations/alarms.test.ts compares
 * these rules with this table.
 */
import { posix } from "node:path";

interface Finding {
  /**
   * The sentences that `dbsync status` prints, with … for variable parts. The list is empty if only a rate shows the
   * problem.
   */
  readonly says: readonly string[];
  /** The instructions for the operator, with links as in docs/operations.md. */
  readonly page: string;
}

export interface Alarm extends Finding {
  /** The expression for Prometheus. */
  readonly expr: string;
  /** The time for which the expression must be true, or null if the alarm fires immediately. */
  readonly lasting: string | null;
  readonly severity: "critical" | "warning";
  readonly summary: string;
}

export const ALARMS: Readonly<Record<string, Alarm>> = {
  DbsyncDown: {
    expr: 'up{job="dbsync"} == 0',
    lasting: "1m",
    severity: "critical",
    summary: "{{ $labels.instance }} does not answer",
    says: ["connect: …"],
    page: "Run `systemctl status dbsyncd` on that machine, and read the daemon's log. The remaining daemons continue to serve; the daemon fetches what it missed when it is back. [A machine is lost](runbooks.md#a-machine-is-lost), [everything is down](runbooks.md#everything-is-down)",
  },
  DbsyncNotLive: {
    expr: 'dbsyncd_state{state="live"} == 0',
    lasting: "5m",
    severity: "warning",
    summary: "{{ $labels.instance }} is not live, so it accepts no writes",
    says: [],
    page: "Run `dbsync status --watch`, which shows the reason",
  },
  DbsyncOrderAway: {
    expr: "dbsyncd_order_connected == 0",
    lasting: "1m",
    severity: "critical",
    summary: "{{ $labels.instance }} cannot read the stream of --order, so it accepts no writes",
    says: ["the stream of its --order: …"],
    page: "Read its log. Either the daemon cannot reach NATS, or the stream was deleted, was created again, or [discards messages](consistency.md#when-a-stream-orders-the-writes). Until this is repaired, the daemon accepts no writes",
  },
  DbsyncOrderBehind: {
    expr: "dbsyncd_order_behind > 10000",
    lasting: "5m",
    severity: "warning",
    summary: "{{ $labels.instance }} is {{ $value }} messages behind the stream of --order",
    says: ["it is … messages behind the stream of its --order"],
    page: "If the daemon has just started, wait until it has read the stream. Otherwise clients write more than it can apply: check `dbsync top` and its log",
  },
  DbsyncDiskFailed: {
    expr: "dbsyncd_timeline_failed == 1",
    lasting: null,
    severity: "critical",
    summary: "{{ $labels.instance }} cannot write its data folder, so it acknowledges no writes",
    says: ["its disk has failed (…)"],
    page: "Free disk space or repair the disk, then restart the daemon: [a disk dies](runbooks.md#a-disk-dies)",
  },
  DbsyncDiskLow: {
    expr: "dbsyncd_disk_low == 1 or dbsyncd_order_disk_low == 1",
    lasting: "5m",
    severity: "warning",
    summary: "The disk of {{ $labels.instance }} is nearly full",
    says: ["its disk is nearly full: … of … MiB are free"],
    page: "Free disk space, or move the data folder to a larger disk, before the daemon [stops accepting writes](runbooks.md#a-disk-dies), or with `order` stops making snapshots. `retain` limits what a daemon stores; `--min-disk-free` sets the limit of this alarm",
  },
  DbsyncWritesLost: {
    expr: "dbsyncd_log_groups_lost > 0 or increase(dbsyncd_strays_total[1h]) > 0",
    lasting: null,
    severity: "critical",
    summary: "{{ $labels.instance }} has lost writes that it had acknowledged",
    says: [
      "… missing from its log when it was started",
      "… of its envelopes were missing from a snapshot that it received from a member, and are lost there",
    ],
    page: "Read the daemon's log, which names them. Its members send them again; without members, write them again or restore them from a [backup](#backups). Then run `dbsync log verify` on its folder, and check the disk",
  },
  DbsyncDeadLetters: {
    expr: "dbsyncd_dead_letters > 0",
    lasting: null,
    severity: "warning",
    summary:
      "{{ $labels.instance }} has {{ $value }} dead letters: acknowledged writes that are, or may be, missing on the other daemons",
    says: [
      "it stores … dead …: envelopes that are, or may be, missing from a snapshot that it received from a member",
    ],
    page: "List them on that machine with `dbsync dead-letters list`, then write them again or remove them: [dead letters](#dead-letters)",
  },
  DbsyncBackendDown: {
    expr: "dbsyncd_backend_up == 0",
    lasting: "1m",
    severity: "critical",
    summary: "{{ $labels.instance }} cannot reach its database {{ $labels.backend }}",
    says: ["its database … is down"],
    page: "Start that database, or correct the option `database`; the daemon's log states [the reason](redis-behind.md#if-the-daemon-does-not-start)",
  },
  DbsyncMirrorAway: {
    expr: "dbsyncd_mirror_connected == 0 or increase(dbsyncd_mirror_refused_keys_total[1h]) > 0",
    lasting: "5m",
    severity: "warning",
    summary: "{{ $labels.instance }} cannot write to its Redis mirror, or the mirror refuses keys",
    says: ["it cannot write to its mirror … (…)", "its mirror … refused … keys"],
    page: "Repair that Redis. Meanwhile the daemon continues to answer; afterwards it updates that Redis automatically. [A Redis as a mirror](#a-redis-as-a-mirror)",
  },
  DbsyncClockSkewed: {
    expr: "dbsyncd_clock_skewed == 1",
    lasting: "1m",
    severity: "critical",
    summary: "The clock of {{ $labels.instance }} is wrong, so it accepts no writes",
    says: ["its clock differs from the other daemons', so it accepts no writes"],
    page: "Run `chronyc tracking` on that machine: [a clock is wrong](runbooks.md#a-clock-is-wrong)",
  },
  DbsyncMemberAway: {
    expr: "dbsyncd_member_connected == 0",
    lasting: "5m",
    severity: "warning",
    summary: "{{ $labels.instance }} cannot reach its member {{ $labels.member }}",
    says: ["it cannot reach its member …"],
    page: "Start that daemon. If it is permanently lost, remove it from `peer` everywhere or [evict](#members-by-list) it: while it is listed but down, newer writes do not become final. If `dbsync status` reports `not-a-member` or `other-secret`, configure the same `cluster-secret` on both daemons; if `not-pinned`, correct `#ed25519:…` in `peer`; if `no-peers`, add this daemon to the other one's `peer`",
  },
  DbsyncNothingFinal: {
    expr: "time() - dbsyncd_timeline_stable_seconds > 120 and on (instance, job) count by (instance, job) (dbsyncd_member_connected) > 0",
    lasting: "5m",
    severity: "warning",
    summary:
      "On {{ $labels.instance }} no write of the last two minutes is final, or no write has become final since its start",
    says: ["only units older than … s are final", "no unit has become final since it was started … s ago"],
    page: "Find the daemon that is down or out of date: `dbsync status`, `dbsync members list`. Start it, remove it from `peer` everywhere, or [evict](#members-by-list) it. The alarm also fires if no write has become final since the start",
  },
  DbsyncMembersDiffer: {
    expr: "max_over_time(dbsyncd_member_equal[10m]) == 0 and on (instance, job) time() - dbsyncd_timeline_stable_seconds > 120",
    lasting: "5m",
    severity: "critical",
    summary: "{{ $labels.instance }} and {{ $labels.member }} do not converge to the same data",
    says: ["its data differ from the other members'"],
    page: "If their logs report a damaged entry of which no member has a copy, and that entry added a key, [add the key again](consistency.md#an-entry-is-damaged-memory-is-too-small-or-a-clock-is-wrong). Otherwise check whether commands were [deleted](#retention). Stop one of the two daemons, and run `dbsync log verify` on its folder",
  },
  DbsyncStateDiffers: {
    expr: "dbsyncd_state_differs > 0",
    lasting: null,
    severity: "critical",
    summary: "{{ $labels.instance }} and a member have the same commands but different data",
    says: [
      "its state differs from that of most members, …",
      "the state of its member … differs from its own, …",
      "its state and that of its member … differ, …",
    ],
    page: "Restart the daemon that `dbsync status` names; it rebuilds its state from its folder: [different states](#different-states)",
  },
  DbsyncVotesContradict: {
    expr: "dbsyncd_decision_contradicting_members > 0",
    lasting: null,
    severity: "critical",
    summary: "{{ $labels.instance }} has received two votes of a member that contradict each other",
    says: ["the member … has voted for two decisions in one ballot: it is broken or lies"],
    page: "Two units that exclude each other may have been acknowledged. Check whether two daemons run with copies of that member's folder, and stop one of them. If there is only one, its machine may be compromised: [evict](#members-by-list) it, and use an empty folder and a new key if it returns. The problem disappears when the reporting daemons are restarted",
  },
  DbsyncPromisesLost: {
    expr: "dbsyncd_decision_promises_missing > 0",
    lasting: "5m",
    severity: "critical",
    summary: "{{ $labels.instance }} may have lost promises, and does not vote in decisions on conditions",
    says: ["it may have lost promises for decisions, and does not vote until … answered"],
    page: "Start the members that `dbsync status` names. If several members have lost promises, they wait for each other: [replace](#members-by-list) one of them after the other with an empty folder, until the last one votes. Until a majority votes, units with conditions are answered `undecided`",
  },
  DbsyncMemberRefused: {
    expr: "dbsyncd_member_refused_entries > 0",
    lasting: null,
    severity: "critical",
    summary: "{{ $labels.instance }} has refused envelopes from {{ $labels.member }}",
    says: ["it has refused … envelopes from its member …"],
    page: "Run `dbsync log verify` on the folder of that member: the folder is damaged, or the member is compromised",
  },
  DbsyncRefusals: {
    expr: 'sum by (instance, reason) (rate(dbsyncd_refusals_total{reason=~"bad-signature|unknown-key|skew|wrong-cluster"}[5m])) > 1',
    lasting: "10m",
    severity: "warning",
    summary: "{{ $labels.instance }} refuses requests: {{ $labels.reason }}",
    says: [],
    page: "If the reason is `skew`, correct the clocks of the clients. If it is `bad-signature` or `unknown-key`, correct the keys, or find the attacker. [Troubleshooting](troubleshooting.md)",
  },
  DbsyncBusy: {
    expr: "rate(dbsyncd_event_loop_active_seconds_total[5m]) > 0.8",
    lasting: "10m",
    severity: "warning",
    summary: "{{ $labels.instance }} uses most of one core",
    says: [],
    page: "Answers will soon become slow: send fewer or larger envelopes, or start more daemons for reads",
  },
  DbsyncMessagesDropped: {
    expr: "increase(dbsyncd_messages_dropped_total[10m]) > 0",
    lasting: null,
    severity: "warning",
    summary: "{{ $labels.instance }} could not deliver all published messages",
    says: [],
    page: "Increase `max-relay-bytes`. If this does not help, the connection between the daemons is too slow",
  },
  DbsyncRestarts: {
    expr: 'changes(process_start_time_seconds{job="dbsync"}[1h]) > 3',
    lasting: null,
    severity: "warning",
    summary: "{{ $labels.instance }} restarts repeatedly",
    says: [],
    page: "Read the daemon's log, and the exit codes in [the troubleshooting guide](troubleshooting.md)",
  },
};

/** Returns the plain text of a cell of docs/operations.md, with the path of the page for each link. */
const plainText = (page: string): string =>
  page
    .replace(
      /\[([^\]]*)\]\(([^)#]*)(#[^)]*)?\)/g,
      (_, text: string, file: string, heading = "") =>
        `${text} (${posix.join("docs", file || "operations.md")}${heading})`,
    )
    .replaceAll("`", "");

/** Returns the rules for Prometheus as lines of YAML, for the list `rules:`. */
export const alarmRules = (): string[] =>
  Object.entries(ALARMS).flatMap(([name, { expr, lasting, severity, summary, page }]) => [
    `      - alert: ${name}`,
    `        expr: ${expr}`,
    ...(lasting === null ? [] : [`        for: ${lasting}`]),
    `        labels: { severity: ${severity} }`,
    "        annotations:",
    `          summary: "${summary}"`,
    `          action: ${JSON.stringify(plainText(page))}`,
  ]);

/** The problems that have no separate alarm. */
export const FINDINGS: readonly (Finding & {
  /** The alarm that also fires for this problem, or null. */
  readonly alarm: string | null;
})[] = [
  {
    alarm: "DbsyncNotLive",
    says: ["it is catching up", "it is still catching up … minutes after its start"],
    page: "Read its log, which shows the progress and what it waits for. Start the members that are down",
  },
  {
    alarm: "DbsyncNotLive",
    says: ["it is cut off from most of its peers"],
    page: "Check the network between them, and read the lines about its members",
  },
  {
    alarm: "DbsyncNotLive",
    says: ["its own key was revoked (according to …), so it accepts no writes and is no longer a member"],
    page: "Start it with an empty folder, or stop it and remove it from the lists",
  },
  {
    alarm: "DbsyncNotLive",
    says: ["it accepts no writes: …"],
    page: "Run `dbsync members list`, and read [Members by list](#members-by-list)",
  },
  {
    alarm: "DbsyncNotLive",
    says: ["a member list has added it, but it has not received anything from a live member yet"],
    page: "Wait, or start the members that are down",
  },
  {
    alarm: "DbsyncNotLive",
    says: ["it applies no further entries, and answers neither reads nor writes: …"],
    page: "[Upgrade](#upgrades) it",
  },
  {
    alarm: null,
    says: [
      "its member … is catching up",
      "it is receiving a snapshot from …: … of … bytes",
      "… envelopes are waiting to be applied",
    ],
    page: "Wait. Its log shows the progress",
  },
  {
    alarm: null,
    says: ["it is connecting to its member …"],
    page: "Wait if one of the two has just started. If this continues, start the other daemon, or correct `peer`",
  },
  {
    alarm: null,
    says: ["… envelopes are in flight between it and …"],
    page: "Wait. If this continues, check `dbsync top` and the network between them",
  },
  {
    alarm: null,
    says: [
      "it refuses writes from clients that do not sign (Redis, SQL, JSON, MongoDB, version 1): its key is not authorized",
    ],
    page: "Run the `CLUSTER ADD` command that it shows; `dbsync members add` and `replace` run it automatically",
  },
  {
    alarm: null,
    says: ["the command that it reports for authorizing its key is not CLUSTER ADD with its own key"],
    page: "Do not sign it: that daemon may not be yours. Read the daemon's key on the machine itself, and check which programs run there",
  },
  {
    alarm: null,
    says: ["the clock of its member … differs by … ms"],
    page: "Run `chronyc tracking` on that machine",
  },
  {
    alarm: null,
    says: [
      "it accepts no writes dated before …, which is in the future: a clock was ahead when it was started",
    ],
    page: "Run `chronyc tracking` on that machine, then restart the daemon",
  },
  {
    alarm: null,
    says: ["… is not on the member list"],
    page: "Run `dbsync members list`, and read [Members by list](#members-by-list)",
  },
  {
    alarm: "DbsyncNothingFinal",
    says: ["it knows parallel member lists (numbers …), so no unit becomes final"],
    page: "Merge the lists as an administrator with `dbsync members merge`: [Members by list](#members-by-list)",
  },
  {
    alarm: null,
    says: [
      "it is missing envelopes that no member stores any longer, and too few members have signed the same snapshot with them",
    ],
    page: "Start the members that are down, or start the daemon with the option that the sentence names: [Retention](#retention)",
  },
  {
    alarm: null,
    says: ["it is missing envelopes that its member … no longer stores (…)"],
    page: "Wait: the daemon loads a snapshot once most members have signed one. If this continues, read its log",
  },
  {
    alarm: null,
    says: [
      "… envelopes of members were dropped because their signer's key did not arrive",
      "… envelopes are waiting for their signer's key",
    ],
    page: "Compare the keys of the daemons with `dbsync keys list`",
  },
  {
    alarm: null,
    says: ["it stores everything only in memory, and no other daemon is connected"],
    page: "Start it with `data`, or start its peers",
  },
  {
    alarm: null,
    says: [
      "its mirror … is being compared",
      "since its start, other clients have changed … keys in its mirror …, and it has reverted them",
    ],
    page: "Read [A Redis as a mirror](#a-redis-as-a-mirror)",
  },
];

/** Returns the sentences of an alarm, and of the problems for which it also fires. */
export const sentencesOf = (name: string): readonly string[] => [
  ...(ALARMS[name]?.says ?? []),
  ...FINDINGS.flatMap(({ alarm, says }) => (alarm === name ? says : [])),
];

/** Returns the rows for docs/operations.md: each alarm with its problems, and then the problems without an alarm. */
export const alarmRows = (): string[] => {
  const line = (name: string, { says, page }: Finding) => `| ${name} | ${says.join("; ")} | ${page} |`;
  const withAlarm = (name: string | null) => FINDINGS.filter(({ alarm }) => alarm === name);
  return [
    "| alarm | `dbsync status` reports | what to do |",
    "|---|---|---|",
    ...Object.entries(ALARMS).flatMap(([name, alarm]) =>
      [alarm, ...withAlarm(name)].map((each) => line(name, each)),
    ),
    ...withAlarm(null).map((each) => line("", each)),
  ];
};
