/** Formats tables of the reports of daemons on themselves, on their timelines and on their members. */
import type { Stage } from "../../../client/shared/errors.js";
import { fitted, formatHeadedTable } from "../../../daemon/net/terminal/text-table.js";
import {
  bytesCell,
  countCell,
  differenceCell,
  spanCell,
  tripText,
} from "../../../protocol/figures/amount-texts.js";
import { INFO_FIGURES } from "../../../protocol/figures/info-figures.js";
import { addressOf } from "../../../protocol/figures/timeline-problems.js";
import { dateText } from "../../../protocol/version-2/envelope.js";
import type { DaemonFigures, MemberStatus, OrderFigures, TimelineStatus } from "./daemon-figures.js";

/** A column of a table of daemons' reports, with the description that --explain prints. */
export interface Column<Row> {
  readonly head: string;
  /** The description, which follows the head on a line. */
  readonly about: string;
  readonly cell: (row: Row) => string;
}

/** Returns the row of heads and a row of cells for each item. */
export function rowsOf<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string[][] {
  return [columns.map(({ head }) => head), ...rows.map((row) => columns.map(({ cell }) => cell(row)))];
}

/** Formats a value; `-` if it is not known. */
export const cellOf = <Value>(value: Value | null | undefined, format: (value: Value) => string): string =>
  value === null || value === undefined ? "-" : format(value);

/** Number of hexadecimal digits of an id in a sentence. */
const SHORT_DIGITS = 12;
/** Number of hexadecimal digits of an id in a table, so that the table fits a terminal. */
const COLUMN_DIGITS = 8;
/** The state of a daemon that answers but cannot reach its database. */
const NO_DATABASE = "no database";

/** The report of a daemon. Ids are hexadecimal, and times are in milliseconds. Unknown values are null. */
export interface ShownDaemon {
  readonly address: string;
  readonly ok: boolean;
  readonly versions: readonly number[];
  readonly daemon: string | null;
  readonly cluster: string | null;
  /**
   * Whether the daemon's cluster differs from the configured cluster, or from that of most daemons if none is
   * configured.
   */
  readonly clusterDiffers: boolean;
  readonly state: string | null;
  readonly clockDifference: number | null;
  readonly roundTrip: number | null;
  /** The stage at which the greeting failed, or null if it succeeded. */
  readonly stage: Stage | null;
  /** The figures that the daemon reports to administrators, or null if there are none. */
  readonly figures: DaemonFigures | null;
  /** Whether a database of the daemon does not answer. */
  readonly hasNoDatabase: boolean;
}

export const DAEMON_COLUMNS: readonly Column<ShownDaemon>[] = [
  { head: "ADDRESS", about: "address as in the list of servers", cell: ({ address }) => address },
  {
    head: "VERSIONS",
    about: "versions of dbsync's protocol that it speaks",
    cell: ({ versions }) => versions.join(" ") || "-",
  },
  {
    head: "DAEMON",
    about: "the beginning of its id (--json prints all of it)",
    cell: ({ daemon }) => daemon?.slice(0, COLUMN_DIGITS) ?? "-",
  },
  {
    head: "CLUSTER",
    about: "the beginning of its cluster's id; (!): most daemons have another cluster",
    cell: ({ cluster, clusterDiffers }) =>
      `${cluster?.slice(0, COLUMN_DIGITS) ?? "-"}${clusterDiffers ? " (!)" : ""}`,
  },
  {
    head: "STATE",
    about:
      "live, or why it is not (docs/metrics.md), no database, or the stage at which the connection failed",
    cell: (daemon) => stateOf(daemon),
  },
  {
    head: "CLOCK",
    about: "the difference of its clock from this machine's",
    cell: ({ clockDifference }) => cellOf(clockDifference, differenceCell),
  },
  {
    head: "TRIP",
    about: "round-trip time of a request, the fastest of three",
    cell: ({ roundTrip }) => cellOf(roundTrip, tripText),
  },
];

interface ShownFigures {
  readonly address: string;
  readonly figures: DaemonFigures;
}

export const FIGURE_COLUMNS: readonly Column<ShownFigures>[] = [
  { head: "FIGURES OF", about: "the daemon", cell: ({ address }) => address },
  { head: "SOFTWARE", about: INFO_FIGURES.software.help, cell: ({ figures }) => figures.software },
  { head: "UPTIME", about: INFO_FIGURES.uptime.help, cell: ({ figures }) => spanCell(figures.uptime * 1000) },
  {
    head: "KEYS",
    about: INFO_FIGURES.keys.help,
    cell: ({ figures: { keys } }) => cellOf(keys, countCell),
  },
  {
    head: "MEMORY",
    about: INFO_FIGURES.resident.help,
    cell: ({ figures }) => bytesCell(figures.memory.resident),
  },
  {
    head: "CLIENTS",
    about: INFO_FIGURES.clients.help,
    cell: ({ figures }) => countCell(figures.clients),
  },
  {
    head: "ANSWERED",
    about: INFO_FIGURES.commands.help,
    cell: ({ figures }) => countCell(figures.commands),
  },
  {
    head: "REFUSED",
    about: INFO_FIGURES.refusals.help,
    cell: ({ figures }) => countCell(figures.refusals),
  },
];

interface ShownOrder {
  readonly address: string;
  readonly order: OrderFigures;
}

export const ORDER_COLUMNS: readonly Column<ShownOrder>[] = [
  { head: "STREAM OF", about: "the daemon with --order", cell: ({ address }) => address },
  {
    head: "ORDER",
    about: "whether its stream can be read and written",
    cell: ({ order }) => (order.trouble === null ? "connected" : "away"),
  },
  {
    head: "APPLIED",
    about: "number of the stream's last message that it has applied",
    cell: ({ order }) => countCell(order.applied),
  },
  {
    head: "BEHIND",
    about: "messages that it has not applied yet",
    cell: ({ order }) => countCell(order.behind),
  },
  {
    head: "WAITING",
    about: "envelopes that it has sent to the stream and not received from it yet",
    cell: ({ order }) => countCell(order.waiting),
  },
];

/** Formats the tables. @param columns  the maximum width of lines */
export function formatDaemons(daemons: readonly ShownDaemon[], columns: number): string {
  const rows = fitted(rowsOf(DAEMON_COLUMNS, daemons), columns, true);
  const table = formatHeadedTable(rows, (row) => (daemons[row]?.ok ? "plain" : "bad"));

  const reporting = daemons.flatMap(({ address, figures }) =>
    figures === null ? [] : [{ address, figures }],
  );
  if (reporting.length === 0) return table;
  const figures = `${table}\n${formatHeadedTable(fitted(rowsOf(FIGURE_COLUMNS, reporting), columns, true))}`;

  const ordered = reporting.flatMap(({ address, figures: { order } }) =>
    order === null ? [] : [{ address, order }],
  );
  if (ordered.length === 0) return figures;
  const tone = (row: number) => (ordered[row]?.order.trouble === null ? "plain" : "bad");
  return `${figures}\n${formatHeadedTable(fitted(rowsOf(ORDER_COLUMNS, ordered), columns, true), tone)}`;
}

/** Returns a daemon's state in one or two words. */
export function stateOf({ state, stage, hasNoDatabase }: ShownDaemon): string {
  return hasNoDatabase ? NO_DATABASE : (state ?? stage ?? "-");
}

export function short(id: string | null): string {
  return id === null ? "-" : id.slice(0, SHORT_DIGITS);
}

/** Number of shown hexadecimal digits of a fingerprint. */
const SUM_DIGITS = 6;

/** The report of a daemon on its timeline, as a row of the table of timelines shows it. */
export interface ShownTimeline {
  /** The daemon's address. */
  readonly address: string;
  /** The daemon's id, hexadecimal, or null if it is unknown. */
  readonly daemon: string | null;
  /** The state that the daemon reports itself, or null if it is unknown. */
  readonly state: string | null;
  readonly timeline: TimelineStatus;
}

interface TimelineRow extends ShownTimeline {
  readonly held: string;
}

/**
 * Returns the columns of the timelines.
 * @param now  milliseconds since 1970
 * @param hasLists  whether at least one daemon knows a member list
 */
export const timelineColumns = (now: number, hasLists: boolean): readonly Column<TimelineRow>[] => [
  { head: "TIMELINE OF", about: "the daemon", cell: ({ address }) => address },
  {
    head: "ENTRIES",
    about: "envelopes that it has recorded",
    cell: ({ timeline }) => countCell(timeline.entries),
  },
  {
    head: "HELD",
    about:
      "checksum of the entries up to a date that all daemons have passed, equal if they have the same entries; none: no entry is that old; -: no such date yet",
    cell: ({ held }) => held,
  },
  {
    head: "TAIL",
    about: "commands whose position in the order may still change",
    cell: ({ timeline }) => countCell(timeline.tailUnits),
  },
  {
    head: "REDONE",
    about: "commands that were applied again because earlier ones arrived late",
    cell: ({ timeline }) => countCell(timeline.redone),
  },
  {
    head: "WAIT",
    about: "envelopes that are recorded but not applied yet",
    cell: ({ timeline }) => countCell(timeline.waiting),
  },
  {
    head: "DISK",
    about: "size of the entries on the disk; (m): in memory, lost when the process ends",
    cell: ({ timeline }) => `${bytesCell(timeline.bytes)}${timeline.durable ? "" : " (m)"}`,
  },
  {
    head: "NEWEST",
    about: "age of the newest command",
    cell: ({ timeline }) => age(timeline.newest, now),
  },
  {
    head: "FINAL",
    about: "commands older than this can no longer change",
    cell: ({ timeline }) => age(timeline.stable, now),
  },
  ...(hasLists ? [LIST] : []),
];

const LIST: Column<ShownTimeline> = {
  head: "LIST",
  about: "number of its member list (dbsync members); two numbers: the lists conflict",
  cell: ({ timeline: { lists } }) => (lists.length === 0 ? "-" : lists.join("+")),
};

const hasList = ({ timeline }: ShownTimeline): boolean => timeline.lists.length > 0;

/** Returns the columns of the table of decisions. @param now  milliseconds since 1970 */
export const decisionColumns = (now: number): readonly Column<ShownTimeline>[] => [
  { head: "DECISIONS OF", about: "the daemon", cell: ({ address }) => address },
  {
    head: "KEEPER",
    about: "the member that may propose decisions on units with conditions, as far as the daemon knows",
    cell: keeperOf,
  },
  {
    head: "SLOTS",
    about: "number of the last decision: all that the members of lists have made",
    cell: ({ timeline }) => countCell(timeline.decidedSlots),
  },
  {
    head: "UNITS",
    about: "decided units since the daemon's start",
    cell: ({ timeline }) => countCell(timeline.decidedUnits),
  },
  {
    head: "LAST",
    about: "age of the last decision",
    cell: ({ timeline }) => age(timeline.decidedAt, now),
  },
  {
    head: "UNDECIDED",
    about: "envelopes that wait for a decision at the daemon",
    cell: ({ timeline }) => countCell(timeline.waitingEnvelopes),
  },
  {
    head: "OF KEYS",
    about: "the signing keys with the most of these envelopes, and their numbers; at most 5",
    cell: ({ timeline: { waitingKeys } }) =>
      waitingKeys.length === 0
        ? "-"
        : waitingKeys
            .map(({ key, envelopes }) => `${key.slice(0, COLUMN_DIGITS)} ${countCell(envelopes)}`)
            .join(", "),
  },
  {
    head: "BLOCKED BY",
    about: "why units have waited for 10 s or longer; a sentence after the tables explains it",
    cell: ({ timeline }) => timeline.undecidedCause ?? "-",
  },
];

/** Returns the address of the member that may propose decisions; `-`: none may. */
export function keeperOf({ address, timeline: { keeper, isKeeper, members } }: ShownTimeline): string {
  if (keeper === null) return "-";
  return isKeeper ? address : addressOf(keeper, members);
}

/** Returns the timelines whose daemons take part in decisions. */
export const decidingOf = (shown: readonly ShownTimeline[]): readonly ShownTimeline[] =>
  shown.filter(
    ({ timeline: { keeper, decidedAt, waitingEnvelopes } }) =>
      keeper !== null || decidedAt > 0 || waitingEnvelopes > 0,
  );

interface ShownMember {
  readonly address: string;
  readonly member: MemberStatus;
  readonly state: string;
  readonly same: string;
}

/** Returns the members of all daemons that were read. */
export const membersOf = (shown: readonly ShownTimeline[]): readonly ShownMember[] =>
  shown.flatMap(({ address, timeline }) =>
    timeline.members.map((member) => ({
      address,
      member,
      state: stateText(member, shown),
      same: sameText(member, timeline, shown),
    })),
  );

/**
 * Returns the state of a member. If the member was also queried, its own report is used, because the other daemon may
 * not have received the member's current state yet.
 */
function stateText({ id, state }: MemberStatus, shown: readonly ShownTimeline[]): string {
  const own = shown.find(({ daemon }) => id !== null && daemon === id);
  return own?.state ?? state ?? "-";
}

const SAME_ABOUT =
  "whether both have the same entries: yes, no, up to a time of day (newer entries are in flight), or under way (not known yet)";

/**
 * Returns a cell that says whether a member has the same entries as a daemon; `-`: unknown. While clients write, the
 * newest entries are still in flight between daemons, so only entries up to a date that both have passed are compared.
 * @param own  the daemon's timeline
 * @param shown  all timelines that were read, which may include the member's
 */
export function sameText(
  { id, equal, connection }: MemberStatus,
  own: TimelineStatus,
  shown: readonly ShownTimeline[],
): string {
  if (equal === null || connection !== "connected") return "-";
  if (id !== null && own.differing.some(({ members }) => members.includes(id))) return "no";
  if (equal) return "yes";
  const other = shown.find(({ daemon }) => id !== null && daemon === id)?.timeline;
  if (own.settledUpto === null || other?.settledUpto !== own.settledUpto) return "under way";
  if (other.settledFingerprint === own.settledFingerprint)
    return `to ${dateText(own.settledUpto).slice(...TIME_OF_DAY)}Z`;
  return [own, other].some(({ state }) => state === "catching-up") ? "under way" : "no";
}

/** The range of the time of day in a date as `dateText` formats it. */
const TIME_OF_DAY = [11, 19] as const;

/**
 * Returns the first digits of the checksum of a daemon's entries up to the compared date. In the first half minute
 * there is no such date. In that case it returns the first digits of the checksum of all entries if this checksum is
 * the same on all daemons, and otherwise `-`, because the difference may only be due to entries in flight.
 */
function heldText(
  { settledFingerprint, fingerprint }: TimelineStatus,
  shown: readonly ShownTimeline[],
): string {
  if (settledFingerprint !== null) return shortSum(settledFingerprint.replace(/^\d+:/, ""));
  const isShared = shown.every(({ timeline }) => timeline.fingerprint === fingerprint);
  return isShared ? shortSum(fingerprint) : "-";
}

/** Returns the first digits of a checksum, or `none` if it is the sum of no entries. */
const shortSum = (sum: string): string => (/^0{64}/.test(sum) ? "none" : sum.slice(0, SUM_DIGITS));

const isAway = ({ member: { connection } }: ShownMember): boolean =>
  connection !== "connected" && connection !== "self";

export const MEMBER_COLUMNS: readonly Column<ShownMember>[] = [
  { head: "SEEN BY", about: "the daemon that reports", cell: ({ address }) => address },
  { head: "MEMBER", about: "a member of its cluster", cell: ({ member }) => member.address },
  {
    head: "STATE",
    about: "the state that the member reports; otherwise connecting, waiting (for the next attempt) or self",
    cell: ({ member: { connection }, state }) => (connection === "connected" ? state : connection),
  },
  {
    head: "CLOCK",
    about: "the difference of the member's clock from the daemon's",
    cell: ({ member: { skew } }) => cellOf(skew, inMilliseconds),
  },
  {
    head: "TRIP",
    about: "round-trip time to the member",
    cell: ({ member: { roundTrip } }) => cellOf(roundTrip, inMilliseconds),
  },
  {
    head: "LAG",
    about: "envelopes in flight between the two",
    cell: ({ member: { lag, behind } }) => countCell(lag + behind),
  },
  {
    head: "SAME",
    about: SAME_ABOUT,
    cell: ({ same }) => same,
  },
];

/** Formats the tables. @param now  milliseconds since 1970 @param columns  the maximum width of lines */
export function formatTimelines(shown: readonly ShownTimeline[], now: number, columns: number): string {
  if (shown.length === 0) return "";
  const held = shown.map((one) => ({ ...one, held: heldText(one.timeline, shown) }));
  const timelines = rowsOf(timelineColumns(now, shown.some(hasList)), held);
  const deciding = rowsOf(decisionColumns(now), decidingOf(shown));
  const decisions = deciding.length === 1 ? "" : `\n${formatHeadedTable(fitted(deciding, columns, true))}`;
  const table = `${formatHeadedTable(fitted(timelines, columns, true))}${decisions}`;
  const members = membersOf(shown);
  if (members.length === 0) return `\n${table}`;
  const rows = fitted(rowsOf(MEMBER_COLUMNS, members), columns, true);
  const toneOf = (row: number) => (isAway(members[row] as ShownMember) ? "bad" : "plain");
  return `\n${table}\n${formatHeadedTable(rows, toneOf)}`;
}

const inMilliseconds = (time: number): string => `${time} ms`;

/** Formats the age of a date, such as `12 s`; `-` if the date is unknown. */
function age(at: number, now: number): string {
  if (at === 0) return "-";
  const seconds = Math.round((now - at) / 1000);
  return seconds < 0 ? `in ${-seconds} s` : spanCell(seconds * 1000);
}
