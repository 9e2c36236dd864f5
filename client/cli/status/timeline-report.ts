/** Tables of timelines and members, for people. */
import { formatTable } from "../shared/table.js";
import type { TimelineStatus } from "./timeline-status.js";

/** Hexadecimal digits of a fingerprint. */
const SHORT_DIGITS = 8;
const UNITS = ["B", "KB", "MB", "GB", "TB"];

export interface ShownTimeline {
  /** Of the daemon. */
  readonly address: string;
  readonly timeline: TimelineStatus;
}

/** @param now  milliseconds since 1970 */
export function formatTimelines(shown: readonly ShownTimeline[], now: number): string {
  if (shown.length === 0) return "";
  const head = [
    "TIMELINE OF",
    "ENTRIES",
    "HELD",
    "TAIL",
    "REDONE",
    "WAITING",
    "DISK",
    "NEWEST",
    "WATERMARK",
    "FINAL",
  ];
  const rows = shown.map(({ address, timeline }) => [
    address,
    String(timeline.entries),
    timeline.fingerprint.slice(0, SHORT_DIGITS),
    `${timeline.tailUnits} (${bytesText(timeline.tailBytes)})`,
    String(timeline.redone),
    String(timeline.waiting),
    `${bytesText(timeline.bytes)}${timeline.durable ? "" : " (memory)"}`,
    age(timeline.newest, now),
    age(timeline.watermark, now),
    age(timeline.stable, now),
  ]);
  return `\n${formatTable([head, ...rows])}${formatMembers(shown, now)}`;
}

function formatMembers(shown: readonly ShownTimeline[], now: number): string {
  const head = [
    "DAEMON",
    "MEMBER",
    "ID",
    "CONNECTION",
    "STATE",
    "SKEW",
    "ROUND TRIP",
    "LAG",
    "WATERMARK",
    "EQUAL",
  ];
  const rows = shown.flatMap(({ address, timeline }) =>
    timeline.members.map((member) => [
      address,
      member.address,
      member.id?.slice(0, SHORT_DIGITS) ?? "-",
      member.connection,
      member.state ?? "-",
      milliseconds(member.skew),
      milliseconds(member.roundTrip),
      String(member.lag + member.behind),
      member.watermark === null ? "-" : age(member.watermark, now),
      member.equal === null ? "-" : member.equal ? "yes" : "no",
    ]),
  );
  return rows.length === 0 ? "" : `\n${formatTable([head, ...rows])}`;
}

const milliseconds = (value: number | null): string => (value === null ? "-" : `${value} ms`);

/** `12 s ago`; `-` for a date that is not known. */
function age(at: number, now: number): string {
  if (at === 0) return "-";
  const seconds = Math.round((now - at) / 1000);
  if (seconds < 0) return `in ${-seconds} s`;
  if (seconds < 600) return `${seconds} s ago`;
  const hours = seconds / 3600;
  return hours < 48 ? `${hours.toFixed(1)} h ago` : `${(hours / 24).toFixed(0)} d ago`;
}

function bytesText(bytes: number): string {
  let size = bytes;
  let unit = 0;
  for (; size >= 1000 && unit < UNITS.length - 1; unit++) size /= 1000;
  return `${unit === 0 ? size : size.toFixed(1)} ${UNITS[unit]}`;
}
