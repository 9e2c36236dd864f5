/** Formats tables of timelines and members for users. */

import { fitted, formatHeadedTable } from "../../net/terminal/table.js";
import { dateText } from "../../protocol/version-2/envelope.js";
import { bytesText, countText, spanText } from "../shared/amounts.js";
import { type Column, rowsOf } from "../shared/column.js";
import type { MemberStatus, TimelineStatus } from "./timeline-status.js";

/** Hexadecimal digits of a fingerprint. */
const SHORT_DIGITS = 6;

export interface ShownTimeline {
  /** The daemon's address. */
  readonly address: string;
  /** The daemon's id, hexadecimal; null: not known. */
  readonly daemon: string | null;
  readonly timeline: TimelineStatus;
}

interface TimelineRow extends ShownTimeline {
  readonly held: string;
}

/** @param now  milliseconds since 1970 @param hasLists  whether any daemon knows a list of members */
export const timelineColumns = (now: number, hasLists: boolean): readonly Column<TimelineRow>[] => [
  { head: "TIMELINE OF", about: "the daemon", cell: ({ address }) => address },
  {
    head: "ENTRIES",
    about: "envelopes that it has recorded",
    cell: ({ timeline }) => countText(timeline.entries),
  },
  {
    head: "HELD",
    about:
      "a sum of them up to a date that all daemons have passed: the same for all that hold the same; -: none yet",
    cell: ({ held }) => held,
  },
  {
    head: "TAIL",
    about: "commands whose position in the order may still change",
    cell: ({ timeline }) => countText(timeline.tailUnits),
  },
  {
    head: "REDONE",
    about: "commands that were applied again because earlier ones came late",
    cell: ({ timeline }) => countText(timeline.redone),
  },
  {
    head: "WAIT",
    about: "envelopes that are recorded and not yet applied",
    cell: ({ timeline }) => countText(timeline.waiting),
  },
  {
    head: "DISK",
    about: "that they take; (m): of memory, nothing outlives the process",
    cell: ({ timeline }) => `${bytesText(timeline.bytes)}${timeline.durable ? "" : " (m)"}`,
  },
  {
    head: "NEWEST",
    about: "how long ago the newest command is dated",
    cell: ({ timeline }) => age(timeline.newest, now),
  },
  {
    head: "FINAL",
    about: "nothing older than this can change any more",
    cell: ({ timeline }) => age(timeline.stable, now),
  },
  ...(hasLists ? [LIST] : []),
];

const LIST: Column<ShownTimeline> = {
  head: "LIST",
  about: "number of its member list (dbsync members); two exclude each other",
  cell: ({ timeline: { lists } }) => (lists.length === 0 ? "-" : lists.join("+")),
};

const hasList = ({ timeline }: ShownTimeline): boolean => timeline.lists.length > 0;

interface ShownMember {
  readonly address: string;
  readonly member: MemberStatus;
  readonly same: string;
}

const SAME_ABOUT =
  "whether both hold the same: yes, no, up to a date (newer writes are on their way), or under way";

/**
 * Returns whether a member holds the same as a daemon, for a column; `-`: not known. While clients write, the newest writes of each are
 * still on their way to the other, so that only what is dated before a moment that both have passed can be compared.
 * @param own  the daemon's timeline @param shown  all timelines that were read, the member's perhaps
 */
export function sameText(
  { id, equal, connection }: MemberStatus,
  own: TimelineStatus,
  shown: readonly ShownTimeline[],
): string {
  if (equal === null || connection !== "connected") return "-";
  if (id !== null && own.differing.some(({ members }) => members.includes(id))) return "no";
  if (equal) return "yes";
  const theirs = shown.find(({ daemon }) => id !== null && daemon === id)?.timeline;
  if (own.settledUpto === null || theirs?.settledUpto !== own.settledUpto) return "under way";
  if (theirs.settledFingerprint === own.settledFingerprint)
    return `to ${dateText(own.settledUpto).slice(...TIME_OF_DAY)}Z`;
  return [own, theirs].some(({ state }) => state === "catching-up") ? "under way" : "no";
}

/** The range of the time of day in a date as `dateText` writes it. */
const TIME_OF_DAY = [11, 19] as const;

/**
 * Returns the first digits of the sum of what a daemon holds, up to the date that was compared. Where there is none, as in the first half
 * minute, only equal sums of everything say anything: the newest writes are on their way between daemons.
 */
function heldText(
  { settledFingerprint, fingerprint }: TimelineStatus,
  shown: readonly ShownTimeline[],
): string {
  if (settledFingerprint !== null) return settledFingerprint.replace(/^\d+:/, "").slice(0, SHORT_DIGITS);
  const isShared = shown.every(({ timeline }) => timeline.fingerprint === fingerprint);
  return isShared ? fingerprint.slice(0, SHORT_DIGITS) : "-";
}

const isAway = ({ member: { connection } }: ShownMember): boolean =>
  connection !== "connected" && connection !== "self";

export const MEMBER_COLUMNS: readonly Column<ShownMember>[] = [
  { head: "SEEN BY", about: "the daemon that reports", cell: ({ address }) => address },
  { head: "MEMBER", about: "another one of its cluster", cell: ({ member }) => member.address },
  {
    head: "STATE",
    about: "what the member says, or connecting, waiting (for the next attempt), self",
    cell: ({ member: { connection, state } }) => (connection === "connected" ? (state ?? "-") : connection),
  },
  {
    head: "CLOCK",
    about: "the member's less the daemon's",
    cell: ({ member: { skew } }) => milliseconds(skew),
  },
  {
    head: "TRIP",
    about: "from a word to the member until its answer",
    cell: ({ member: { roundTrip } }) => milliseconds(roundTrip),
  },
  {
    head: "LAG",
    about: "envelopes that are on their way between the two",
    cell: ({ member: { lag, behind } }) => countText(lag + behind),
  },
  {
    head: "SAME",
    about: SAME_ABOUT,
    cell: ({ same }) => same,
  },
];

/** @param now  milliseconds since 1970 @param columns  how wide lines may be */
export function formatTimelines(shown: readonly ShownTimeline[], now: number, columns: number): string {
  if (shown.length === 0) return "";
  const held = shown.map((one) => ({ ...one, held: heldText(one.timeline, shown) }));
  const table = formatHeadedTable(fitted(rowsOf(timelineColumns(now, shown.some(hasList)), held), columns));
  const members = shown.flatMap(({ address, timeline }) =>
    timeline.members.map((member) => ({ address, member, same: sameText(member, timeline, shown) })),
  );
  if (members.length === 0) return `\n${table}`;
  const rows = fitted(rowsOf(MEMBER_COLUMNS, members), columns);
  const toneOf = (row: number) => (isAway(members[row] as ShownMember) ? "bad" : "plain");
  return `\n${table}\n${formatHeadedTable(rows, toneOf)}`;
}

const milliseconds = (value: number | null): string => (value === null ? "-" : `${value} ms`);

/** `12 s`; `-` for a date that is not known. */
function age(at: number, now: number): string {
  if (at === 0) return "-";
  const seconds = Math.round((now - at) / 1000);
  return seconds < 0 ? `in ${-seconds} s` : spanText(seconds);
}
