/** The page's tables and lists of what a frame holds. */
import type { DashboardFrame, FrameMember } from "../protocol/json/dashboard-frame.js";
import { at, type Cell, fillList, fillTable } from "./elements.js";
import { bytesText, countText, differenceText, millisecondsText, spanText } from "./texts.js";

/** Two daemons whose clocks are so far apart may not both take an envelope. */
const SKEW_MAX_MS = 2000;
const LAG_MAX = 1000;
/** Members send a status every 2 s. */
const SILENT_MAX_MS = 5000;
/** The share of free space below which a disk counts as nearly full. */
const FREE_MIN = 0.1;

const NUMBER = "number";

/** Returns the class of a daemon's state: a daemon that catches up has no fault. */
export function stateClass({ state, isHealthy, timeline }: DashboardFrame): "good" | "warn" | "bad" {
  if (isHealthy) return "good";
  return state === "catching-up" && !timeline?.isFailed ? "warn" : "bad";
}

export const isAway = ({ connection }: FrameMember): boolean => connection !== "connected";

export function showMembers(frame: DashboardFrame, isSilent: boolean): void {
  const { timeline } = frame;
  const members = timeline?.members ?? [];
  fillTable(at("members"), [ownRow(frame, isSilent), ...members.map(memberRow)]);
  at("no-members").hidden = members.length > 0;
  at("no-members").textContent =
    timeline === null
      ? "This daemon runs by itself: it was started without --data and --peer, and has no members."
      : "This daemon has no members: start several daemons with --peer to have the same data on several machines.";
  at("claims").hidden = members.length === 0;
}

function ownRow(frame: DashboardFrame, isSilent: boolean): Cell[] {
  const { state, version, disk, timeline } = frame;
  const waiting = timeline?.waiting ?? 0;
  return [
    { text: `${location.host} (this daemon)`, className: "name" },
    isSilent
      ? { text: "not known", className: "bad" }
      : { text: timeline?.isFailed ? "its disk has failed" : state, className: stateClass(frame) },
    { text: countText(waiting), className: waiting > LAG_MAX ? "number warn" : NUMBER },
    { text: "–" },
    timeline?.skewed ? { text: "off", className: "number bad" } : { text: "its own", className: NUMBER },
    { text: "–", className: NUMBER },
    { text: "–", className: NUMBER },
    { text: version },
    diskCell(disk?.free ?? null, disk?.size ?? null),
    { text: "–", className: NUMBER },
  ];
}

function memberRow(member: FrameMember): Cell[] {
  const { address, skew, roundTrip, lastHeard, lag, behind, equal, refusals, software, diskFree, diskSize } =
    member;
  const away = isAway(member);
  const count = lag + behind;
  return [
    { text: address, className: "name", href: pageOf(member) },
    stateCell(member),
    { text: away ? "–" : countText(count), className: count > LAG_MAX ? "number warn" : NUMBER },
    { text: away || equal === null ? "–" : equal ? "yes" : "under way" },
    {
      text: differenceText(away ? null : skew),
      className: skew !== null && Math.abs(skew) > SKEW_MAX_MS ? "number bad" : NUMBER,
    },
    {
      text: lastHeard === null ? "–" : lastHeard < SILENT_MAX_MS ? "now" : `${spanText(lastHeard)} ago`,
      className: NUMBER,
    },
    { text: away || roundTrip === null ? "–" : millisecondsText(roundTrip), className: NUMBER },
    { text: software ?? "–" },
    diskCell(diskFree, diskSize),
    { text: countText(refusals), className: refusals > 0 ? "number bad" : NUMBER },
  ];
}

function stateCell(member: FrameMember): Cell {
  const { state, lastHeard } = member;
  if (isAway(member)) return { text: "away", className: "bad" };
  if (lastHeard !== null && lastHeard >= SILENT_MAX_MS)
    return { text: `silent, was ${state ?? "not known"}`, className: "warn" };
  return { text: state ?? "–", className: state === "live" ? "good" : "warn" };
}

function diskCell(free: number | null, size: number | null): Cell {
  if (free === null || size === null) return { text: "–", className: NUMBER };
  const className = free < size * FREE_MIN ? "number bad" : NUMBER;
  return { text: `${bytesText(free)} of ${bytesText(size)}`, className };
}

const LOOPBACK = /^(?:127\.[\d.]+|localhost|\[::1\])$/;

/**
 * Returns the address of a member's page; undefined: it has none, or this browser cannot reach it. The host is the one by which this
 * daemon knows the member, so that its own report leads to no other host.
 */
function pageOf({ address, pagePort, pageLocal }: FrameMember): string | undefined {
  const [, host = ""] = /^(.+):\d+$/.exec(address) ?? [];
  if (pagePort === 0 || !/^(?:[\w.-]+|\[[\da-f:.]+\])$/i.test(host)) return undefined;
  const isHere = LOOPBACK.test(host);
  if (isHere)
    return LOOPBACK.test(location.hostname) ? `http://${location.hostname}:${pagePort}/` : undefined;
  return pageLocal ? undefined : `http://${host}:${pagePort}/`;
}

export function showListeners({ listeners, refusals }: DashboardFrame): void {
  fillTable(
    at("listeners"),
    listeners.map(({ name, ok, errors, connections }) => [
      { text: name },
      { text: countText(ok), className: NUMBER },
      { text: countText(errors), className: NUMBER },
      { text: countText(connections), className: NUMBER },
    ]),
  );
  const most = refusals.toSorted((one, other) => other.count - one.count);
  fillTable(
    at("refusals"),
    most.map(({ reason, listener, count }) => [
      { text: reason, className: "name" },
      { text: listener },
      { text: countText(count), className: NUMBER },
    ]),
  );
  at("no-listeners").hidden = listeners.length > 0;
  at("listeners").hidden = listeners.length === 0;
  at("no-refusals").hidden = most.length > 0;
  at("refusals").hidden = most.length === 0;
}

export function showRoom({ memory, disk, timeline, keys }: DashboardFrame): void {
  const { resident, heap, buffered, used, limit } = memory;
  fillList(at("room"), [
    ["In use", limit === 0 ? bytesText(used) : `${bytesText(used)} of ${bytesText(limit)}`],
    ["Process", bytesText(resident)],
    ["Heap", bytesText(heap)],
    ["Connections", bytesText(buffered)],
    ...(timeline === null
      ? []
      : ([
          ["Recorded", countText(timeline.ringEntries + timeline.dataEntries)],
          [timeline.durable ? "On disk" : "In memory", bytesText(timeline.bytes)],
          ["Still movable", `${countText(timeline.tailUnits)} (${bytesText(timeline.tailBytes)})`],
          ["Applied again", countText(timeline.redone)],
          ["Waiting", countText(timeline.waiting)],
        ] as const)),
    ...(disk === null
      ? []
      : ([["Disk free", `${bytesText(disk.free)} of ${bytesText(disk.size)}`]] as const)),
  ]);
  fillList(
    at("keys"),
    keys === null
      ? [["None", "commands are not signed"]]
      : Object.entries(keys).map(([state, count]) => [state, countText(count)] as const),
  );
}
