/** Derives the problems of a timeline and its members, with remedies, by tables of rules. */

import { DAEMON_STATES, rowOfState } from "../daemon-states.js";
import { dateText } from "../version-2/envelope.js";
import { ADMISSION_REFUSALS, causeAndCure, isAdmissionCode, SAME_CLUSTER } from "./admission-refusals.js";
import { mebibytes, spanText } from "./amount-texts.js";
import {
  AWAY,
  awayText,
  DOWN,
  evictionAdvice,
  evictionOf,
  LOST_AFTER_MS,
  type Sightings,
  sightingsOf,
} from "./away-members.js";
import type { CloseCode } from "./close-reasons.js";
import { LOW_DISK } from "./daemon-problems.js";
import { CATCHING_UP_MAX_MS, rowOfFinalityCause } from "./finality-causes.js";
import { type Alarms, type Problem, problemsBy, type Rule, type Rules } from "./problem.js";
import type { MemberReport, TimelineReport } from "./timeline-figures.js";
import { EVICTION_HELPS, UNDECIDED_CAUSES, type UndecidedCause } from "./undecided-causes.js";
import { rowOfUnlistedCause } from "./unlisted-causes.js";

/** The state of a member according to a query, or null if it was not queried. */
export type MemberAvailability = "away" | "busy" | "ready" | null;

/** The maximum tolerated difference between two clocks, in milliseconds. Members use the same limit. */
const SKEW_MAX_MS = 2000;
/**
 * The maximum normal age of the newest final unit, after which there is an alarm. The usual age is the length of the
 * window, about 30 s.
 */
export const STABLE_BEHIND_MAX_MS = 120_000;
/**
 * The maximum normal distance of the watermark ahead of the clock, which covers the window and the skew of this clock.
 */
const AHEAD_MAX_MS = 120_000;
/** The maximum normal number of envelopes in flight. There are more only after an interruption. */
const LAG_MAX = 10_000;
/** The time after a start in which a missing connection is normal, because the members may also be starting. */
const STARTING_MS = 60_000;

/** A daemon's report, with conclusions from it. */
export interface DiagnosedTimeline extends TimelineReport {
  /** The numbers of the newest member lists that the daemon knows. Several numbers mean parallel lists. */
  readonly lists: readonly number[];
  /** The fingerprint of the entries dated before the same second on all daemons, or null if they were not compared. */
  readonly settledFingerprint: string | null;
  /** The snapshot that the daemon is receiving from a member, or null. Sizes are in bytes; total 0: not known yet. */
  readonly taking: { readonly from: string; readonly received: number; readonly total: number } | null;
}

/** The value of `authorize` if the command that a daemon reports would not authorize the daemon's own key. */
export const FOREIGN_KEY = "";

/** Returns a report with the conclusions that follow from it alone. */
export function withConclusions(report: TimelineReport): DiagnosedTimeline {
  const { list, takingFrom, takingBytes, takingTotal } = report;
  return {
    ...report,
    lists: list === null ? [] : list.split(" ").map(Number),
    settledFingerprint: null,
    taking: takingFrom === null ? null : { from: takingFrom, received: takingBytes, total: takingTotal },
  };
}

/** Problems, warnings, and states that resolve themselves. */
export interface Diagnosis {
  readonly problems: readonly Problem[];
  readonly remarks: readonly Problem[];
  readonly progress: readonly Problem[];
}

export interface DiagnosisContext {
  /** The other daemons' timelines, as far as they are known. */
  readonly others: readonly DiagnosedTimeline[];
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly availabilityOf?: (member: MemberReport) => MemberAvailability;
}

/** A timeline with the facts that the rules compare it with. */
export interface TimelineCase extends DiagnosedTimeline {
  readonly others: readonly DiagnosedTimeline[];
  readonly now: number;
  /** Whether a missing connection is still normal. */
  readonly isStarting: boolean;
}

/** A member with the facts that the rules compare it with. */
export interface MemberCase extends MemberReport {
  readonly isStarting: boolean;
  readonly availability: MemberAvailability;
  readonly sightings: Sightings;
}

export function diagnose(
  timeline: DiagnosedTimeline,
  { others, now, availabilityOf = () => null }: DiagnosisContext,
): Diagnosis {
  const isStarting = timeline.started !== null && now - timeline.started < STARTING_MS;
  const subject = { ...timeline, others, now, isStarting };

  const members = timeline.members.filter(
    (member) =>
      isOther(member) &&
      (timeline.unlisted === null || !isExcluded(member)) &&
      (timeline.notAdmitted === null || !isAdmissionCode(member.closeCode)),
  );
  const cases = members.map(
    (member): MemberCase => ({
      ...member,
      isStarting,
      availability: availabilityOf(member),
      sightings: sightingsOf(member, timeline.members),
    }),
  );
  const awaited = awaitedMembers(timeline);
  const reported = reportedAway(cases);
  const isNamed =
    timeline.finalCause === "away" && awaited.length > 0 && awaited.every((name) => reported.has(name));
  const ofAwaited = { member: "", isOfMember: awaited.length > 0 };
  // A failed disk stops the final dates, and is reported itself.
  const isExplained = isNamed || timeline.failure !== null;
  const ofFinality = isExplained ? [] : problemsBy(OF_FINALITY, subject, ofAwaited);
  const found = [
    ...problemsBy(OF_DAEMON, subject),
    ...ofFinality,
    ...cases.flatMap((member) => problemsBy(OF_MEMBER, member, { member: member.address, isOfMember: true })),
    ...problemsBy(OF_DATA, subject),
  ];

  return {
    problems: found.filter(({ severity }) => severity === "problem"),
    remarks: found.filter(({ severity }) => severity === "remark" || severity === "note"),
    progress: found.filter(({ severity }) => severity === "progress"),
  };
}

/** Whether the newest final unit is older than is normal, and what the next one waits for makes no progress. */
const NOTHING_FINAL = `time() - dbsyncd_timeline_stable_seconds > ${STABLE_BEHIND_MAX_MS / 1000} and on (instance, job) max_over_time(dbsyncd_timeline_final_overdue[5m]) == 1`;

/** The alarms of timelines, disks and members. */
export const TIMELINE_ALARMS = {
  DbsyncDiskFailed: {
    expr: "dbsyncd_timeline_failed == 1",
    lasting: null,
    severity: "critical",
    summary: "{{ $labels.instance }} cannot write its data folder, so it acknowledges no writes",
    steps:
      "Free disk space or repair the disk, then restart the daemon: [a disk dies](runbooks.md#a-disk-dies)",
  },
  DbsyncDiskLow: {
    expr: "dbsyncd_disk_low == 1 or dbsyncd_order_disk_low == 1",
    lasting: "5m",
    severity: "warning",
    summary: "The disk of {{ $labels.instance }} is nearly full",
    steps:
      "Free disk space, or move the data folder to a larger disk, before the daemon [stops accepting writes](runbooks.md#a-disk-dies), or with `order` stops making snapshots. `retain` limits what a daemon stores; `--min-disk-free` sets the limit of this alarm",
  },
  DbsyncWritesLost: {
    expr: "dbsyncd_log_groups_lost > 0 or increase(dbsyncd_strays_total[1h]) > 0",
    lasting: null,
    severity: "critical",
    summary: "{{ $labels.instance }} has lost writes that it had acknowledged",
    steps:
      "Read the daemon's log, which names them. Its members send them again; without members, write them again or restore them from a [backup](#backups). Then run `dbsync log verify` on its folder, and check the disk",
  },
  DbsyncDeadLetters: {
    expr: "dbsyncd_dead_letters > 0",
    lasting: null,
    severity: "warning",
    summary:
      "{{ $labels.instance }} has {{ $value }} dead letters: acknowledged writes that are, or may be, missing on the other daemons",
    steps:
      "List them on that machine with `dbsync dead-letters list`, then write them again or remove them: [dead letters](#dead-letters)",
  },
  DbsyncMirrorAway: {
    expr: "dbsyncd_mirror_connected == 0 or increase(dbsyncd_mirror_refused_keys_total[1h]) > 0",
    lasting: "5m",
    severity: "warning",
    summary: "{{ $labels.instance }} cannot write to its Redis mirror, or the mirror refuses keys",
    steps:
      "Repair that Redis. Meanwhile the daemon continues to answer; afterwards it updates that Redis automatically. [A Redis as a mirror](#a-redis-as-a-mirror)",
  },
  DbsyncClockSkewed: {
    expr: "dbsyncd_clock_skewed == 1",
    lasting: "1m",
    severity: "critical",
    summary: "The clock of {{ $labels.instance }} is wrong, so it accepts no writes",
    steps: "Run `chronyc tracking` on that machine: [a clock is wrong](runbooks.md#a-clock-is-wrong)",
  },
  DbsyncMemberAway: {
    expr: "dbsyncd_member_connected == 0",
    lasting: "5m",
    severity: "warning",
    summary: "{{ $labels.instance }} cannot reach its member {{ $labels.member }}",
    steps:
      "Start that daemon first, also if it has been down for long: it fetches what it missed. Only if it will never return, remove it from `peer` everywhere or [evict](#members-by-list) it, which is permanent: while it is listed but down, newer writes do not become final. If `dbsync status` reports `not-a-member` or `other-secret`, configure the same `cluster-secret` on both daemons; if `not-pinned`, correct `#ed25519:…` in `peer`; if `no-peers`, add this daemon to the other one's `peer`",
  },
  DbsyncNothingFinal: {
    expr: NOTHING_FINAL,
    lasting: "5m",
    severity: "warning",
    summary:
      "On {{ $labels.instance }} no write of the last two minutes is final, or no write has become final since its start, and a member is not connected or makes no progress",
    steps:
      "Run `dbsync status`: it names the member and the cause. Start that daemon first. Only if it will never return, remove it from `peer` everywhere or [evict](#members-by-list) it, which is permanent. The alarm also fires if no write has become final since the start, but not while a daemon that joins or returns makes progress",
  },
  DbsyncMembersDiffer: {
    expr: `max_over_time(dbsyncd_member_equal[10m]) == 0 and on (instance, job) (${NOTHING_FINAL})`,
    lasting: "5m",
    severity: "critical",
    summary: "{{ $labels.instance }} and {{ $labels.member }} do not converge to the same data",
    steps:
      "If their logs report a damaged entry of which no member has a copy, and that entry added a key, [add the key again](consistency.md#an-entry-is-damaged-memory-is-too-small-or-a-clock-is-wrong). Otherwise check whether commands were [deleted](#retention). Stop one of the two daemons, and run `dbsync log verify` on its folder",
  },
  DbsyncStateDiffers: {
    expr: "dbsyncd_state_differs > 0",
    lasting: null,
    severity: "critical",
    summary: "{{ $labels.instance }} and a member have the same commands but different data",
    steps:
      "Restart the daemon that `dbsync status` names; it rebuilds its state from its folder: [different states](#different-states)",
  },
  DbsyncIndexInvalid: {
    expr: "dbsyncd_invalid_indexes > 0",
    lasting: null,
    severity: "warning",
    summary: "{{ $labels.instance }} has an index that a MongoDB client was answered, but that is invalid",
    steps:
      "`dbsync status` names the index, and `listIndexes` states the reason. Remove the cause, for example documents with equal values, and [create the index again](mongo-collections.md#invalid-indexes)",
  },
  DbsyncVotesContradict: {
    expr: "dbsyncd_decision_contradicting_members > 0",
    lasting: null,
    severity: "critical",
    summary: "{{ $labels.instance }} has received two votes of a member that contradict each other",
    steps:
      "Two units that exclude each other may have been acknowledged. Check whether two daemons run with copies of that member's folder, and stop one of them. If there is only one, its machine may be compromised: [evict](#members-by-list) it, and use an empty folder and a new key if it returns. The problem disappears when the reporting daemons are restarted",
  },
  DbsyncPromisesLost: {
    expr: "dbsyncd_decision_promises_missing > 0",
    lasting: "5m",
    severity: "critical",
    summary: "{{ $labels.instance }} may have lost promises, and does not vote in decisions on conditions",
    steps:
      "Start the members that `dbsync status` names. If several members have lost promises, they wait for each other: [replace](#members-by-list) one of them after the other with an empty folder, until the last one votes. Until a majority votes, units with conditions are refused (`cannot-decide`), or answered `undecided`",
  },
  DbsyncUndecided: {
    expr: "dbsyncd_decision_undecided_seconds > 0",
    lasting: "1m",
    severity: "critical",
    summary: "On {{ $labels.instance }}, units with conditions have had no decision for {{ $value }} s",
    steps:
      "Run `dbsync status`: it names the reason, the members concerned and the remedy. Meanwhile units with conditions are refused (`cannot-decide`), or answered `undecided`, and plain writes continue ([the guarantees](consistency.md#what-the-answer-to-a-condition-means))",
  },
  DbsyncDecisionsDisturbed: {
    expr: "dbsyncd_decision_disturbing_members > 0",
    lasting: null,
    severity: "warning",
    summary: "{{ $labels.instance }} reports a member that repeatedly prevents decisions on conditions",
    steps:
      "Decisions continue, with delays of up to some seconds. Run `dbsync status` for that member, and check its network and its clock. If it reports nothing, its machine may be compromised: [evict](#members-by-list) it",
  },
  DbsyncMemberRefused: {
    expr: "dbsyncd_member_refused_entries > 0",
    lasting: null,
    severity: "critical",
    summary: "{{ $labels.instance }} has refused envelopes from {{ $labels.member }}",
    steps:
      "Run `dbsync log verify` on the folder of that member: the folder is damaged, or the member is compromised",
  },
  DbsyncFollowersGaps: {
    expr: "increase(dbsyncd_followers_gaps_total[10m]) > 0",
    lasting: null,
    severity: "warning",
    summary: "Clients of {{ $labels.instance }} that follow streams may have missed entries",
    steps:
      "A member was stopped, cut off, or too slow to close its dates within 500 ms. Check its load, its disk and the network. The entries are in the stream: read it again with `XRANGE`, or use [consumer groups](consistency.md#consumer-groups), which miss nothing",
  },
} as const satisfies Alarms;

const SEE_LOG = "its log shows its progress";
const SEE_FINALITY = "dbsync status for the members, and their logs, show their progress";
const LISTS_FIX =
  "start a member that knows this list (dbsync members list); if its signer's key was revoked, sign it again: dbsync members sign";
const KEYS_FIX = "check that all daemons have the same keys: dbsync keys list";
/** What is reported for a cause that only a newer daemon knows. */
const UNKNOWN_CAUSE = {
  says: "its log names the reason",
  fix: "read its log, and update dbsync on the machine where you run it",
};
/** Instructions of several rules, for docs/operations.md. */
const WAIT = "Wait. Its log shows the progress";
const FINAL_STEPS =
  "Wait: a daemon joins or returns, and the line names it, what it does, and how long this normally takes without progress. Meanwhile writes are accepted, and answers that wait for final units (`stable`) come later. If the daemon makes no progress for longer, `dbsync status` reports it as a problem, and DbsyncNothingFinal fires";
const KEYS_STEPS = "Compare the keys of the daemons with `dbsync keys list`";
const LISTS_STEPS =
  "Start a member that knows the list. If the key that signed it was revoked, run `dbsync members sign`: [Members by list](#members-by-list)";
const MIRROR_STEPS = "Read [A Redis as a mirror](#a-redis-as-a-mirror)";
const PROMISES = "it may have lost promises for decisions, and does not vote until … answered";

/** @param cause  a code; null, or a code that is unknown here, if the daemon is of another version */
const fixOfUnlisted = (cause: string | null): string =>
  rowOfUnlistedCause(cause)?.fix ?? DAEMON_STATES["not-listed"].problem.fix;

/**
 * Returns the names of the members that are reported as not connected, so that no other problem repeats it. A member
 * that was queried itself is reported without advice for one that is lost.
 */
const reportedAway = (members: readonly MemberCase[]): ReadonlySet<string> =>
  new Set(
    members
      .filter((member) => {
        const link = linkOf(member);
        return link === "away" || (link === "reported" && (member.awayFor ?? 0) < LOST_AFTER_MS);
      })
      .map(nameOf),
  );

/** The problems of a daemon's disk, key, member list, clock and decisions. */
const OF_DAEMON = {
  diskFailed: {
    when: ({ failure }) => failure !== null && [[failure]],
    says: "its disk has failed (…)",
    fix: "free space on the disk or repair it, then start the daemon again",
    severity: "problem",
    alarm: "DbsyncDiskFailed",
  },
  diskLow: {
    when: ({ failure, diskLow, diskFree, diskSize }) =>
      failure === null && diskLow && [[mebibytes(diskFree ?? 0), mebibytes(diskSize ?? 0)]],
    says: LOW_DISK,
    fix: "free space there, or move its data folder to a larger disk; a full disk stops all writes",
    severity: "remark",
    alarm: "DbsyncDiskLow",
  },
  revoked: {
    when: ({ revoked }) => revoked !== null && [[revoked]],
    says: "its own key was revoked (according to …), so it accepts no writes and is no longer a member",
    fix: "start it with a new data folder, or stop it and remove it from the lists",
    severity: "problem",
    alarm: "DbsyncNotLive",
    steps: DAEMON_STATES.revoked.problem.steps,
  },
  standstill: {
    // The reason ends with the remedy.
    when: ({ standstill }) => {
      if (standstill === null) return false;
      const [reason = "", ...cure] = standstill.split(": ");
      return [[reason, cure.join(": ")]];
    },
    says: "it applies no further entries, and answers neither reads nor writes: …",
    fix: "… (it stores the missed entries, and applies them afterwards)",
    severity: "problem",
    alarm: "DbsyncNotLive",
    steps: DAEMON_STATES.outdated.problem.steps,
  },
  unlisted: {
    when: ({ unlisted, unlistedCause }) => unlisted !== null && [[unlisted, fixOfUnlisted(unlistedCause)]],
    says: "it accepts no writes: …",
    fix: "…",
    severity: "problem",
    alarm: "DbsyncNotLive",
    steps: DAEMON_STATES["not-listed"].problem.steps,
  },
  notAdmitted: {
    when: ({ state, notAdmitted }) =>
      notAdmitted !== null && state === "not-admitted" && [[...causeAndCure(notAdmitted)]],
    says: "it accepts no writes, because it is new and no peer admits it: …",
    fix: "…",
    severity: "problem",
    alarm: "DbsyncNotLive",
    steps: DAEMON_STATES["not-admitted"].problem.steps,
  },
  // The daemon was admitted before, so it continues to accept writes.
  refusedByPeers: {
    when: ({ state, notAdmitted }) =>
      notAdmitted !== null && state !== "not-admitted" && [[...causeAndCure(notAdmitted)]],
    says: "no peer that answers admits it any longer: …",
    fix: "…",
    severity: "problem",
    alarm: "DbsyncMemberAway",
    steps:
      "Correct what `dbsync status` names. The daemon continues to accept writes, but they do not reach its peers",
  },
  foreignKey: {
    when: ({ authorize }) => authorize === FOREIGN_KEY,
    says: "the command that it reports for authorizing its key is not CLUSTER ADD with its own key",
    fix: "do not sign it; read the daemon's key on its machine, and check which program runs there",
    severity: "problem",
    alarm: null,
    steps:
      "Do not sign it: that daemon may not be yours. Read the daemon's key on the machine itself, and check which programs run there",
  },
  // This is not a failure: clients that sign are served, and there may be no other clients.
  unauthorized: {
    when: ({ authorize }) => authorize !== null && authorize !== FOREIGN_KEY && [[authorize]],
    says: "it refuses writes from clients that do not sign (Redis, SQL, JSON, MongoDB, version 1): its key is not authorized",
    fix: "as administrator: dbsync send -k root-private.pem …",
    severity: "note",
    alarm: null,
    steps: DAEMON_STATES.unauthorized.problem.steps,
  },
  // Daemons without data cannot be on a list, and without an administrator no key can sign one.
  noList: {
    when: ({ list, administered, durable, members }) =>
      list === null && administered && durable && members.some(isOther),
    says: "it knows no signed member list, so no members decide on conditional writes (SET NX, if, WATCH): two clients may both receive OK",
    fix: "as administrator, name all daemons once: dbsync members add -k root-private.pem, with the host:port of each",
    severity: "note",
    alarm: null,
    steps:
      "Sign a list that names all daemons: [Members by list](#members-by-list). With it, the members [decide](consistency.md#what-the-answer-to-a-condition-means) on conditional writes of signed clients (JavaScript, PHP, Python) and sidecars, and you can evict a lost daemon",
  },
  listWaits: {
    when: ({ listWaitsFor }) => listWaitsFor !== null && [[listWaitsFor]],
    says: "the members cannot sign the member list that it expects: …",
    fix: "correct what it names; if a daemon is lost, see dbsync members --help",
    severity: "note",
    alarm: null,
    steps:
      "Start the daemon that the note names, or correct `--peer`. A lost daemon: [Lists that members sign](#lists-that-members-sign)",
  },
  forcedList: {
    when: ({ listForced }) => listForced,
    says: "its member list was forced: what only the members had that it left out may be missing",
    fix: "nothing has to be done",
    severity: "note",
    alarm: null,
    steps:
      "Nothing has to be done. Units of the members that were left out are lost, or dead letters: [Lists that members sign](#lists-that-members-sign)",
  },
  patternWaits: {
    when: ({ patternsWaiting }) => patternsWaiting !== null && [[patternsWaiting]],
    says: "decisions on all writes to some keys have not begun: …",
    fix: "wait about 75 s; if it takes longer, connect the member for which the final date waits",
    severity: "note",
    alarm: null,
    steps:
      "A pattern begins when each member knows it. If that takes longer than two minutes, a member is down or its clock is wrong: connect it, or remove it from the list",
  },
  parallelLists: {
    when: ({ lists }) => lists.length > 1 && [[lists.join(" and ")]],
    says: "it knows parallel member lists (numbers …), so no unit becomes final",
    fix: "merge them as an administrator: dbsync members merge",
    severity: "problem",
    alarm: "DbsyncNothingFinal",
    steps:
      "Merge the lists as an administrator with `dbsync members merge`: [Members by list](#members-by-list)",
  },
  joining: {
    when: ({ joining }) => joining,
    says: "a member list has added it, but it has not received anything from a live member yet",
    fix: "start the members that are down (dbsync members list)",
    severity: "progress",
    alarm: "DbsyncNotLive",
    steps: "Wait, or start the members that are down",
  },
  lostGroups: {
    when: ({ lostGroups: count }) =>
      count > 0 && [
        [
          `${count} ${count === 1 ? "group" : "groups"} of writes that it had acknowledged ${wereText(count)}`,
        ],
      ],
    says: "… missing from its log when it was started",
    fix: "its members send them again; without members they are lost. Check the disk",
    severity: "problem",
    alarm: "DbsyncWritesLost",
  },
  clockSkewed: {
    when: ({ skewed }) => skewed,
    says: DAEMON_STATES["clock-off"].problem.says,
    fix: DAEMON_STATES["clock-off"].problem.fix,
    severity: "problem",
    alarm: "DbsyncClockSkewed",
  },
  datedAhead: {
    when: ({ skewed, state, watermark, now }) =>
      !skewed && (state === "clock-off" || watermark - now > AHEAD_MAX_MS) && [[dateText(watermark)]],
    says: "it accepts no writes dated before …, which is in the future: a clock was ahead when it was started",
    fix: "set its clock if it is still ahead, and restart it",
    severity: "problem",
    alarm: null,
    steps: "Run `chronyc tracking` on that machine, then restart the daemon",
  },
  dataDiffer: {
    when: (timeline) =>
      isComplete(timeline) &&
      timeline.others.some(
        (other) => isComplete(other) && other.settledFingerprint !== timeline.settledFingerprint,
      ),
    says: "its data differ from the other members'",
    fix: "connect it to them (dbsync members list); if it is connected, run dbsync log verify on its folder",
    severity: "problem",
    alarm: "DbsyncMembersDiffer",
  },
  votesContradict: {
    when: ({ contradicting, members }) =>
      contradicting.map((id) => [addressOf(id, members), evictionOf([addressOf(id, members)])]),
    says: "the member … has voted for two decisions in one ballot: it is broken or lies",
    fix: "check whether two daemons run with copies of its folder; if not, its machine may be compromised; if so, remove it, which is permanent: …",
    severity: "problem",
    alarm: "DbsyncVotesContradict",
  },
  undecided: {
    // Missing promises have rules of their own.
    when: ({ undecidedCause: cause, undecidedFor, undecidedMembers, members, list }) => {
      if (cause === null || cause === "promises-lost") return false;
      const { says, fix } = UNDECIDED_CAUSES[cause as UndecidedCause] ?? UNKNOWN_CAUSE;
      const names = undecidedMembers.map((id) => addressOf(id, members));
      const advice = EVICTION_HELPS.has(cause) ? evictionAdvice(names, undecidedFor, list !== null) : "";
      return [[secondsBetween(0, undecidedFor), says.replace("…", names.join(", ")), `${fix}${advice}`]];
    },
    says: "units with conditions have had no decision for … s: …",
    fix: "…",
    severity: "problem",
    alarm: "DbsyncUndecided",
  },
  disturbing: {
    when: ({ disturbing, members }) =>
      disturbing.map((id) => [addressOf(id, members), evictionOf([addressOf(id, members)])]),
    says: "the member … repeatedly prevents decisions: it takes the right to propose and decides nothing, or it objects alone",
    fix: "run dbsync status for it, and check its network; if it reports nothing, its machine may be compromised; if so, remove it, which is permanent: …",
    severity: "problem",
    alarm: "DbsyncDecisionsDisturbed",
  },
  promisesAwaited: {
    when: (timeline) => timeline.isStarting && awaitedVoters(timeline),
    says: PROMISES,
    fix: SEE_LOG,
    severity: "progress",
    alarm: "DbsyncPromisesLost",
  },
  promisesLost: {
    when: (timeline) => !timeline.isStarting && awaitedVoters(timeline),
    says: PROMISES,
    fix: "start these members; if one of them reports the same, stop it, and replace it by an empty one: dbsync members replace",
    severity: "problem",
    alarm: "DbsyncPromisesLost",
  },
} as const satisfies Rules<TimelineCase>;

/**
 * Old final dates. While a member joins or returns, this is temporary; it is a problem once what the daemon waits for
 * makes no progress.
 */
const OF_FINALITY = {
  finalIsAwaited: {
    when: (timeline) => isFinalOld(timeline) && expectedFinality(timeline),
    says: "only units older than … s are final yet: …",
    fix: "…",
    severity: "progress",
    alarm: null,
    steps: FINAL_STEPS,
  },
  finalIsOld: {
    when: (timeline) => isFinalOld(timeline) && overdueFinality(timeline),
    says: "only units older than … s are final: …",
    fix: "…",
    severity: "problem",
    alarm: "DbsyncNothingFinal",
  },
  firstFinalIsAwaited: {
    when: (timeline) => isNothingFinal(timeline) && expectedFinality(timeline),
    says: "no unit has become final yet since it was started … s ago: …",
    fix: "…",
    severity: "progress",
    alarm: null,
    steps: FINAL_STEPS,
  },
  nothingFinal: {
    when: (timeline) => isNothingFinal(timeline) && overdueFinality(timeline),
    says: "no unit has become final since it was started … s ago: …",
    fix: "…",
    severity: "problem",
    alarm: "DbsyncNothingFinal",
  },
} as const satisfies Rules<TimelineCase>;

/** The problems of a member, and of the connection to it. */
const OF_MEMBER = {
  notListed: {
    when: (member) => linkOf(member) === "not-listed" && [[member.address]],
    says: "… is not on the member list",
    fix: "remove it from --peer, or add it with dbsync members add, after dbsync members join if it has a list of its own",
    severity: "remark",
    alarm: null,
    steps: "Run `dbsync members list`, and read [Members by list](#members-by-list)",
  },
  connecting: {
    when: (member) => linkOf(member) === "new" && [[member.address, remedyFor(member)]],
    says: "it is connecting to its member …",
    fix: "…",
    severity: "progress",
    alarm: null,
    steps:
      "Wait if one of the two has just started. If this continues, start the other daemon, or correct `peer`",
  },
  memberDown: {
    when: (member) =>
      linkOf(member) === "away" &&
      isDown(member) && [
        [member.address, spanText(member.awayFor ?? 0), ...seenBy(member), lostAdvice(member)],
      ],
    says: DOWN,
    fix: "start it first, or repair its network; writes become final again once it is back (if it was removed permanently, remove it from --peer)…",
    severity: "problem",
    alarm: "DbsyncMemberAway",
  },
  memberAway: {
    when: (member) =>
      linkOf(member) === "away" &&
      !isDown(member) && [
        [
          `${member.address}${reasonOf(member)}${awayText(member.awayFor)}`,
          `${remedyFor(member)}${lostAdvice(member)}`,
        ],
      ],
    says: AWAY,
    fix: "…",
    severity: "problem",
    alarm: "DbsyncMemberAway",
  },
  pruned: {
    when: (member) =>
      linkOf(member) === "connected" && member.lacking && [[member.address, storedFrom(member)]],
    says: "it is missing envelopes that its member … no longer stores (…)",
    fix: "it loads a snapshot that most members have signed, once there is one; if this does not change, see its log",
    severity: "problem",
    alarm: null,
    steps:
      "Wait: the daemon loads a snapshot once most members have signed one. If this continues, read its log",
  },
  memberCatchingUp: {
    when: (member) =>
      linkOf(member) === "connected" &&
      member.state === "catching-up" &&
      member.availability === null && [[member.address]],
    says: "its member … is catching up",
    fix: "that daemon's log shows its progress",
    severity: "progress",
    alarm: null,
    steps: WAIT,
  },
  memberSkewed: {
    when: (member) =>
      linkOf(member) === "connected" &&
      member.skew !== null &&
      Math.abs(member.skew) > SKEW_MAX_MS && [[member.address, member.skew]],
    says: "the clock of its member … differs by … ms",
    fix: "set both clocks by NTP",
    severity: "problem",
    alarm: null,
    steps: "Run `chronyc tracking` on that machine",
  },
  memberRefused: {
    when: (member) =>
      linkOf(member) === "connected" && member.refusals > 0 && [[member.refusals, member.address]],
    says: "it has refused … envelopes from its member …",
    fix: "its log says why; run dbsync log verify there",
    severity: "problem",
    alarm: "DbsyncMemberRefused",
  },
  memberLeftOut: {
    when: (member) => linkOf(member) === "connected" && member.leftOut && [[member.address]],
    says: "its member … has not closed its dates in time: clients that follow streams (XREAD) may miss entries that are added there now",
    fix: "check the load and the disk of that daemon, and the network between them; the entries are in the stream (XRANGE)",
    severity: "problem",
    alarm: "DbsyncFollowersGaps",
  },
  inFlight: {
    when: (member) =>
      linkOf(member) === "connected" &&
      member.lag + member.behind > LAG_MAX && [[member.lag + member.behind, member.address]],
    says: "… envelopes are in flight between it and …",
    fix: "check dbsync top, and the network between them",
    severity: "progress",
    alarm: null,
    steps: "Wait. If this continues, check `dbsync top` and the network between them",
  },
} as const satisfies Rules<MemberCase>;

/** The problem of indexes that clients were answered, and that other daemons' writes have made impossible. */
const INVALID_INDEX: Rule<Pick<TimelineReport, "invalidIndexes">> = {
  // Only the first index is named, because the remedy is the same for all.
  when: ({ invalidIndexes }) => {
    const [first] = invalidIndexes;
    if (first === undefined) return false;
    const more = invalidIndexes.length === 1 ? "" : ` (and ${invalidIndexes.length - 1} more)`;
    return [[first.index, shortened(first.key), first.db, more]];
  },
  says: "the index … of key … in database … was acknowledged, but is invalid, because another daemon had accepted writes that it does not permit…",
  fix: "listIndexes there shows the reason in its field invalid: remove the cause (for example documents with equal values), and create the index again",
  severity: "problem",
  alarm: "DbsyncIndexInvalid",
};

/** Returns the problem of a daemon's invalid indexes, or null if there are none. */
export const invalidIndexProblem = (report: Pick<TimelineReport, "invalidIndexes">): Problem | null =>
  problemsBy({ invalidIndex: INVALID_INDEX }, report)[0] ?? null;

/** The problems of a daemon's data, and of its mirror. */
const OF_DATA = {
  invalidIndex: INVALID_INDEX,
  ownStateDiffers: {
    when: (timeline) => difference(timeline, "own")?.map(({ differs }) => [differs]) ?? false,
    says: "its state differs from that of most members, …",
    fix: "restart it: its state is rebuilt from its folder",
    severity: "problem",
    alarm: "DbsyncStateDiffers",
  },
  memberStateDiffers: {
    when: (timeline) =>
      difference(timeline, "member")?.map(({ where, differs }) => [where, differs]) ?? false,
    says: "the state of its member … differs from its own, …",
    fix: "restart that member: its state is rebuilt",
    severity: "problem",
    alarm: "DbsyncStateDiffers",
  },
  statesDiffer: {
    when: (timeline) =>
      difference(timeline, "unclear")?.map(({ where, differs }) => [where, differs]) ?? false,
    says: "its state and that of its member … differ, …",
    fix: "restart both, one after the other: their states are rebuilt from their folders",
    severity: "problem",
    alarm: "DbsyncStateDiffers",
  },
  mirrorAway: {
    when: ({ mirror }) => mirror !== null && mirror.trouble !== null && [[mirror.redis, mirror.trouble]],
    says: "it cannot write to its mirror … (…)",
    fix: "repair that Redis: the daemon then updates it automatically, and continues to serve",
    severity: "problem",
    alarm: "DbsyncMirrorAway",
  },
  mirrorCompared: {
    when: ({ mirror }) =>
      mirror !== null && mirror.trouble === null && mirror.state === "comparing" && [[mirror.redis]],
    says: "its mirror … is being compared",
    fix: SEE_LOG,
    severity: "progress",
    alarm: null,
    steps: MIRROR_STEPS,
  },
  mirrorForeign: {
    when: ({ mirror }) => mirror !== null && mirror.foreign > 0 && [[mirror.foreign, mirror.redis]],
    says: "since its start, other clients have changed … keys in its mirror …, and it has reverted them",
    fix: "prevent other clients from writing there (in Redis, with a separate user for the daemon)",
    severity: "remark",
    alarm: null,
    steps: MIRROR_STEPS,
  },
  mirrorRefused: {
    when: ({ mirror }) => mirror !== null && mirror.refused > 0 && [[mirror.redis, mirror.refused]],
    says: "its mirror … refused … keys",
    fix: "its log says why",
    severity: "problem",
    alarm: "DbsyncMirrorAway",
  },
  takingSnapshot: {
    when: ({ taking }) => taking !== null && [[taking.from, taking.received, taking.total]],
    says: "it is receiving a snapshot from …: … of … bytes",
    fix: SEE_LOG,
    severity: "progress",
    alarm: null,
    steps: WAIT,
  },
  noSnapshotAgreed: {
    when: ({ order }) => order !== null && [[order]],
    says: "it is missing envelopes that no member stores any longer, and too few members have signed the same snapshot with them",
    fix: "start the daemons that are down; or, to trust that member, start this one once with …: the member's snapshot then replaces this daemon's data of that time, of which its data folder stores a copy",
    severity: "problem",
    alarm: null,
    steps:
      "Start the members that are down, or start the daemon with the option that the sentence names: [Retention](#retention)",
  },
  deadLetters: {
    when: ({ deadLetters: count }) => count > 0 && [[count, count === 1 ? "letter" : "letters"]],
    says: "it stores … dead …: envelopes that are, or may be, missing from a snapshot that it received from a member, or that write decided keys without a decision",
    fix: "run dbsync dead-letters list there, then write them again or remove them",
    severity: "problem",
    alarm: "DbsyncDeadLetters",
  },
  writesLost: {
    when: ({ deadLetters, strays, durable }) => deadLetters <= 0 && strays > 0 && !durable && [[strays]],
    says: "… of its envelopes were missing from a snapshot that it received from a member, and are lost there",
    fix: "its log names them and their signers; write them again",
    severity: "problem",
    alarm: "DbsyncWritesLost",
  },
  unknownKeysDropped: {
    when: ({ dropped }) => dropped > 0 && [[dropped]],
    says: "… envelopes of members were dropped because their signer's key did not arrive",
    fix: KEYS_FIX,
    severity: "problem",
    alarm: null,
    steps: KEYS_STEPS,
  },
  unknownKeys: {
    when: ({ dropped, quarantined }) => dropped <= 0 && quarantined > 0 && [[quarantined]],
    says: "… envelopes are waiting for their signer's key",
    fix: KEYS_FIX,
    severity: "progress",
    alarm: null,
    steps: KEYS_STEPS,
  },
  unknownListsDropped: {
    when: ({ decisionsDropped: count }) => count > 0 && [[count]],
    says: "… decisions of members were dropped because the member list that made them did not arrive",
    fix: LISTS_FIX,
    severity: "problem",
    alarm: null,
    steps: LISTS_STEPS,
  },
  unknownLists: {
    when: ({ decisionsDropped, decisionsQuarantined: count }) =>
      decisionsDropped <= 0 && count > 0 && [[count]],
    says: "… decisions are waiting for the member list that made them",
    fix: LISTS_FIX,
    severity: "progress",
    alarm: null,
    steps: LISTS_STEPS,
  },
  waiting: {
    when: ({ waiting }) => waiting > LAG_MAX && [[waiting]],
    says: "… envelopes are waiting to be applied",
    fix: SEE_LOG,
    severity: "progress",
    alarm: null,
    steps: WAIT,
  },
  onlyInMemory: {
    when: ({ durable, members }) => !durable && members.every(({ connection }) => connection !== "connected"),
    says: "it stores everything only in memory, and no other daemon is connected",
    fix: "start it with --data, or start its peers",
    severity: "remark",
    alarm: null,
    steps: "Start it with `data`, or start its peers",
  },
} as const satisfies Rules<TimelineCase>;

/** The problem of a daemon that has been catching up for too long without progress. */
const STUCK: Rule<Pick<TimelineCase, "started" | "taking" | "waiting" | "now">> = {
  when: ({ started, taking, waiting, now }) =>
    taking === null &&
    waiting <= 0 &&
    started !== null &&
    now - started >= CATCHING_UP_MAX_MS && [[Math.floor((now - started) / 60_000)]],
  says: "it is still catching up … minutes after its start",
  fix: "its log says what it is waiting for; start the members that are down (dbsync members list)",
  severity: "problem",
  alarm: "DbsyncNotLive",
  steps: DAEMON_STATES["catching-up"].problem.steps,
};

/** All rules, for the documents and the alarms. */
export const TIMELINE_RULES = {
  ...OF_DAEMON,
  ...OF_FINALITY,
  ...OF_MEMBER,
  ...OF_DATA,
  stuck: STUCK,
} as const;

/** Returns the problem of a daemon that has been catching up for too long without progress, or null. */
export const stuckCatchingUp = (timeline: DiagnosedTimeline, now: number): Problem | null =>
  problemsBy({ stuck: STUCK }, { ...timeline, now })[0] ?? null;

/** Whether a daemon has all entries: it is not catching up. */
const isComplete = ({ state }: DiagnosedTimeline): boolean => rowOfState(state)?.isComplete !== false;

const isFinalOld = ({ members, stable, now }: TimelineCase): boolean =>
  members.some(isOther) && stable > 0 && now - stable > STABLE_BEHIND_MAX_MS;

const isNothingFinal = ({ members, stable, started, now, state }: TimelineCase): boolean =>
  members.some(isOther) &&
  state !== "not-admitted" &&
  stable <= 0 &&
  started !== null &&
  now - started > STABLE_BEHIND_MAX_MS;

/** The seconds of the sentences about final dates: the age of the last one, or the time since the start. */
const finalAge = ({ stable, started, now }: TimelineCase): number =>
  secondsBetween(stable > 0 ? stable : (started ?? now), now);

/**
 * Returns what the final date normally waits for, as the values of a rule. The state of a daemon is reported itself.
 */
function expectedFinality(timeline: TimelineCase): false | (string | number)[][] {
  const { finalCause, finalOverdue, finalDelayedFor, state } = timeline;
  const row = rowOfFinalityCause(finalCause);
  if (row === null || finalOverdue || (finalCause === "own-state" && state === "catching-up")) return false;
  const [normal, passed] = [row.normalMs, finalDelayedFor].map((time) => secondsBetween(0, time));
  const text = `${causeText(row.says, timeline)} (normally done within ${normal} s of the last progress, ${passed} s ago)`;
  return [[finalAge(timeline), text, SEE_FINALITY]];
}

/** Returns what the final date waits for in vain, as the values of a rule. */
function overdueFinality(timeline: TimelineCase): false | (string | number)[][] {
  const { finalCause, finalOverdue, finalDelayedFor, list } = timeline;
  const row = rowOfFinalityCause(finalCause);
  if (row === null) return [[finalAge(timeline), UNKNOWN_CAUSE.says, UNKNOWN_CAUSE.fix]];
  if (!finalOverdue) return false;
  const text = `${causeText(row.says, timeline)} (for ${secondsBetween(0, finalDelayedFor)} s)`;
  const canEvict = finalCause === "away" || finalCause === "catching-up";
  const advice = canEvict ? evictionAdvice(awaitedMembers(timeline), finalDelayedFor, list !== null) : "";
  return [[finalAge(timeline), text, `${row.fix}${advice}`]];
}

const causeText = (says: string, timeline: TimelineCase): string =>
  says.replace("…", () => awaitedMembers(timeline).join(", "));

/** Returns the addresses of the members for which the next final date waits. */
function awaitedMembers({ finalCause, finalMembers, members }: DiagnosedTimeline): readonly string[] {
  const named = finalMembers.map((id) => addressOf(id, members));
  if (finalCause !== "away") return named;
  // The id of a member may be unknown that has not been connected since the start.
  const isAway = ({ id, connection, listed }: MemberReport) =>
    id === null && listed !== false && connection !== "connected" && connection !== "self";
  return [...named, ...members.filter(isAway).map(({ address }) => address)];
}

const wereText = (count: number): string => (count === 1 ? "was" : "were");

const secondsBetween = (from: number, to: number): number => Math.round((to - from) / 1000);

/** The number of digits of an id, and of characters of a key, that messages show. */
const ID_DIGITS = 12;
const KEY_CHARS = 64;

/**
 * Describes the keys that differ, if the verdict about the first one is `verdict`. Only the first key is named, because
 * the remedy is the same for all.
 * @param verdict  `unclear`: any verdict that names neither this daemon nor a member
 */
function difference(
  { differing, members }: DiagnosedTimeline,
  verdict: "own" | "member" | "unclear",
): readonly { readonly where: string; readonly differs: string }[] | null {
  const [first] = differing;
  if (first === undefined) return null;
  const found = first.verdict === "own" || first.verdict === "member" ? first.verdict : "unclear";
  if (found !== verdict) return null;
  const { db, key, members: ids } = first;
  const name = shortened(key);
  const more = differing.length === 1 ? "" : ` and ${differing.length - 1} more`;
  const where = ids.map((id) => addressOf(id, members)).join(", ");
  return [{ where, differs: `although both have the same commands: key ${name} in database ${db}${more}` }];
}

const shortened = (key: string): string => `${key.slice(0, KEY_CHARS)}${key.length > KEY_CHARS ? "…" : ""}`;

/** Returns the address of a member, or the beginning of its id if no address is known. */
export const addressOf = (id: string, members: readonly MemberReport[]): string =>
  members.find((one) => one.id === id)?.address || id.slice(0, ID_DIGITS);

/** Returns the members that must answer before the daemon votes in decisions again, as the value of a rule. */
function awaitedVoters({ missingPromises, members }: DiagnosedTimeline): string[][] {
  if (missingPromises.length === 0) return [];
  const where = missingPromises.map((id) => addressOf(id, members)).join(", ");
  return [[`${where} ${missingPromises.length === 1 ? "has" : "have"}`]];
}

const isOther = ({ connection }: MemberReport): boolean => connection !== "self";

/** Whether a member is not connected because a list excludes this daemon or the member. */
const isExcluded = ({ closeCode }: MemberReport): boolean =>
  closeCode === "left-out" || closeCode === "not-listed";

const storedFrom = ({ prunedTo }: MemberReport): string =>
  `it stores those since ${dateText((prunedTo ?? 0) + 1)}`;

/**
 * Whether a connection may be missing only because the member has just been started: neither daemon has given a reason.
 */
const isUnanswered = ({ closedBy }: MemberReport): boolean => closedBy === null;

/**
 * Returns the state of the connection to a member.
 * `new`: it may be missing only because one of the two has just been started. `reported`: the line about the member
 * already reports that it is missing.
 */
function linkOf(member: MemberCase): "not-listed" | "connected" | "reported" | "new" | "away" {
  const { listed, connection, availability, isStarting, lastHeard } = member;
  if (listed === false) return "not-listed";
  if (connection === "connected") return "connected";
  if (availability === "away" && isUnanswered(member)) return "reported";
  const isNew = isStarting && lastHeard === null;
  return (isNew || availability === "busy") && isUnanswered(member) ? "new" : "away";
}

/** Whether the daemons that answer, which are most of the cluster, receive no answer from a member. */
const isDown = (member: MemberCase): boolean =>
  isUnanswered(member) && member.address !== "" && member.awayFor !== null && member.sightings.areMost;

const seenBy = (member: MemberCase): (string | number)[] => [
  member.sightings.seen,
  `${member.sightings.of}${reasonOf(member)}`,
];

const lostAdvice = (member: MemberCase): string =>
  evictionAdvice([nameOf(member)], member.awayFor ?? 0, member.listed === true);

const nameOf = ({ address, id }: MemberReport): string => address || (id ?? "").slice(0, ID_DIGITS);

const reasonOf = ({ trouble }: MemberReport): string =>
  trouble === null ? "" : ` (${trouble.replace(/\.$/, "")})`;

/** Returns the remedy for a member that is not connected, by the reason that the daemon reports. */
function remedyFor(member: MemberReport): string {
  const { address, closeCode, closedBy } = member;
  const remedies = closedBy === "member" ? IF_MEMBER_CLOSED : IF_DAEMON_CLOSED;
  const remedy = remedies.get(closeCode as CloseCode);
  if (remedy !== undefined) return remedy(member);
  return `start the daemon at ${address}, or correct --peer (if that daemon was removed permanently, remove it from --peer)`;
}

type Remedy = (member: MemberReport) => string;

const SAME_SECRET = "start both with the same --cluster-secret";

const START_IT = "start that daemon first, and specify it in --peer";

const pinIt = (address: string, id: string | null): string =>
  `pin it with the id that it prints when it starts (--peer ${address}#ed25519:${id ?? "…"}), or authorize it with CLUSTER ADD`;

const pinThis = () =>
  `${SAME_SECRET}; or, on that member, pin this daemon with the --peer host:port#ed25519:… that it prints when it starts, or authorize it with CLUSTER ADD`;

const addThis = () =>
  "add it with dbsync members add (if it was removed, with a new data folder); or stop it";

const checkCluster: Remedy = ({ address }) => `check which daemon runs at ${address}: ${SAME_CLUSTER}`;

const checkProgram: Remedy = ({ address }) => `check which program listens at ${address}, and correct --peer`;

const makeMember: Remedy = ({ address }) =>
  `start the daemon at ${address} with --peer or --data, and without --fsync never`;

const sameVersion = () => ADMISSION_REFUSALS["other-protocol"].cure;

const IF_MEMBER_CLOSED = new Map<CloseCode, Remedy>([
  ["wrong-cluster", checkCluster],
  ["other-protocol", sameVersion],
  ["other-secret", () => SAME_SECRET],
  ["no-peers", () => "also name this daemon in --peer of that member"],
  ["not-a-member", pinThis],
  ["not-pinned", pinThis],
  ["left-out", addThis],
  ["not-listed", addThis],
]);

const addIt = () =>
  "remove it from --peer; or start it with a new data folder if it was removed, or after dbsync members join if it has a list of its own, and add it with dbsync members add";

const IF_DAEMON_CLOSED = new Map<CloseCode, Remedy>([
  ["wrong-cluster", checkCluster],
  ["other-protocol", sameVersion],
  ["malformed", checkProgram],
  ["bad-proof", checkProgram],
  ["not-a-daemon", makeMember],
  ["no-address", () => START_IT],
  ["other-secret", () => SAME_SECRET],
  ["left-out", addIt],
  ["not-listed", addIt],
  ["not-a-member", ({ address, id }) => `${SAME_SECRET}; or ${pinIt(address, id)}`],
  // The daemon's real id is not known.
  ["not-pinned", ({ address }) => pinIt(address, null)],
]);

const HIDDEN_KEY = "(dbsync doctor names it)";
/** The id of a key or a daemon, complete or shortened. */
const ID = /(?:ed25519:|rsa:)\S+|\b[0-9a-f]{12,}\b/gi;

/**
 * Returns the problems of a timeline without key names and ids, which only administrators may see. The command that
 * authorizes the daemon's own key is complete, because its public key reveals nothing about users.
 * @param now  milliseconds since 1970
 */
export function publicProblems(report: TimelineReport, now: number): Problem[] {
  const hidden = {
    ...report,
    differing: report.differing.map((difference) => ({ ...difference, key: HIDDEN_KEY })),
    invalidIndexes: report.invalidIndexes.map((invalid) => ({ ...invalid, index: "…", key: HIDDEN_KEY })),
  };

  const { problems, remarks, progress } = diagnose(withConclusions(hidden), { others: [], now });
  const { authorize } = report;
  const isOwnKey = (fix: string) =>
    authorize !== null && authorize !== FOREIGN_KEY && fix.endsWith(` ${authorize}`);

  return [...problems, ...remarks, ...progress].map((problem) => ({
    ...problem,
    member: problem.member.replace(ID, "…"),
    text: problem.text.replace(ID, "…"),
    fix: isOwnKey(problem.fix) ? problem.fix : problem.fix.replace(ID, "…"),
  }));
}
