/** Tables of timelines and members, for people. */

import { fitted, formatHeadedTable } from "../../net/terminal/table.js";
import { bytesText, countText, spanText } from "../shared/amounts.js";
import { type Column, rowsOf } from "../shared/column.js";
import type { MemberStatus, TimelineStatus } from "./timeline-status.js";

/** Hexadecimal digits of a fingerprint. */
const SHORT_DIGITS = 6;

export interface ShownTimeline {
  /** Of the daemon. */
  readonly address: string;
  readonly timeline: TimelineStatus;
}

/** @param now  milliseconds since 1970 @param hasLists  whether any daemon knows a list of members */
export const timelineColumns = (now: number, hasLists: boolean): readonly Column<ShownTimeline>[] => [
  { head: "TIMELINE OF", about: "the daemon", cell: ({ address }) => address },
  {
    head: "ENTRIES",
    about: "envelopes that it has recorded",
    cell: ({ timeline }) => countText(timeline.entries),
  },
  {
    head: "HELD",
    about: "the same where the same is held",
    cell: ({ timeline }) => timeline.fingerprint.slice(0, SHORT_DIGITS),
  },
  {
    head: "TAIL",
    about: "commands that may still come to stand elsewhere in the order",
    cell: ({ timeline }) => countText(timeline.tailUnits),
  },
  {
    head: "REDONE",
    about: "commands that were done again as others came late",
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
  about: "number of the list of members that it goes by (dbsync members); two stand beside each other",
  cell: ({ timeline: { lists } }) => (lists.length === 0 ? "-" : lists.join("+")),
};

const hasList = ({ timeline }: ShownTimeline): boolean => timeline.lists.length > 0;

interface ShownMember {
  readonly address: string;
  readonly member: MemberStatus;
}

const isAway = ({ member: { connection } }: ShownMember): boolean =>
  connection !== "connected" && connection !== "self";

export const MEMBER_COLUMNS: readonly Column<ShownMember>[] = [
  { head: "SEEN BY", about: "the daemon that tells", cell: ({ address }) => address },
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
    about: "whether it held the same when it was heard last",
    cell: ({ member: { equal } }) => (equal === null ? "-" : equal ? "yes" : "no"),
  },
];

/** @param now  milliseconds since 1970 @param columns  how wide lines may be */
export function formatTimelines(shown: readonly ShownTimeline[], now: number, columns: number): string {
  if (shown.length === 0) return "";
  const table = formatHeadedTable(fitted(rowsOf(timelineColumns(now, shown.some(hasList)), shown), columns));
  const members = shown.flatMap(({ address, timeline }) =>
    timeline.members.map((member) => ({ address, member })),
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
