/**
 * The alarms, and the instructions for the possible problems of a daemon. `npm run tables` writes them into
 * docs/operations.md, and the alarms also into examples/production/alerts.yml. The sentences come from the rules by
 * which `dbsync status` finds problems (protocol/figures/timeline-problems.ts and daemon-problems.ts). Each rule names
 * its alarm.
 */
import { posix } from "node:path";
import {
  DATABASE_DOWN,
  ORDER_BEHIND_MAX,
  ORDER_RULES,
  STATE_RULES,
} from "../../protocol/figures/daemon-problems.js";
import type { Rule } from "../../protocol/figures/problem.js";
import { STABLE_BEHIND_MAX_MS, TIMELINE_RULES } from "../../protocol/figures/timeline-problems.js";
import { GREETING_RULES } from "../../tools/cli/status/read-status.js";

interface Finding {
  /**
   * The sentences that `dbsync status` prints, with … for variable parts. The list is empty if only a rate shows the
   * problem.
   */
  readonly says: readonly string[];
  /** The instructions for the operator, with links as in docs/operations.md. */
  readonly page: string;
}

interface AlarmRow {
  /** The instructions for the operator, with links as in docs/operations.md. */
  readonly page: string;
  /** The sentences of `dbsync status` that no rule has. */
  readonly says?: readonly string[];
  /** The expression for Prometheus. */
  readonly expr: string;
  /** The time for which the expression must be true, or null if the alarm fires immediately. */
  readonly lasting: string | null;
  readonly severity: "critical" | "warning";
  readonly summary: string;
}

/** The rules by which `dbsync status` finds problems. */
export const RULES = {
  ...TIMELINE_RULES,
  ...ORDER_RULES,
  databaseDown: DATABASE_DOWN,
  ...STATE_RULES,
  ...GREETING_RULES,
} as const;

/** Whether the newest final unit is older than is normal, and what the next one waits for makes no progress. */
const NOTHING_FINAL = `time() - dbsyncd_timeline_stable_seconds > ${STABLE_BEHIND_MAX_MS / 1000} and on (instance, job) max_over_time(dbsyncd_timeline_final_overdue[5m]) == 1`;

const ALARM_ROWS: Readonly<Record<string, AlarmRow>> = {
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
    page: "Run `dbsync status --watch`, which shows the reason",
  },
  DbsyncOrderAway: {
    expr: "dbsyncd_order_connected == 0",
    lasting: "1m",
    severity: "critical",
    summary: "{{ $labels.instance }} cannot read the stream of --order, so it accepts no writes",
    page: "Read its log. Either the daemon cannot reach NATS, or the stream was deleted, was created again, or [discards messages](consistency.md#when-a-stream-orders-the-writes). Until this is repaired, the daemon accepts no writes",
  },
  DbsyncOrderBehind: {
    expr: `dbsyncd_order_behind > ${ORDER_BEHIND_MAX}`,
    lasting: "5m",
    severity: "warning",
    summary: "{{ $labels.instance }} is {{ $value }} messages behind the stream of --order",
    page: "If the daemon has just started, wait until it has read the stream. Otherwise clients write more than it can apply: check `dbsync top` and its log",
  },
  DbsyncDiskFailed: {
    expr: "dbsyncd_timeline_failed == 1",
    lasting: null,
    severity: "critical",
    summary: "{{ $labels.instance }} cannot write its data folder, so it acknowledges no writes",
    page: "Free disk space or repair the disk, then restart the daemon: [a disk dies](runbooks.md#a-disk-dies)",
  },
  DbsyncDiskLow: {
    expr: "dbsyncd_disk_low == 1 or dbsyncd_order_disk_low == 1",
    lasting: "5m",
    severity: "warning",
    summary: "The disk of {{ $labels.instance }} is nearly full",
    page: "Free disk space, or move the data folder to a larger disk, before the daemon [stops accepting writes](runbooks.md#a-disk-dies), or with `order` stops making snapshots. `retain` limits what a daemon stores; `--min-disk-free` sets the limit of this alarm",
  },
  DbsyncWritesLost: {
    expr: "dbsyncd_log_groups_lost > 0 or increase(dbsyncd_strays_total[1h]) > 0",
    lasting: null,
    severity: "critical",
    summary: "{{ $labels.instance }} has lost writes that it had acknowledged",
    page: "Read the daemon's log, which names them. Its members send them again; without members, write them again or restore them from a [backup](#backups). Then run `dbsync log verify` on its folder, and check the disk",
  },
  DbsyncDeadLetters: {
    expr: "dbsyncd_dead_letters > 0",
    lasting: null,
    severity: "warning",
    summary:
      "{{ $labels.instance }} has {{ $value }} dead letters: acknowledged writes that are, or may be, missing on the other daemons",
    page: "List them on that machine with `dbsync dead-letters list`, then write them again or remove them: [dead letters](#dead-letters)",
  },
  DbsyncBackendDown: {
    expr: "dbsyncd_backend_up == 0",
    lasting: "1m",
    severity: "critical",
    summary: "{{ $labels.instance }} cannot reach its database {{ $labels.backend }}",
    page: "Start that database, or correct the option `database`; the daemon's log states [the reason](redis-behind.md#if-the-daemon-does-not-start)",
  },
  DbsyncMirrorAway: {
    expr: "dbsyncd_mirror_connected == 0 or increase(dbsyncd_mirror_refused_keys_total[1h]) > 0",
    lasting: "5m",
    severity: "warning",
    summary: "{{ $labels.instance }} cannot write to its Redis mirror, or the mirror refuses keys",
    page: "Repair that Redis. Meanwhile the daemon continues to answer; afterwards it updates that Redis automatically. [A Redis as a mirror](#a-redis-as-a-mirror)",
  },
  DbsyncClockSkewed: {
    expr: "dbsyncd_clock_skewed == 1",
    lasting: "1m",
    severity: "critical",
    summary: "The clock of {{ $labels.instance }} is wrong, so it accepts no writes",
    page: "Run `chronyc tracking` on that machine: [a clock is wrong](runbooks.md#a-clock-is-wrong)",
  },
  DbsyncMemberAway: {
    expr: "dbsyncd_member_connected == 0",
    lasting: "5m",
    severity: "warning",
    summary: "{{ $labels.instance }} cannot reach its member {{ $labels.member }}",
    page: "Start that daemon first, also if it has been down for long: it fetches what it missed. Only if it will never return, remove it from `peer` everywhere or [evict](#members-by-list) it, which is permanent: while it is listed but down, newer writes do not become final. If `dbsync status` reports `not-a-member` or `other-secret`, configure the same `cluster-secret` on both daemons; if `not-pinned`, correct `#ed25519:…` in `peer`; if `no-peers`, add this daemon to the other one's `peer`",
  },
  DbsyncNothingFinal: {
    expr: NOTHING_FINAL,
    lasting: "5m",
    severity: "warning",
    summary:
      "On {{ $labels.instance }} no write of the last two minutes is final, or no write has become final since its start, and a member is not connected or makes no progress",
    page: "Run `dbsync status`: it names the member and the cause. Start that daemon first. Only if it will never return, remove it from `peer` everywhere or [evict](#members-by-list) it, which is permanent. The alarm also fires if no write has become final since the start, but not while a daemon that joins or returns makes progress",
  },
  DbsyncMembersDiffer: {
    expr: `max_over_time(dbsyncd_member_equal[10m]) == 0 and on (instance, job) (${NOTHING_FINAL})`,
    lasting: "5m",
    severity: "critical",
    summary: "{{ $labels.instance }} and {{ $labels.member }} do not converge to the same data",
    page: "If their logs report a damaged entry of which no member has a copy, and that entry added a key, [add the key again](consistency.md#an-entry-is-damaged-memory-is-too-small-or-a-clock-is-wrong). Otherwise check whether commands were [deleted](#retention). Stop one of the two daemons, and run `dbsync log verify` on its folder",
  },
  DbsyncStateDiffers: {
    expr: "dbsyncd_state_differs > 0",
    lasting: null,
    severity: "critical",
    summary: "{{ $labels.instance }} and a member have the same commands but different data",
    page: "Restart the daemon that `dbsync status` names; it rebuilds its state from its folder: [different states](#different-states)",
  },
  DbsyncIndexInvalid: {
    expr: "dbsyncd_invalid_indexes > 0",
    lasting: null,
    severity: "warning",
    summary: "{{ $labels.instance }} has an index that a MongoDB client was answered, but that is invalid",
    page: "`dbsync status` names the index, and `listIndexes` states the reason. Remove the cause, for example documents with equal values, and [create the index again](mongo-collections.md#invalid-indexes)",
  },
  DbsyncVotesContradict: {
    expr: "dbsyncd_decision_contradicting_members > 0",
    lasting: null,
    severity: "critical",
    summary: "{{ $labels.instance }} has received two votes of a member that contradict each other",
    page: "Two units that exclude each other may have been acknowledged. Check whether two daemons run with copies of that member's folder, and stop one of them. If there is only one, its machine may be compromised: [evict](#members-by-list) it, and use an empty folder and a new key if it returns. The problem disappears when the reporting daemons are restarted",
  },
  DbsyncPromisesLost: {
    expr: "dbsyncd_decision_promises_missing > 0",
    lasting: "5m",
    severity: "critical",
    summary: "{{ $labels.instance }} may have lost promises, and does not vote in decisions on conditions",
    page: "Start the members that `dbsync status` names. If several members have lost promises, they wait for each other: [replace](#members-by-list) one of them after the other with an empty folder, until the last one votes. Until a majority votes, units with conditions are answered `undecided`",
  },
  DbsyncUndecided: {
    expr: "dbsyncd_decision_undecided_seconds > 0",
    lasting: "1m",
    severity: "critical",
    summary:
      "On {{ $labels.instance }}, units with conditions have waited for {{ $value }} s without a decision",
    page: "Run `dbsync status`: it names the reason, the members concerned and the remedy. Meanwhile units with conditions are answered `undecided`, and plain writes continue ([the guarantees](consistency.md#with-a-list-of-members))",
  },
  DbsyncDecisionsDisturbed: {
    expr: "dbsyncd_decision_disturbing_members > 0",
    lasting: null,
    severity: "warning",
    summary: "{{ $labels.instance }} reports a member that repeatedly prevents decisions on conditions",
    page: "Decisions continue, with delays of up to some seconds. Run `dbsync status` for that member, and check its network and its clock. If it reports nothing, its machine may be compromised: [evict](#members-by-list) it",
  },
  DbsyncMemberRefused: {
    expr: "dbsyncd_member_refused_entries > 0",
    lasting: null,
    severity: "critical",
    summary: "{{ $labels.instance }} has refused envelopes from {{ $labels.member }}",
    page: "Run `dbsync log verify` on the folder of that member: the folder is damaged, or the member is compromised",
  },
  DbsyncFollowersGaps: {
    expr: "increase(dbsyncd_followers_gaps_total[10m]) > 0",
    lasting: null,
    severity: "warning",
    summary: "Clients of {{ $labels.instance }} that follow streams may have missed entries",
    page: "A member was stopped, cut off, or too slow to close its dates within 500 ms. Check its load, its disk and the network. The entries are in the stream: read it again with `XRANGE`, or use [consumer groups](consistency.md#consumer-groups), which miss nothing",
  },
  DbsyncRefusals: {
    expr: 'sum by (instance, reason) (rate(dbsyncd_refusals_total{reason=~"bad-signature|unknown-key|skew|wrong-cluster"}[5m])) > 1',
    lasting: "10m",
    severity: "warning",
    summary: "{{ $labels.instance }} refuses requests: {{ $labels.reason }}",
    page: "If the reason is `skew`, correct the clocks of the clients. If it is `bad-signature` or `unknown-key`, correct the keys, or find the attacker. [Troubleshooting](troubleshooting.md)",
  },
  DbsyncBusy: {
    expr: "rate(dbsyncd_event_loop_active_seconds_total[5m]) > 0.8",
    lasting: "10m",
    severity: "warning",
    summary: "{{ $labels.instance }} uses most of one core",
    page: "Answers will soon become slow: send fewer or larger envelopes, or start more daemons for reads",
  },
  DbsyncMessagesDropped: {
    expr: "increase(dbsyncd_messages_dropped_total[10m]) > 0",
    lasting: null,
    severity: "warning",
    summary: "{{ $labels.instance }} could not deliver all published messages",
    page: "Increase `max-relay-bytes`. If this does not help, the connection between the daemons is too slow",
  },
  DbsyncRestarts: {
    expr: 'changes(process_start_time_seconds{job="dbsync"}[1h]) > 3',
    lasting: null,
    severity: "warning",
    summary: "{{ $labels.instance }} restarts repeatedly",
    page: "Read the daemon's log, and the exit codes in [the troubleshooting guide](troubleshooting.md)",
  },
};

interface FindingRow extends Finding {
  /** The alarm that also fires for this problem, or null. */
  readonly alarm: string | null;
}

/** Returns the sentences and the alarm of rules that have the same instructions. */
function ofRules(...names: readonly (keyof typeof RULES)[]): Omit<FindingRow, "page"> {
  const [alarm, ...more] = new Set(names.map((name) => RULES[name].alarm));
  if (alarm === undefined || more.length > 0) throw new Error(`${names.join(" and ")} have several alarms`);
  return { alarm, says: names.map((name) => RULES[name].says) };
}

/** The problems with instructions of their own, which are not those of an alarm. */
export const FINDINGS: readonly FindingRow[] = [
  {
    ...ofRules("state catching-up", "stuck"),
    page: "Read its log, which shows the progress and what it waits for. Start the members that are down",
  },
  {
    ...ofRules("state isolated"),
    page: "Check the network between them, and read the lines about its members",
  },
  {
    ...ofRules("state starting", "state stopping"),
    page: "Wait. If this continues, read its log",
  },
  {
    ...ofRules("state loading-documents"),
    page: "Start the server of `json-replica` that the daemon's log names",
  },
  {
    ...ofRules("revoked", "state revoked"),
    page: "Start it with an empty folder, or stop it and remove it from the lists",
  },
  {
    ...ofRules("unlisted", "state not-listed"),
    page: "Run `dbsync members list`, and read [Members by list](#members-by-list)",
  },
  {
    ...ofRules("notAdmitted", "state not-admitted"),
    page: "Correct the option that `dbsync status` names: [a new daemon that no peer admits](#a-new-daemon-that-no-peer-admits)",
  },
  {
    ...ofRules("refusedByPeers"),
    page: "Correct what `dbsync status` names. The daemon continues to accept writes, but they do not reach its peers",
  },
  {
    ...ofRules("joining"),
    page: "Wait, or start the members that are down",
  },
  {
    ...ofRules("standstill", "state outdated"),
    page: "[Upgrade](#upgrades) it",
  },
  {
    ...ofRules("memberCatchingUp", "takingSnapshot", "waiting"),
    page: "Wait. Its log shows the progress",
  },
  {
    ...ofRules("finalIsAwaited", "firstFinalIsAwaited"),
    page: "Wait: a daemon joins or returns, and the line names it, what it does, and how long this normally takes without progress. Meanwhile writes are accepted, and answers that wait for final units (`stable`) come later. If the daemon makes no progress for longer, `dbsync status` reports it as a problem, and DbsyncNothingFinal fires",
  },
  {
    ...ofRules("connecting"),
    page: "Wait if one of the two has just started. If this continues, start the other daemon, or correct `peer`",
  },
  {
    ...ofRules("inFlight"),
    page: "Wait. If this continues, check `dbsync top` and the network between them",
  },
  {
    ...ofRules("unauthorized"),
    page: "Run the `CLUSTER ADD` command that it shows; `dbsync members add` and `replace` run it automatically",
  },
  {
    ...ofRules("noList"),
    page: "Sign a list that names all daemons: [Members by list](#members-by-list). With it, the members [decide](consistency.md#with-a-list-of-members) on conditional writes of signed JavaScript clients and sidecars, and you can evict a lost daemon",
  },
  {
    ...ofRules("foreignKey"),
    page: "Do not sign it: that daemon may not be yours. Read the daemon's key on the machine itself, and check which programs run there",
  },
  {
    ...ofRules("memberSkewed"),
    page: "Run `chronyc tracking` on that machine",
  },
  {
    ...ofRules("datedAhead"),
    page: "Run `chronyc tracking` on that machine, then restart the daemon",
  },
  {
    ...ofRules("notListed"),
    page: "Run `dbsync members list`, and read [Members by list](#members-by-list)",
  },
  {
    ...ofRules("parallelLists"),
    page: "Merge the lists as an administrator with `dbsync members merge`: [Members by list](#members-by-list)",
  },
  {
    ...ofRules("noSnapshotAgreed"),
    page: "Start the members that are down, or start the daemon with the option that the sentence names: [Retention](#retention)",
  },
  {
    ...ofRules("pruned"),
    page: "Wait: the daemon loads a snapshot once most members have signed one. If this continues, read its log",
  },
  {
    ...ofRules("unknownKeysDropped", "unknownKeys"),
    page: "Compare the keys of the daemons with `dbsync keys list`",
  },
  {
    ...ofRules("unknownListsDropped", "unknownLists"),
    page: "Start a member that knows the list. If the key that signed it was revoked, run `dbsync members sign`: [Members by list](#members-by-list)",
  },
  {
    ...ofRules("onlyInMemory"),
    page: "Start it with `data`, or start its peers",
  },
  {
    ...ofRules("mirrorCompared", "mirrorForeign"),
    page: "Read [A Redis as a mirror](#a-redis-as-a-mirror)",
  },
  {
    ...ofRules("unknownState"),
    page: "Update dbsync on the machine where you run it",
  },
  {
    ...ofRules("onlyVersion1"),
    page: "Update that daemon, or allow version 1: [Troubleshooting](troubleshooting.md)",
  },
  {
    ...ofRules("noKeys"),
    page: "Start it with `sign-key`, or send commands unsigned",
  },
  {
    ...ofRules("foreignCluster"),
    page: "Start all daemons with the same `sign-key`, `root-key` and `cluster-name`, or correct the list of servers",
  },
  {
    ...ofRules("clockDiffers"),
    page: "Run `chronyc tracking` on both machines",
  },
  {
    ...ofRules("sameDaemon"),
    page: "List it only once",
  },
  {
    ...ofRules("sentVersion1"),
    page: "Remove version 1 from the option `versions` and from the list of servers",
  },
];

type Sentence = Pick<Rule<never>, "says" | "alarm">;

/** An alarm with the sentences of the rules that name it. */
type Alarm = AlarmRow & Finding;

export const ALARMS: Readonly<Record<string, Alarm>> = Object.fromEntries(
  Object.entries(ALARM_ROWS).map(([name, row]) => {
    const found = Object.values(RULES as Readonly<Record<string, Sentence>>).filter(
      ({ alarm }) => alarm === name,
    );
    const separate = new Set(FINDINGS.flatMap(({ says }) => says));
    const says = found.map((rule) => rule.says).filter((text) => !separate.has(text));
    return [name, { ...row, says: [...new Set([...(row.says ?? []), ...says])] }];
  }),
);

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
