/**
 * The figures of TIMELINE STATUS. `dbsync status` reads them by this table, /metrics shows those that have a metric, and
 * docs/protocol-v2.md lists all. Dates are milliseconds since 1970, hashes and ids hexadecimal.
 */
import type { Figures, FigureTable } from "./figure.js";

/** A member as one daemon sees it. Spans are milliseconds; nil: not known. */
export const MEMBER_FIGURES = {
  address: {
    kind: "text",
    help: "as in `--peer`, or where it connected from; empty: no address leads to it",
  },
  id: { kind: "text-or-nil", help: "its id" },
  listed: { kind: "flag-or-nil", help: "whether the list of members names it; nil: there is no list" },
  connection: {
    kind: "text",
    help: "`connected`, `connecting`, `waiting` (for the next attempt), or `self`: the address is this daemon's own",
  },
  trouble: { kind: "text-or-nil", help: "why it is not connected" },
  state: { kind: "text-or-nil", help: "its state, as in `hello`" },
  skewed: { kind: "flag", help: "whether it finds that its own clock is off" },
  connectedSince: { kind: "number-or-nil", help: "how long it has been connected" },
  roundTrip: {
    kind: "number-or-nil",
    help: "time from a message to its answer",
    metric: {
      name: "dbsyncd_member_round_trip_seconds",
      type: "gauge",
      help: "Time from a message to the member until its answer.",
      isSeconds: true,
    },
  },
  skew: {
    kind: "number-or-nil",
    help: "its clock less this daemon's",
    metric: {
      name: "dbsyncd_member_skew_seconds",
      type: "gauge",
      help: "The member's clock less this daemon's.",
      isSeconds: true,
    },
  },
  watermark: {
    kind: "number-or-nil",
    help: "it accepts nothing dated at or before it from clients",
    metric: {
      name: "dbsyncd_member_watermark_seconds",
      type: "gauge",
      help: "Seconds since 1970: the member accepts no envelopes from clients dated at or before it.",
      isSeconds: true,
    },
  },
  prunedTo: { kind: "number-or-nil", help: "it keeps no envelope dated at or before it; 0: it keeps all" },
  lacking: { kind: "flag", help: "whether it has pruned envelopes that this daemon misses" },
  entries: { kind: "number-or-nil", help: "envelopes that it holds" },
  equal: {
    kind: "flag-or-nil",
    help: "whether it held the same as this daemon when last seen, and both had it in their states",
    metric: {
      name: "dbsyncd_member_equal",
      type: "gauge",
      help: "1 if the member held the same as this daemon when last seen, and both had it in their states, otherwise 0.",
    },
  },
  lag: {
    kind: "number",
    help: "envelopes requested from it that have not come",
    metric: {
      name: "dbsyncd_member_lag_entries",
      type: "gauge",
      help: "Envelopes that were requested from the member and have not arrived.",
    },
  },
  behind: {
    kind: "number",
    help: "envelopes on their way to it, roughly",
    metric: {
      name: "dbsyncd_member_behind_entries",
      type: "gauge",
      help: "Approximate number of envelopes that are in flight to the member, or wait for it.",
    },
  },
  lastHeard: { kind: "number-or-nil", help: "time since its last message" },
  refusals: {
    kind: "number",
    help: "envelopes of it that were refused on this connection",
    metric: {
      name: "dbsyncd_member_refused_entries",
      type: "gauge",
      help: "Envelopes of the member that were refused on this connection; 0 unless something is wrong.",
    },
  },
  software: { kind: "text-or-nil", help: "the version of its program, as it reports" },
  pagePort: { kind: "number", help: "the port of its `--admin`, as it reports; 0: none" },
  pageLocal: { kind: "flag", help: "whether only its own machine reaches that port, as it reports" },
  diskFree: {
    kind: "number-or-nil",
    help: "free bytes of the file system of its data folder, as it reports",
    metric: {
      name: "dbsyncd_member_disk_free_bytes",
      type: "gauge",
      help: "Free bytes of the file system of the member's data folder, as it reports.",
    },
  },
  diskSize: { kind: "number-or-nil", help: "all bytes of that file system, as it reports" },
  problems: {
    kind: "bytes-list",
    help: "what it finds wrong with itself, as it reports: 8 sentences at most",
  },
} as const satisfies FigureTable;

/** A key that members hold differently, though they hold the same envelopes. */
export const DIFFERENCE_FIGURES = {
  db: { kind: "number", help: "the database" },
  key: { kind: "bytes", help: "the key" },
  verdict: { kind: "text", help: "whose state is wrong: `own`, `member`, or `unclear`" },
  members: { kind: "bytes-list", help: "ids of the members that hold something else" },
} as const satisfies FigureTable;

/** The Redis that follows the fold. Counts are since the start. */
export const MIRROR_FIGURES = {
  redis: { kind: "text", help: "its address, without a password" },
  state: { kind: "text", help: "`connecting`, `refused`, `comparing`, `behind` or `level`" },
  trouble: { kind: "text-or-nil", help: "why it is not written to" },
  level: { kind: "number", help: "the date up to which it has everything" },
  dirty: {
    kind: "number",
    help: "keys that wait to be written",
    metric: {
      name: "dbsyncd_mirror_dirty_keys",
      type: "gauge",
      help: "Keys that wait to be written to the mirror; bounded by --mirror-keys.",
    },
  },
  written: {
    kind: "number",
    help: "keys that were written or removed",
    metric: {
      name: "dbsyncd_mirror_written_keys_total",
      type: "counter",
      help: "Keys that were written to the mirror, or removed from it.",
    },
  },
  refused: {
    kind: "number",
    help: "keys that it did not take",
    metric: {
      name: "dbsyncd_mirror_refused_keys_total",
      type: "counter",
      help: "Keys that the mirror refused; the log states the reason.",
    },
  },
  foreign: {
    kind: "number",
    help: "keys that other programs changed in it, and that were written again",
    metric: {
      name: "dbsyncd_mirror_foreign_keys_total",
      type: "counter",
      help: "Keys that other programs changed in the mirror and the daemon wrote again; 0 unless something is wrong.",
    },
  },
  different: {
    kind: "number",
    help: "keys that comparisons found different, and that were written again",
    metric: {
      name: "dbsyncd_mirror_different_keys_total",
      type: "counter",
      help: "Keys that comparisons found different in the mirror, and that were written again.",
    },
  },
  comparing: { kind: "number", help: "the number of the comparison under way; 0: none" },
  comparingWhy: { kind: "text-or-nil", help: "why it is made" },
  checked: { kind: "number", help: "keys that it has checked" },
  total: { kind: "number", help: "keys that it has to check" },
  compared: { kind: "number", help: "the number of the last comparison that ended; 0: none" },
  comparedAt: { kind: "number", help: "when it ended" },
  comparedKeys: { kind: "number", help: "keys that it checked" },
  comparedDifferent: { kind: "number", help: "keys that it found different" },
  comparedFirst: { kind: "bytes-list", help: "the first of these" },
} as const satisfies FigureTable;

/** The timeline of a daemon, and its members. */
export const TIMELINE_FIGURES = {
  state: { kind: "text", help: "as in `hello`" },
  failure: {
    kind: "text-or-nil",
    help: "why nothing is accepted any more: the disk has failed",
    metric: {
      name: "dbsyncd_timeline_failed",
      type: "gauge",
      help: "1 after the disk has failed and the daemon accepts no more writes, otherwise 0.",
    },
  },
  semantics: { kind: "number", help: "the version of what commands mean, after all that is applied" },
  standstill: { kind: "text-or-nil", help: "why nothing is applied any more from a date on" },
  revoked: { kind: "text-or-nil", help: "the daemon that reported that this daemon's own key was revoked" },
  unlisted: { kind: "text-or-nil", help: "why it is no member of the list" },
  authorize: {
    kind: "text-or-nil",
    help: "the `CLUSTER ADD` that its own key needs to sign for clients without keys",
  },
  list: {
    kind: "text-or-nil",
    help: "numbers of the lists of members that it knows; several: they exclude each other",
  },
  listHash: { kind: "text-or-nil", help: "the hash of the first of them" },
  joining: { kind: "flag", help: "whether a list has added it, and no live member has answered it yet" },
  skewed: {
    kind: "flag",
    help: "whether its clock is off, so that it accepts nothing from clients",
    metric: {
      name: "dbsyncd_clock_skewed",
      type: "gauge",
      help: "1 while this machine's clock differs from the members' clocks and the daemon accepts no writes from clients, otherwise 0.",
    },
  },
  durable: { kind: "flag", help: "whether the timeline outlives the process" },
  diskFree: {
    kind: "number-or-nil",
    help: "free bytes of the file system of the data folder; nil: not known",
    metric: {
      name: "dbsyncd_disk_free_bytes",
      type: "gauge",
      help: "Free bytes of the file system of the data folder.",
    },
  },
  diskSize: { kind: "number-or-nil", help: "all bytes of that file system" },
  diskLow: {
    kind: "flag",
    help: "whether fewer bytes of it are free than `--min-disk-free`",
    metric: {
      name: "dbsyncd_disk_low",
      type: "gauge",
      help: "1 while fewer bytes of that file system are free than --min-disk-free, otherwise 0.",
    },
  },
  watermark: { kind: "number", help: "nothing dated at or before it is accepted from clients" },
  published: {
    kind: "number",
    help: "the watermark as it is on disk",
    metric: {
      name: "dbsyncd_timeline_watermark_seconds",
      type: "gauge",
      help: "Seconds since 1970: nothing dated at or before it is accepted from clients.",
      isSeconds: true,
    },
  },
  newest: {
    kind: "number",
    help: "date of the newest envelope that is applied",
    metric: {
      name: "dbsyncd_timeline_newest_seconds",
      type: "gauge",
      help: "Date of the newest applied envelope, in seconds since 1970.",
      isSeconds: true,
    },
  },
  stable: {
    kind: "number",
    help: "everything dated before it is final; 0: not known",
    metric: {
      name: "dbsyncd_timeline_stable_seconds",
      type: "gauge",
      help: "Seconds since 1970: everything dated before it is final; 0: not known.",
      isSeconds: true,
    },
  },
  started: { kind: "number-or-nil", help: "when it was started, by its clock then" },
  ringEntries: {
    kind: "number",
    help: "recorded envelopes on keys",
    metric: {
      name: "dbsyncd_timeline_entries",
      type: "gauge",
      help: "Recorded envelopes: ring (commands about signing keys) or data (all others).",
      labels: { set: "ring" },
    },
  },
  ringSum: { kind: "text", help: 'the sum of their ids, as in "Members"' },
  dataEntries: {
    kind: "number",
    help: "all other recorded envelopes",
    metric: {
      name: "dbsyncd_timeline_entries",
      type: "gauge",
      help: "Recorded envelopes: ring (commands about signing keys) or data (all others).",
      labels: { set: "data" },
    },
  },
  dataSum: { kind: "text", help: "the sum of their ids" },
  tailUnits: {
    kind: "number",
    help: "units that can still be put in another order",
    metric: {
      name: "dbsyncd_timeline_tail_units",
      type: "gauge",
      help: "Units whose order can still change.",
    },
  },
  tailBytes: {
    kind: "number",
    help: "memory kept for that, roughly; bounded by `--max-tail-bytes`",
    metric: {
      name: "dbsyncd_timeline_tail_bytes",
      type: "gauge",
      help: "Approximate memory for these units; limited by --max-tail-bytes.",
    },
  },
  redone: {
    kind: "number",
    help: "units that were undone and applied again because earlier ones came late",
    metric: {
      name: "dbsyncd_timeline_redone_total",
      type: "counter",
      help: "Units that were undone and applied again because earlier ones arrived late.",
    },
  },
  waiting: {
    kind: "number",
    help: "envelopes that are recorded and not applied",
    metric: {
      name: "dbsyncd_timeline_waiting",
      type: "gauge",
      help: "Envelopes that are recorded and not applied: dated ahead of the clock, or late and waiting for their turn, or being folded in.",
    },
  },
  bytes: {
    kind: "number",
    help: "bytes of the timeline, on disk or, without `--data`, in memory",
    metric: {
      name: "dbsyncd_timeline_bytes",
      type: "gauge",
      help: "Bytes of the timeline, on disk or, without --data, in memory.",
    },
  },
  quarantined: {
    kind: "number",
    help: "envelopes from members that wait for their signer's key",
    metric: {
      name: "dbsyncd_quarantine_entries",
      type: "gauge",
      help: "Envelopes from members that wait for their signer's key.",
    },
  },
  dropped: {
    kind: "number",
    help: "envelopes from members that were dropped because that key did not come",
    metric: {
      name: "dbsyncd_quarantine_dropped_total",
      type: "counter",
      help: "Envelopes from members that were dropped because their signer's key did not come.",
    },
  },
  lostGroups: {
    kind: "number",
    help: "groups of writes that were safe before the start, and were not in the folder's log",
    metric: {
      name: "dbsyncd_log_groups_lost",
      type: "gauge",
      help: "Groups of writes that were on the disk before the start, but are missing from the folder's log.",
    },
  },
  recalls: {
    kind: "number",
    help: "TIMELINE commands that read the past at the moment",
    metric: {
      name: "dbsyncd_timeline_recalls",
      type: "gauge",
      help: "TIMELINE commands that are reading the past.",
    },
  },
  snapshotsTaken: {
    kind: "number",
    help: "snapshots of members that replaced its state, since the start",
    metric: {
      name: "dbsyncd_snapshots_taken_total",
      type: "counter",
      help: "Snapshots of members that replaced the daemon's state, because no member stores the missed entries any longer.",
    },
  },
  strays: {
    kind: "number",
    help: "own envelopes that these do not contain, or whose keys they miss, since the start",
    metric: {
      name: "dbsyncd_strays_total",
      type: "counter",
      help: "Envelopes of this daemon that are lost here because such a snapshot does not contain them or their keys.",
    },
  },
  possibleStrays: {
    kind: "number",
    help: "own envelopes of which that is not known",
    metric: {
      name: "dbsyncd_possible_strays_total",
      type: "counter",
      help: "Envelopes of this daemon that such a snapshot may or may not contain.",
    },
  },
  deadLetters: {
    kind: "number",
    help: "envelopes that are kept as dead letters, and were not written again",
    metric: {
      name: "dbsyncd_dead_letters",
      type: "gauge",
      help: "Dead letters in the data folder that were not written again (dbsync dead-letters).",
    },
  },
  takingFrom: { kind: "text-or-nil", help: "the member whose snapshot is on its way" },
  takingBytes: {
    kind: "number",
    help: "bytes of it that have come",
    metric: {
      name: "dbsyncd_snapshot_taking_bytes",
      type: "gauge",
      help: "Received bytes of such a snapshot; 0: none is being transferred.",
    },
  },
  takingTotal: { kind: "number", help: "its bytes; 0: not known yet" },
  order: { kind: "text-or-nil", help: "the option that would settle what members cannot (rule 9)" },
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
    help: "keys that members hold differently, though they hold the same envelopes",
    metric: {
      name: "dbsyncd_state_differs",
      type: "gauge",
      help: "Keys that a member holds differently, though both hold the same envelopes; 0 unless something is wrong.",
    },
  },
  mirror: { kind: "map", of: MIRROR_FIGURES, help: "the Redis that follows the fold" },
  members: { kind: "list", of: MEMBER_FIGURES, help: "the other daemons" },
} as const satisfies FigureTable;

/**
 * The figures of UPTO: count `:` sum of the entries dated before a whole second. Equal on daemons that have published a watermark above it.
 */
export const UPTO_FIGURES = {
  upto: { kind: "number", help: "the second" },
  ringUpto: { kind: "text", help: "envelopes on keys" },
  dataUpto: { kind: "text", help: "all other entries" },
} as const satisfies FigureTable;

export type TimelineReport = Figures<typeof TIMELINE_FIGURES>;
export type MemberReport = Figures<typeof MEMBER_FIGURES>;
export type MirrorReport = Figures<typeof MIRROR_FIGURES>;
