/**
 * The figures of TIMELINE STATUS. `dbsync status` reads them with this table, /metrics shows those that have a metric,
 * and docs/protocol-v2.md lists all. Dates are milliseconds since 1970; hashes and ids are hexadecimal.
 */
import type { Figures, FigureTable } from "./figure.js";
import { FINALITY_CAUSES } from "./finality-causes.js";
import { UNDECIDED_CAUSES } from "./undecided-causes.js";
import { UNLISTED_CAUSES } from "./unlisted-causes.js";

/** A problem that a member reports about itself. */
export const MEMBER_PROBLEM_FIGURES = {
  code: { kind: "text", help: "the name of its kind" },
  member: { kind: "text", help: "the address of the member that it concerns; empty: no single member" },
  text: { kind: "text", help: "its sentence" },
} as const satisfies FigureTable;

/** A daemon's figures about a member. Durations are in milliseconds; nil: not known. */
export const MEMBER_FIGURES = {
  address: {
    kind: "text",
    help: "its address as in `--peer`, or the address from which it connected; empty: no address is known",
  },
  id: { kind: "text-or-nil", help: "its id" },
  listed: { kind: "flag-or-nil", help: "whether the member list names it; nil: there is no list" },
  connection: {
    kind: "text",
    help: "`connected`, `connecting`, `waiting` (for the next attempt), or `self` if the address is this daemon's own",
  },
  trouble: { kind: "text-or-nil", help: "why it is not connected" },
  closeCode: {
    kind: "text-or-nil",
    help: "the code of that reason, as in `bye`, or `no-address`; nil: the connection failed, or the code is not known here",
  },
  closedBy: {
    kind: "text-or-nil",
    help: "`daemon` or `member`: which of the two gives that reason; nil: the connection failed",
  },
  state: { kind: "text-or-nil", help: "its state, as in `hello`" },
  skewed: { kind: "flag", help: "whether it reports that its own clock is wrong" },
  connectedSince: { kind: "number-or-nil", help: "how long it has been connected" },
  roundTrip: {
    kind: "number-or-nil",
    help: "the time from a message to its answer",
    metric: {
      name: "dbsyncd_member_round_trip_seconds",
      type: "gauge",
      help: "Time from a message to the member to its answer.",
      isSeconds: true,
    },
  },
  skew: {
    kind: "number-or-nil",
    help: "its clock minus this daemon's clock",
    metric: {
      name: "dbsyncd_member_skew_seconds",
      type: "gauge",
      help: "The member's clock minus this daemon's clock.",
      isSeconds: true,
    },
  },
  watermark: {
    kind: "number-or-nil",
    help: "the date at or before which it accepts no writes from clients",
    metric: {
      name: "dbsyncd_member_watermark_seconds",
      type: "gauge",
      help: "Seconds since 1970: the date at or before which the member accepts no writes from clients.",
      isSeconds: true,
    },
  },
  prunedTo: {
    kind: "number-or-nil",
    help: "the date at or before which it has pruned all envelopes; 0: it stores all",
  },
  lacking: { kind: "flag", help: "whether it has pruned envelopes that this daemon is missing" },
  entries: { kind: "number-or-nil", help: "the number of envelopes that it stores" },
  equal: {
    kind: "flag-or-nil",
    help: "whether it had the same envelopes as this daemon when last seen, and both had applied them",
    metric: {
      name: "dbsyncd_member_equal",
      type: "gauge",
      help: "1 if the member had the same envelopes as this daemon when last seen, and both had applied them, otherwise 0.",
    },
  },
  lag: {
    kind: "number",
    help: "the number of envelopes requested from it that have not arrived",
    metric: {
      name: "dbsyncd_member_lag_entries",
      type: "gauge",
      help: "Envelopes that were requested from the member and have not arrived.",
    },
  },
  behind: {
    kind: "number",
    help: "the approximate number of envelopes in flight to it",
    metric: {
      name: "dbsyncd_member_behind_entries",
      type: "gauge",
      help: "Approximate number of envelopes that are in flight to the member or wait to be sent.",
    },
  },
  lastHeard: { kind: "number-or-nil", help: "the time since its last message" },
  awayFor: {
    kind: "number-or-nil",
    help: "how long it has been away at least: since its last message or, if there was none, since this daemon has expected it; nil: it is connected, or may be connected from another address",
  },
  leftOut: {
    kind: "flag",
    help: "whether clients that follow streams do not wait for it, because it has not closed its dates in time",
    metric: {
      name: "dbsyncd_member_left_out",
      type: "gauge",
      help: "1 while clients that follow streams do not wait for the member, because it has not closed its dates in time, otherwise 0.",
    },
  },
  refusals: {
    kind: "number",
    help: "the number of its envelopes that were refused on this connection",
    metric: {
      name: "dbsyncd_member_refused_entries",
      type: "gauge",
      help: "Envelopes from the member that were refused on this connection; 0 unless something is wrong.",
    },
  },
  aboutAge: {
    kind: "number-or-nil",
    help: "the time since its last report about itself, which contains the following figures",
  },
  software: { kind: "text-or-nil", help: "the version of its program, as it reports" },
  pagePort: { kind: "number", help: "the port of its `--admin`, as it reports; 0: none" },
  pageLocal: { kind: "flag", help: "whether only its own machine reaches that port, as it reports" },
  diskFree: {
    kind: "number-or-nil",
    help: "the number of free bytes in the file system of its data folder, as it reports",
    metric: {
      name: "dbsyncd_member_disk_free_bytes",
      type: "gauge",
      help: "Free bytes in the file system of the member's data folder, as it reports.",
    },
  },
  diskSize: { kind: "number-or-nil", help: "the size of that file system in bytes, as it reports" },
  clientAnswers: {
    kind: "number-or-nil",
    help: "the number of commands that it has answered since its start, as it reports",
  },
  clientRefusals: {
    kind: "number-or-nil",
    help: "the number of requests and connections of clients that it has refused since its start, as it reports",
  },
  clientConnections: {
    kind: "number-or-nil",
    help: "the number of its open connections of clients, as it reports",
  },
  problems: {
    kind: "list",
    of: MEMBER_PROBLEM_FIGURES,
    help: "its problems, as it reports: at most 8",
  },
} as const satisfies FigureTable;

/** A key whose value differs between members, although they have the same envelopes. */
export const DIFFERENCE_FIGURES = {
  db: { kind: "number", help: "the database" },
  key: { kind: "bytes", help: "the key" },
  verdict: { kind: "text", help: "whose state is wrong: `own`, `member`, or `unclear`" },
  members: { kind: "bytes-list", help: "the ids of the members that have another value" },
} as const satisfies FigureTable;

/** An index that is not what a client was answered, because of a write on another daemon. */
export const INVALID_INDEX_FIGURES = {
  db: { kind: "number", help: "the database" },
  key: { kind: "bytes", help: "the key of the collection" },
  index: { kind: "bytes", help: "the name of the index" },
} as const satisfies FigureTable;

export type InvalidIndexReport = Figures<typeof INVALID_INDEX_FIGURES>;

/** A signing key whose envelopes wait for a decision. */
export const WAITING_KEY_FIGURES = {
  key: { kind: "text", help: "the id of the key" },
  envelopes: { kind: "number", help: "the number of its envelopes that wait" },
} as const satisfies FigureTable;

/** The figures of the mirror, the Redis that follows the fold. Counts are since the start. */
export const MIRROR_FIGURES = {
  redis: { kind: "text", help: "its address, without a password" },
  state: { kind: "text", help: "`connecting`, `refused`, `comparing`, `behind` or `level`" },
  trouble: { kind: "text-or-nil", help: "why the daemon does not write to it" },
  level: { kind: "number", help: "the date up to which it is complete" },
  dirty: {
    kind: "number",
    help: "the number of keys that wait to be written",
    metric: {
      name: "dbsyncd_mirror_dirty_keys",
      type: "gauge",
      help: "Keys that wait to be written to the mirror; limited by --mirror-keys.",
    },
  },
  written: {
    kind: "number",
    help: "the number of keys that were written or removed",
    metric: {
      name: "dbsyncd_mirror_written_keys_total",
      type: "counter",
      help: "Keys that were written to the mirror or removed from it.",
    },
  },
  refused: {
    kind: "number",
    help: "the number of keys that it refused",
    metric: {
      name: "dbsyncd_mirror_refused_keys_total",
      type: "counter",
      help: "Keys that the mirror refused; the log contains the reasons.",
    },
  },
  foreign: {
    kind: "number",
    help: "the number of keys that other programs changed in it and that were written again",
    metric: {
      name: "dbsyncd_mirror_foreign_keys_total",
      type: "counter",
      help: "Keys that other programs changed in the mirror and the daemon wrote again; 0 unless something is wrong.",
    },
  },
  different: {
    kind: "number",
    help: "the number of keys that differed in comparisons and were written again",
    metric: {
      name: "dbsyncd_mirror_different_keys_total",
      type: "counter",
      help: "Keys that differed in comparisons with the mirror and were written again.",
    },
  },
  comparing: { kind: "number", help: "the number of the comparison in progress; 0: none" },
  comparingWhy: { kind: "text-or-nil", help: "the reason for this comparison" },
  checked: { kind: "number", help: "the number of keys that the comparison in progress has checked" },
  total: { kind: "number", help: "the number of keys that this comparison must check" },
  compared: { kind: "number", help: "the number of the last completed comparison; 0: none" },
  comparedAt: { kind: "number", help: "the date at which that comparison was completed" },
  comparedKeys: { kind: "number", help: "the number of keys that the last completed comparison checked" },
  comparedDifferent: { kind: "number", help: "the number of keys that differed" },
  comparedFirst: { kind: "bytes-list", help: "the first keys that differed" },
} as const satisfies FigureTable;

/** The figures of a daemon's timeline and its members. */
export const TIMELINE_FIGURES = {
  state: { kind: "text", help: "the daemon's state, as in `hello`" },
  failure: {
    kind: "text-or-nil",
    help: "why the daemon no longer accepts writes: the disk has failed",
    metric: {
      name: "dbsyncd_timeline_failed",
      type: "gauge",
      help: "1 once the disk has failed and the daemon no longer accepts writes, otherwise 0.",
    },
  },
  semantics: { kind: "number", help: "the semantics version after all applied envelopes" },
  availableSemantics: {
    kind: "number",
    help: "the newest semantics version that this daemon supports and an administrator can set; without administrators, the current one",
  },
  standstill: { kind: "text-or-nil", help: "why the daemon applies nothing after a certain date" },
  revoked: { kind: "text-or-nil", help: "the daemon that reported that this daemon's own key was revoked" },
  master: {
    kind: "text-or-nil",
    help: "the address for Redis clients of the daemon that sentinels name as the master (`--sentinel`); nil: there is no sentinel, or it names none",
  },
  masterId: { kind: "text-or-nil", help: "the id of that daemon" },
  isMaster: {
    kind: "flag-or-nil",
    help: "whether that daemon is this one; nil: there is no sentinel",
    metric: {
      name: "dbsyncd_sentinel_master",
      type: "gauge",
      help: "1 if the sentinels of --sentinel name this daemon as the master, 0 if they name another one or none.",
    },
  },
  unlisted: { kind: "text-or-nil", help: "why this daemon is not a member of the list" },
  unlistedCause: {
    kind: "text-or-nil",
    help: `the code of this reason: ${Object.keys(UNLISTED_CAUSES)
      .map((cause) => `\`${cause}\``)
      .join(", ")}; nil: there is none`,
  },
  notAdmitted: {
    kind: "text-or-nil",
    help: "why every peer that answers refuses this daemon, and what to do",
  },
  authorize: {
    kind: "text-or-nil",
    help: "the `CLUSTER ADD` command that authorizes its own key to sign for clients without keys",
  },
  list: {
    kind: "text-or-nil",
    help: "the numbers of the newest member lists that it knows; if there are several, they conflict",
  },
  listHash: { kind: "text-or-nil", help: "the hash of the first of these lists" },
  listWaitsFor: {
    kind: "text-or-nil",
    help: "what the members wait for to sign a member list (`dbsync members found`, `replace`, `remove`, `force`)",
  },
  listForced: {
    kind: "flag",
    help: "whether a list was signed without half of the members of the list before it, or more (`dbsync members force`)",
  },
  decidedPatterns: {
    kind: "text-or-nil",
    help: "the patterns of keys on all of whose writes the members decide (`CLUSTER DECIDE`)",
  },
  patternsWaiting: {
    kind: "text-or-nil",
    help: "those of these patterns that have not begun, because a member may not know them yet",
  },
  administered: {
    kind: "flag",
    help: "whether its cluster has administrators (`--root-key`), who can sign a member list",
  },
  joining: { kind: "flag", help: "whether a list has added this daemon but no live member has answered yet" },
  skewed: {
    kind: "flag",
    help: "whether its clock is wrong, so that it accepts no writes from clients",
    metric: {
      name: "dbsyncd_clock_skewed",
      type: "gauge",
      help: "1 while this machine's clock differs from the members' clocks and the daemon accepts no writes from clients, otherwise 0.",
    },
  },
  durable: { kind: "flag", help: "whether the timeline outlives the process" },
  diskFree: {
    kind: "number-or-nil",
    help: "the number of free bytes in the file system of the data folder; nil: not known",
    metric: {
      name: "dbsyncd_disk_free_bytes",
      type: "gauge",
      help: "Free bytes in the file system of the data folder.",
    },
  },
  diskSize: { kind: "number-or-nil", help: "the size of that file system in bytes" },
  diskLow: {
    kind: "flag",
    help: "whether fewer bytes are free than `--min-disk-free`",
    metric: {
      name: "dbsyncd_disk_low",
      type: "gauge",
      help: "1 while fewer bytes of that file system are free than --min-disk-free, otherwise 0.",
    },
  },
  watermark: { kind: "number", help: "the date at or before which it accepts no writes from clients" },
  published: {
    kind: "number",
    help: "the watermark that is stored on disk",
    metric: {
      name: "dbsyncd_timeline_watermark_seconds",
      type: "gauge",
      help: "Seconds since 1970: the date at or before which the daemon accepts no writes from clients.",
      isSeconds: true,
    },
  },
  newest: {
    kind: "number",
    help: "the date of the newest applied envelope",
    metric: {
      name: "dbsyncd_timeline_newest_seconds",
      type: "gauge",
      help: "Date of the newest applied envelope, in seconds since 1970.",
      isSeconds: true,
    },
  },
  stable: {
    kind: "number",
    help: "the date before which all units are final; 0: not known",
    metric: {
      name: "dbsyncd_timeline_stable_seconds",
      type: "gauge",
      help: "Seconds since 1970: the date before which all units are final; 0: not known.",
      isSeconds: true,
    },
  },
  finalCause: {
    kind: "text-or-nil",
    help: `what the next final date waits for: ${Object.keys(FINALITY_CAUSES)
      .map((cause) => `\`${cause}\``)
      .join(", ")}; nil: nothing`,
  },
  finalMembers: { kind: "bytes-list", help: "the ids of the members for which it waits" },
  finalDelayedFor: { kind: "number", help: "the time since this last made progress" },
  finalOverdue: {
    kind: "flag",
    help: "whether this has made no progress for longer than is normal, or a member is not connected",
    metric: {
      name: "dbsyncd_timeline_final_overdue",
      type: "gauge",
      help: "1 while the next final date waits for a member that is not connected, or makes no progress for longer than is normal, otherwise 0.",
    },
  },
  started: { kind: "number-or-nil", help: "the date of its start, by its clock at that time" },
  ringEntries: {
    kind: "number",
    help: "the number of recorded envelopes for the key ring",
    metric: {
      name: "dbsyncd_timeline_entries",
      type: "gauge",
      help: "Recorded envelopes: ring (commands about signing keys) or data (all others).",
      labels: { set: "ring" },
    },
  },
  ringSum: { kind: "text", help: 'the sum of the ids of these envelopes, see "Members"' },
  dataEntries: {
    kind: "number",
    help: "the number of all other recorded envelopes",
    metric: {
      name: "dbsyncd_timeline_entries",
      type: "gauge",
      help: "Recorded envelopes: ring (commands about signing keys) or data (all others).",
      labels: { set: "data" },
    },
  },
  dataSum: { kind: "text", help: "the sum of the ids of these envelopes" },
  tailUnits: {
    kind: "number",
    help: "the number of units whose order can still change",
    metric: {
      name: "dbsyncd_timeline_tail_units",
      type: "gauge",
      help: "Units whose order can still change.",
    },
  },
  tailBytes: {
    kind: "number",
    help: "the approximate memory for these units in bytes; limited by `--max-tail-bytes`",
    metric: {
      name: "dbsyncd_timeline_tail_bytes",
      type: "gauge",
      help: "Approximate memory for the units whose order can still change; limited by --max-tail-bytes.",
    },
  },
  redone: {
    kind: "number",
    help: "the number of units that were undone and applied again because earlier ones arrived late",
    metric: {
      name: "dbsyncd_timeline_redone_total",
      type: "counter",
      help: "Units that were undone and applied again because earlier ones arrived late.",
    },
  },
  waiting: {
    kind: "number",
    help: "the number of envelopes that are recorded but not applied",
    metric: {
      name: "dbsyncd_timeline_waiting",
      type: "gauge",
      help: "Envelopes that are recorded but not applied: dated ahead of the clock, late and waiting for their turn, or being applied.",
    },
  },
  bytes: {
    kind: "number",
    help: "the size of the timeline in bytes, on disk or, without `--data`, in memory",
    metric: {
      name: "dbsyncd_timeline_bytes",
      type: "gauge",
      help: "Size of the timeline in bytes, on disk or, without --data, in memory.",
    },
  },
  quarantined: {
    kind: "number",
    help: "the number of envelopes from members that wait for their signer's key",
    metric: {
      name: "dbsyncd_quarantine_entries",
      type: "gauge",
      help: "Envelopes from members that wait for their signer's key.",
    },
  },
  dropped: {
    kind: "number",
    help: "the number of envelopes from members that were dropped because their signer's key did not arrive",
    metric: {
      name: "dbsyncd_quarantine_dropped_total",
      type: "counter",
      help: "Envelopes from members that were dropped because their signer's key did not arrive.",
    },
  },
  decisionsQuarantined: {
    kind: "number",
    help: "the number of decisions from members that wait for the member list that made them",
    metric: {
      name: "dbsyncd_quarantine_decisions",
      type: "gauge",
      help: "Decisions from members that wait for the member list that made them.",
    },
  },
  decisionsDropped: {
    kind: "number",
    help: "the number of decisions from members that were dropped because the member list that made them did not arrive",
    metric: {
      name: "dbsyncd_quarantine_decisions_dropped_total",
      type: "counter",
      help: "Decisions from members that were dropped because the member list that made them did not arrive.",
    },
  },
  lostGroups: {
    kind: "number",
    help: "the number of groups of writes that were acknowledged before the start but are missing from the folder's log",
    metric: {
      name: "dbsyncd_log_groups_lost",
      type: "gauge",
      help: "Groups of writes that were acknowledged before the start but are missing from the folder's log.",
    },
  },
  followersGaps: {
    kind: "number",
    help: "how often clients that follow streams did not wait for a member any longer, because it had not closed its dates in time, since the start",
    metric: {
      name: "dbsyncd_followers_gaps_total",
      type: "counter",
      help: "Times that clients that follow streams did not wait for a member any longer, because it had not closed its dates in time. They may have missed entries.",
    },
  },
  recalls: {
    kind: "number",
    help: "the number of TIMELINE commands that are currently reading the history",
    metric: {
      name: "dbsyncd_timeline_recalls",
      type: "gauge",
      help: "TIMELINE commands that are currently reading the history.",
    },
  },
  snapshotsTaken: {
    kind: "number",
    help: "the number of members' snapshots that replaced its state, since the start",
    metric: {
      name: "dbsyncd_snapshots_taken_total",
      type: "counter",
      help: "Snapshots of members that replaced the daemon's state, because no member stores the missed entries any longer.",
    },
  },
  strays: {
    kind: "number",
    help: "the number of its own envelopes that are missing from these snapshots, or whose keys are missing from them, since the start",
    metric: {
      name: "dbsyncd_strays_total",
      type: "counter",
      help: "Envelopes of this daemon that are lost here, because a member's snapshot that replaced the state does not contain them or their keys.",
    },
  },
  possibleStrays: {
    kind: "number",
    help: "the number of its own envelopes that may be missing from these snapshots",
    metric: {
      name: "dbsyncd_possible_strays_total",
      type: "counter",
      help: "Envelopes of this daemon for which it is not known whether a member's snapshot that replaced the state contains them.",
    },
  },
  deadLetters: {
    kind: "number",
    help: "the number of envelopes that are stored as dead letters and were not written again",
    metric: {
      name: "dbsyncd_dead_letters",
      type: "gauge",
      help: "Envelopes that are stored as dead letters in the data folder and were not written again (dbsync dead-letters).",
    },
  },
  takingFrom: { kind: "text-or-nil", help: "the member from which it is receiving a snapshot" },
  takingBytes: {
    kind: "number",
    help: "the number of bytes of this snapshot that it has received",
    metric: {
      name: "dbsyncd_snapshot_taking_bytes",
      type: "gauge",
      help: "Received bytes of a member's snapshot that will replace the state; 0: none is being received.",
    },
  },
  takingTotal: { kind: "number", help: "the size of this snapshot in bytes; 0: not known yet" },
  order: {
    kind: "text-or-nil",
    help: "the option that would resolve what the members cannot decide by themselves (rule 9)",
  },
  compared: {
    kind: "number",
    help: "the last date whose state was compared with a member's; 0: none",
    metric: {
      name: "dbsyncd_state_compared_seconds",
      type: "gauge",
      help: "Seconds since 1970: the last date whose state was compared with a member's; 0: none.",
      isSeconds: true,
    },
  },
  differing: {
    kind: "list",
    of: DIFFERENCE_FIGURES,
    help: "the keys whose values differ between members, although they have the same envelopes",
    metric: {
      name: "dbsyncd_state_differs",
      type: "gauge",
      help: "Keys whose values differ on a member, although both have the same envelopes; 0 unless something is wrong.",
    },
  },
  invalidIndexes: {
    kind: "list",
    of: INVALID_INDEX_FIGURES,
    help: "the indexes of MongoDB collections that were acknowledged, but are invalid because of writes on another daemon; at most 100",
    metric: {
      name: "dbsyncd_invalid_indexes",
      type: "gauge",
      help: "Acknowledged indexes of MongoDB collections that are invalid because of writes on another daemon; at most 100 are counted.",
    },
  },
  contradicting: {
    kind: "bytes-list",
    help: "the ids of the members that have voted for two decisions in one ballot, since the start",
    metric: {
      name: "dbsyncd_decision_contradicting_members",
      type: "gauge",
      help: "Members that have voted for two decisions in one ballot, since the start; 0 unless a member is broken or lies.",
    },
  },
  missingPromises: {
    kind: "bytes-list",
    help: "the ids of the members that have to answer before it votes in decisions again, because it may have lost promises",
    metric: {
      name: "dbsyncd_decision_promises_missing",
      type: "gauge",
      help: "Members that have to answer before the daemon votes in decisions again, because it may have lost promises; 0 unless something is wrong.",
    },
  },
  undecidedFor: {
    kind: "number",
    help: "for how long the members have made no decision, although units with conditions wait; 0: they decide",
    metric: {
      name: "dbsyncd_decision_undecided_seconds",
      type: "gauge",
      help: "Seconds for which the members have made no decision, although units with conditions wait; 0 unless something is wrong.",
      isSeconds: true,
    },
  },
  undecidedCause: {
    kind: "text-or-nil",
    help: `the reason for this: ${Object.keys(UNDECIDED_CAUSES)
      .map((cause) => `\`${cause}\``)
      .join(", ")}`,
  },
  undecidedMembers: { kind: "bytes-list", help: "the ids of the members to which this reason refers" },
  disturbing: {
    kind: "bytes-list",
    help: "the ids of the members that repeatedly take the right to propose and decide nothing, or object alone",
    metric: {
      name: "dbsyncd_decision_disturbing_members",
      type: "gauge",
      help: "Members that repeatedly prevent decisions; 0 unless a member is cut off, broken or lies.",
    },
  },
  keeperChanges: {
    kind: "number",
    help: "how often it has promised decisions to another member, or to the same one again, since the start: each time, decisions may pause",
    metric: {
      name: "dbsyncd_decision_keeper_changes_total",
      type: "counter",
      help: "Promises of decisions to another member, or to the same one again, since the start; decisions may pause at each.",
    },
  },
  keeper: {
    kind: "text-or-nil",
    help: "the id of the member that may propose decisions, as far as this daemon knows; nil: none may",
  },
  isKeeper: {
    kind: "flag",
    help: "whether it is this daemon",
    metric: {
      name: "dbsyncd_decision_keeper",
      type: "gauge",
      help: "1 if the daemon is the member that may propose decisions, as far as it knows, otherwise 0.",
    },
  },
  decidedSlots: {
    kind: "number",
    help: "the number of the last decision that is part of the state",
    metric: {
      name: "dbsyncd_decision_slots_total",
      type: "counter",
      help: "The number of the last decision that is part of the state: all that the cluster has made.",
    },
  },
  decidedUnits: {
    kind: "number",
    help: "the number of decided units that have become part of the state since the start, and of those that were found in it then",
    metric: {
      name: "dbsyncd_decision_units_total",
      type: "counter",
      help: "Units with conditions on which the members have decided.",
    },
  },
  decidedAt: {
    kind: "number",
    help: "the date of the last decision that is part of the state; 0: none is",
    metric: {
      name: "dbsyncd_decision_last_seconds",
      type: "gauge",
      help: "Date of the last decision that is part of the state, in seconds since 1970; 0: none is.",
      isSeconds: true,
    },
  },
  waitingEnvelopes: {
    kind: "number",
    help: "the number of envelopes with conditional units that wait here for a decision",
    metric: {
      name: "dbsyncd_decision_waiting_envelopes",
      type: "gauge",
      help: "Envelopes with conditional units that wait at the daemon for a decision.",
    },
  },
  waitingKeys: {
    kind: "list",
    of: WAITING_KEY_FIGURES,
    help: "the signing keys with the most waiting envelopes: at most 5",
  },
  mirror: {
    kind: "map",
    of: MIRROR_FIGURES,
    help: "the mirror: the Redis to which the daemon writes its state",
  },
  members: { kind: "list", of: MEMBER_FIGURES, help: "the other daemons" },
} as const satisfies FigureTable;

/**
 * The figures of UPTO: count `:` sum of the entries dated before a full second. If several daemons have published
 * watermarks above that second, their figures are equal.
 */
export const UPTO_FIGURES = {
  upto: { kind: "number", help: "UPTO, rounded down to a second" },
  ringUpto: { kind: "text", help: "the count and the sum of the envelopes for the key ring" },
  dataUpto: { kind: "text", help: "the count and the sum of all other envelopes" },
} as const satisfies FigureTable;

export type TimelineReport = Figures<typeof TIMELINE_FIGURES>;
export type MemberProblem = Figures<typeof MEMBER_PROBLEM_FIGURES>;
export type MemberReport = Figures<typeof MEMBER_FIGURES>;
export type MirrorReport = Figures<typeof MIRROR_FIGURES>;
