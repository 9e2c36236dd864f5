/**
 * The figures of a daemon in INFO dbsync, which dbsync status and dbsync top show. Times are in seconds unless the name
 * of the field contains usec; sizes are in bytes.
 */
import type { Figures, PlainFigure } from "./figure.js";

interface InfoFigure extends PlainFigure {
  /** The name in INFO. The field is absent if the figure is nil. */
  readonly field: string;
}

type InfoTable = Readonly<Record<string, InfoFigure>>;

/** The figures of the daemon's state, which Redis clients also receive. */
export const STATE_FIGURES = {
  state: { field: "dbsync_state", kind: "text", help: "its state" },
  writes: { field: "dbsync_writes", kind: "text", help: "the refusal that writes receive, or `accepted`" },
  reason: { field: "dbsync_reason", kind: "text-or-nil", help: "the reason for its state" },
  members: { field: "dbsync_members", kind: "number-or-nil", help: "connected members" },
} as const satisfies InfoTable;

export const INFO_FIGURES = {
  software: { field: "dbsync_version", kind: "text", help: "the version of its program" },
  node: { field: "node_version", kind: "text", help: "the version of Node" },
  ...STATE_FIGURES,
  uptime: { field: "uptime_in_seconds", kind: "number", help: "time since its start" },
  clients: {
    field: "connected_clients",
    kind: "number",
    help: "connections of all its listeners, including this one",
  },
  commands: { field: "total_commands_processed", kind: "number", help: "commands answered since the start" },
  errors: { field: "total_error_replies", kind: "number", help: "answers since the start that were errors" },
  refusals: {
    field: "dbsync_refusals",
    kind: "number",
    help: "refused requests and refused connections since the start; its log has the reasons",
  },
  followersGaps: {
    field: "dbsync_followers_gaps",
    kind: "number-or-nil",
    help: "how often clients that follow streams did not wait for a member any longer; see dbsyncd_followers_gaps_total",
  },
  decisions: {
    field: "dbsync_decisions",
    kind: "text-or-nil",
    help: "decisions of the members, as pairs: whether this daemon is the keeper, the number of the last slot, decided units, waiting envelopes, and milliseconds since the last decision; -: there was none",
  },
  undecided: {
    field: "dbsync_undecided",
    kind: "text-or-nil",
    help: "why the members have made no decision for some time although one is required, as undecided-cause of TIMELINE STATUS; -: they have",
  },
  master: {
    field: "dbsync_sentinel_master",
    kind: "text-or-nil",
    help: "the address for Redis clients of the daemon that sentinels name as the master; -: there is no sentinel, or it names none",
  },
  keys: {
    field: "dbsync_keys",
    kind: "number-or-nil",
    help: "keys in all its databases; -: unknown, stored in the backend",
  },
  used: { field: "used_memory", kind: "number", help: "memory in use" },
  resident: { field: "used_memory_rss", kind: "number", help: "memory of its process" },
  limit: { field: "maxmemory", kind: "number", help: "limit of the memory in use; 0: none" },
  order: { field: "dbsync_order", kind: "text-or-nil", help: "counts of the stream, as pairs" },
  orderTrouble: {
    field: "dbsync_order_trouble",
    kind: "text-or-nil",
    help: "why the stream can be neither read nor written",
  },
  lowDisk: {
    field: "dbsync_disk_low",
    kind: "text-or-nil",
    help: "the space on the disk of the data folder if that disk is nearly full, as pairs",
  },
  answers: { field: "dbsync_answered", kind: "number", help: "answers whose durations were measured" },
  answerTime: {
    field: "dbsync_answered_usec",
    kind: "number",
    help: "the sum of these durations in microseconds",
  },
  times: {
    field: "dbsync_answered_usec_buckets",
    kind: "text",
    help: "answers by maximum duration in microseconds, as pairs; `more`: longer than the last maximum",
  },
} as const satisfies InfoTable;

export type InfoFigures = Figures<typeof INFO_FIGURES>;

/** Returns the fields of INFO, in the table's order. */
export function infoFields<Table extends InfoTable>(
  table: Table,
  figures: Figures<Table>,
): Readonly<Record<string, string | number>> {
  const values = figures as Readonly<Record<string, string | number | null>>;
  return Object.fromEntries(
    Object.entries(table).flatMap(([name, { field }]) => {
      const value = values[name] ?? null;
      return value === null ? [] : [[field, value]];
    }),
  );
}

/** Formats pairs of names and counts, such as `applied=12,behind=0`. */
export const pairsText = (pairs: Iterable<readonly [string, number]>): string =>
  [...pairs].map(([name, count]) => `${name}=${count}`).join(",");

/** Parses such pairs, and skips other parts. The time is proportional to the length of the text. */
export const pairsOf = (text: string): readonly (readonly [string, number])[] =>
  text.split(",").flatMap((part): [string, number][] => {
    const [, name = "", count] = /^([^=]+)=(\d+)$/.exec(part) ?? [];
    return count === undefined ? [] : [[name, Number(count)]];
  });
