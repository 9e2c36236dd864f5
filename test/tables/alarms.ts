/**
 * Possible problems of a daemon. `npm run tables` writes them into docs/operations.md, and the alarms also into
 * examples/production/alerts.yml. The rules by which `dbsync status` finds them are in
 * protocol/figures/timeline-problems.ts (or cli/status/read-status.ts); test/operations/alarms.test.ts compares
 * them.
 */
import { posix } from "node:path";

interface Finding {
  /** Sentences that `dbsync status` prints, with … for variable parts; none: only a rate shows the problem. */
  readonly says: readonly string[];
  /** What to do, with links as in docs/operations.md. */
  readonly page: string;
}

export interface Alarm extends Finding {
  /** Expression for Prometheus. */
  readonly expr: string;
  /** How long the expression has to be true; null: the alarm fires immediately. */
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
    page: "Run `systemctl status dbsyncd` there, and read its log. The remaining daemons serve; it receives what it missed once it is back. [A machine is lost](runbooks.md#a-machine-is-lost), [everything is down](runbooks.md#everything-is-down)",
  },
  DbsyncNotLive: {
    expr: 'dbsyncd_state{state="live"} == 0',
    lasting: "5m",
    severity: "warning",
    summary: "{{ $labels.instance }} is not live, and takes no writes",
    says: [],
    page: "Run `dbsync status --watch`, which says why",
  },
  DbsyncOrderAway: {
    expr: "dbsyncd_order_connected == 0",
    lasting: "1m",
    severity: "critical",
    summary: "{{ $labels.instance }} cannot read the stream of --order, and takes no writes",
    says: ["the stream of its --order: …"],
    page: "Read its log: NATS cannot be reached, or the stream is gone, was created again, or [forgets](consistency.md#when-a-stream-orders-the-writes). It takes no writes meanwhile",
  },
  DbsyncOrderBehind: {
    expr: "dbsyncd_order_behind > 10000",
    lasting: "5m",
    severity: "warning",
    summary: "{{ $labels.instance }} is {{ $value }} messages behind the stream of --order",
    says: ["it is … messages behind the stream of its --order"],
    page: "Wait if it was started a moment ago, and reads the stream. Else more is written than it can apply: `dbsync top`, and its log",
  },
  DbsyncDiskFailed: {
    expr: "dbsyncd_timeline_failed == 1",
    lasting: null,
    severity: "critical",
    summary: "{{ $labels.instance }} cannot write its data folder, and acknowledges nothing",
    says: ["its disk has failed (…)"],
    page: "Make room or repair the disk, then restart it: [a disk dies](runbooks.md#a-disk-dies)",
  },
  DbsyncDiskLow: {
    expr: "dbsyncd_disk_low == 1",
    lasting: "5m",
    severity: "warning",
    summary: "The disk of {{ $labels.instance }} is nearly full",
    says: ["its disk is nearly full: … of … MiB are free"],
    page: "Free space there, or move the data folder to a larger disk, before [writes end](runbooks.md#a-disk-dies): `retain` limits what a daemon stores. The limit is `--min-disk-free`",
  },
  DbsyncWritesLost: {
    expr: "dbsyncd_log_groups_lost > 0 or increase(dbsyncd_strays_total[1h]) > 0",
    lasting: null,
    severity: "critical",
    summary: "Writes that {{ $labels.instance }} had acknowledged are gone there",
    says: [
      "… missing from its log when it was started",
      "… of its envelopes were missing from a snapshot that it received from a member, and are lost there",
    ],
    page: "Read its log, which names them. Its members send them again; without members, write them again or restore them from a [backup](#backups). Then `dbsync log verify` its folder, and check the disk",
  },
  DbsyncDeadLetters: {
    expr: "dbsyncd_dead_letters > 0",
    lasting: null,
    severity: "warning",
    summary:
      "{{ $labels.instance }} keeps {{ $value }} dead letters: acknowledged writes that are, or may be, missing on the other daemons",
    says: [
      "it stores … dead …: envelopes that are, or may be, missing from a snapshot that it received from a member",
    ],
    page: "List them there with `dbsync dead-letters list`; write them again, or remove them: [dead letters](#dead-letters)",
  },
  DbsyncBackendDown: {
    expr: "dbsyncd_backend_up == 0",
    lasting: "1m",
    severity: "critical",
    summary: "{{ $labels.instance }} does not reach its database {{ $labels.backend }}",
    says: ["its database … is down"],
    page: "Start that database, or correct `database`; the daemon's log says [why](redis-behind.md#what-the-log-says-if-it-does-not-start)",
  },
  DbsyncMirrorAway: {
    expr: "dbsyncd_mirror_connected == 0 or increase(dbsyncd_mirror_refused_keys_total[1h]) > 0",
    lasting: "5m",
    severity: "warning",
    summary: "{{ $labels.instance }} cannot write to the Redis that mirrors it, or that Redis refuses keys",
    says: ["it cannot write to its mirror … (…)", "its mirror … refused … keys"],
    page: "Repair that Redis: the daemon answers meanwhile, and then updates it by itself. [A Redis that follows](#a-redis-that-follows)",
  },
  DbsyncClockSkewed: {
    expr: "dbsyncd_clock_skewed == 1",
    lasting: "1m",
    severity: "critical",
    summary: "The clock of {{ $labels.instance }} is off, and it takes nothing from clients",
    says: ["its clock differs from the other daemons', so it accepts no writes"],
    page: "Run `chronyc tracking` there: [a clock is wrong](runbooks.md#a-clock-is-wrong)",
  },
  DbsyncMemberAway: {
    expr: "dbsyncd_member_connected == 0",
    lasting: "5m",
    severity: "warning",
    summary: "{{ $labels.instance }} does not reach its member {{ $labels.member }}",
    says: ["it cannot reach its member …"],
    page: "Start that one; if it is gone permanently, take it out of `peer` everywhere or [evict](#members) it: while it is named and away nothing newer becomes final. If `dbsync status` says `not-a-member`, `other-secret`: give both the same `cluster-secret`. `not-pinned`: correct `#ed25519:…` in `peer`. `no-peers`: write this one into the other's `peer`",
  },
  DbsyncNothingFinal: {
    expr: "time() - dbsyncd_timeline_stable_seconds > 120 and on (instance, job) count by (instance, job) (dbsyncd_member_connected) > 0",
    lasting: "5m",
    severity: "warning",
    summary:
      "At {{ $labels.instance }} nothing of the last two minutes is final, or nothing ever was since its start",
    says: ["only units older than … s are final", "no unit has become final since it was started … s ago"],
    page: "See which daemon is away or out of date: `dbsync status`, `dbsync members list`. Start it, take it out of `peer` everywhere, or [evict](#members) it. The alarm also fires if nothing ever became final since the start",
  },
  DbsyncMembersDiffer: {
    expr: "max_over_time(dbsyncd_member_equal[10m]) == 0 and on (instance, job) time() - dbsyncd_timeline_stable_seconds > 120",
    lasting: "5m",
    severity: "critical",
    summary: "{{ $labels.instance }} and {{ $labels.member }} do not come to hold the same",
    says: ["its data differ from the other members'"],
    page: "Were commands [dropped](#retention)? Stop one of the two, and `dbsync log verify` its folder",
  },
  DbsyncStateDiffers: {
    expr: "dbsyncd_state_differs > 0",
    lasting: null,
    severity: "critical",
    summary: "{{ $labels.instance }} and a member hold the same commands, and not the same data",
    says: [
      "its state differs from that of most members, …",
      "the state of its member … differs from its own, …",
      "its state and that of its member … differ, …",
    ],
    page: "Restart the daemon that `dbsync status` names, which makes its state again from its folder: [a state that differs](#a-state-that-differs)",
  },
  DbsyncMemberRefused: {
    expr: "dbsyncd_member_refused_entries > 0",
    lasting: null,
    severity: "critical",
    summary: "{{ $labels.instance }} has refused envelopes of {{ $labels.member }}",
    says: ["it has refused … envelopes from its member …"],
    page: "Run `dbsync log verify` on the folder of that member: it is damaged or false",
  },
  DbsyncRefusals: {
    expr: 'sum by (instance, reason) (rate(dbsyncd_refusals_total{reason=~"bad-signature|unknown-key|skew|wrong-cluster"}[5m])) > 1',
    lasting: "10m",
    severity: "warning",
    summary: "{{ $labels.instance }} refuses requests: {{ $labels.reason }}",
    says: [],
    page: "`skew`: set the clients' clocks. `bad-signature`, `unknown-key`: correct the keys, or find the attacker. [Troubleshooting](troubleshooting.md)",
  },
  DbsyncBusy: {
    expr: "rate(dbsyncd_event_loop_active_seconds_total[5m]) > 0.8",
    lasting: "10m",
    severity: "warning",
    summary: "{{ $labels.instance }} uses most of one core",
    says: [],
    page: "Answers become slow soon: send fewer or larger envelopes, or start more daemons for the reads",
  },
  DbsyncMessagesDropped: {
    expr: "increase(dbsyncd_messages_dropped_total[10m]) > 0",
    lasting: null,
    severity: "warning",
    summary: "{{ $labels.instance }} could not deliver all published messages",
    says: [],
    page: "Raise `max-relay-bytes`; else the line between the daemons is too slow",
  },
  DbsyncRestarts: {
    expr: 'changes(process_start_time_seconds{job="dbsync"}[1h]) > 3',
    lasting: null,
    severity: "warning",
    summary: "{{ $labels.instance }} starts again and again",
    says: [],
    page: "Read its log, and the exit codes in [the installation guide](../install.md)",
  },
};

/** Returns the text of a cell of docs/operations.md, each link with the path of its page. */
const plainText = (page: string): string =>
  page
    .replace(
      /\[([^\]]*)\]\(([^)#]*)(#[^)]*)?\)/g,
      (_, text: string, file: string, heading = "") =>
        `${text} (${posix.join("docs", file || "operations.md")}${heading})`,
    )
    .replaceAll("`", "");

/** Returns the rules for Prometheus, as lines of YAML below `rules:`. */
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

/** Problems that raise no alarm of their own. */
export const FINDINGS: readonly (Finding & {
  /** The alarm that fires for it as well; null: none. */
  readonly alarm: string | null;
})[] = [
  {
    alarm: "DbsyncNotLive",
    says: ["it is catching up", "it is still catching up … minutes after its start"],
    page: "The log says how far it is, and what it waits for: start the members that are away",
  },
  {
    alarm: "DbsyncNotLive",
    says: ["it is cut off from most of its peers, or from the stream of --order"],
    page: "Check the network between them; see the lines on its members. With `order`: check its NATS servers",
  },
  {
    alarm: "DbsyncNotLive",
    says: ["its own key was revoked (according to …), so it accepts no writes and is no longer a member"],
    page: "Start it with an empty folder, or stop it and take it out of the lists",
  },
  {
    alarm: "DbsyncNotLive",
    says: ["it accepts no writes: …"],
    page: "`dbsync members list`, and [Members](#members)",
  },
  {
    alarm: "DbsyncNotLive",
    says: ["a member list has added it, but it has not received anything from a live member yet"],
    page: "Wait, or start those that are away",
  },
  {
    alarm: "DbsyncNotLive",
    says: ["it applies no further entries, and answers neither reads nor writes: …"],
    page: "Upgrade it: [Upgrade](#members)",
  },
  {
    alarm: null,
    says: [
      "its member … is catching up",
      "it is receiving a snapshot from …: … of … bytes",
      "… envelopes are waiting to be applied",
    ],
    page: "It ends by itself; the log says how far it is",
  },
  {
    alarm: null,
    says: ["it is connecting to its member …"],
    page: "One of the two was just started. If it stays so, start the other, or correct `peer`",
  },
  {
    alarm: null,
    says: ["… envelopes are in flight between it and …"],
    page: "It ends by itself. If it does not: `dbsync top`, and the network between them",
  },
  {
    alarm: null,
    says: [
      "it refuses writes from clients that do not sign (Redis, SQL, JSON, MongoDB, version 1): its key is not authorized",
    ],
    page: "Type the `CLUSTER ADD` command that it shows; `dbsync members add` and `replace` do so by themselves",
  },
  {
    alarm: null,
    says: ["the command that it reports for authorizing its key is not CLUSTER ADD with its own key"],
    page: "Do not sign it: that daemon may not be yours. Take its key from the machine itself, and see what runs there",
  },
  { alarm: null, says: ["the clock of its member … differs by … ms"], page: "`chronyc tracking` there" },
  {
    alarm: null,
    says: [
      "it accepts no writes dated before …, which is in the future: a clock was ahead when it was started",
    ],
    page: "`chronyc tracking` there, then restart it",
  },
  {
    alarm: null,
    says: ["… is not on the member list"],
    page: "`dbsync members list`, and [Members](#members)",
  },
  {
    alarm: "DbsyncNothingFinal",
    says: ["it knows parallel member lists (numbers …), so no unit becomes final"],
    page: "Merge them as administrator: `dbsync members merge`, [Members](#members)",
  },
  {
    alarm: null,
    says: [
      "it is missing envelopes that no member stores any longer, and too few members have signed the same snapshot with them",
    ],
    page: "Start those that are away, or give it the option that it names: [Retention](#retention)",
  },
  {
    alarm: null,
    says: ["it is missing envelopes that its member … no longer stores (…)"],
    page: "It takes a snapshot once most members have signed one; if it stays so, see its log",
  },
  {
    alarm: null,
    says: [
      "… envelopes of members were dropped because their signer's key did not arrive",
      "… envelopes are waiting for their signer's key",
    ],
    page: "Compare the daemons' keys: `dbsync keys list`",
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
    page: "[the Redis that mirrors it](#a-redis-that-follows)",
  },
];

/** Returns the sentences of an alarm, and of findings for which it fires as well. */
export const sentencesOf = (name: string): readonly string[] => [
  ...(ALARMS[name]?.says ?? []),
  ...FINDINGS.flatMap(({ alarm, says }) => (alarm === name ? says : [])),
];

/** Returns the rows of the page for operators: each alarm, then the findings that belong to it, then those without alarm. */
export const alarmRows = (): string[] => {
  const line = (name: string, { says, page }: Finding) => `| ${name} | ${says.join("; ")} | ${page} |`;
  const withAlarm = (name: string | null) => FINDINGS.filter(({ alarm }) => alarm === name);
  return [
    "| alarm | `dbsync status` says | do |",
    "|---|---|---|",
    ...Object.entries(ALARMS).flatMap(([name, alarm]) =>
      [alarm, ...withAlarm(name)].map((each) => line(name, each)),
    ),
    ...withAlarm(null).map((each) => line("", each)),
  ];
};
