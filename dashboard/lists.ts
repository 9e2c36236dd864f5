/** The page's tables and lists of what a frame tells. */
import type { DashboardFrame, FrameMember } from "../protocol/json/dashboard-frame.js";
import { at, type Cell, fillList, fillTable } from "./elements.js";
import { bytesText, countText, differenceText, millisecondsText, spanText } from "./texts.js";

/** Two daemons whose clocks are so far apart may not both take an envelope. */
const SKEW_MOST_MS = 2000;
const LAG_MOST = 1000;

export const isAway = ({ connection }: FrameMember): boolean => connection !== "connected";

export function showMembers(members: readonly FrameMember[]): void {
  fillTable(at("members"), members.map(memberRow));
}

function memberRow(member: FrameMember): Cell[] {
  const { address, state, skew, roundTrip, lastHeard, lag, behind, equal, refusals } = member;
  const away = isAway(member);
  const count = lag + behind;
  const number = "number";
  return [
    { text: address },
    away
      ? { text: "away", className: "bad" }
      : { text: state ?? "–", className: state === "live" ? "good" : "warn" },
    { text: away ? "–" : countText(count), className: count > LAG_MOST ? "number warn" : number },
    {
      text: differenceText(away ? null : skew),
      className: skew !== null && Math.abs(skew) > SKEW_MOST_MS ? "number bad" : number,
    },
    {
      text: lastHeard === null ? "–" : lastHeard < 1000 ? "now" : `${spanText(lastHeard)} ago`,
      className: number,
    },
    { text: away || roundTrip === null ? "–" : millisecondsText(roundTrip), className: "number wide" },
    { text: away || equal === null ? "–" : equal ? "yes" : "not yet", className: "wide" },
    { text: countText(refusals), className: refusals > 0 ? "number wide bad" : "number wide" },
  ];
}

export function showListeners({ listeners, refusals }: DashboardFrame): void {
  const number = "number";
  fillTable(
    at("listeners"),
    listeners.map(({ name, ok, errors, connections }) => [
      { text: name },
      { text: countText(ok), className: number },
      { text: countText(errors), className: number },
      { text: countText(connections), className: number },
    ]),
  );
  const most = refusals.toSorted((one, other) => other.count - one.count);
  fillTable(
    at("refusals"),
    most.map(({ reason, listener, count }) => [
      { text: reason },
      { text: listener },
      { text: countText(count), className: number },
    ]),
  );
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
          ["Done again", countText(timeline.redone)],
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
