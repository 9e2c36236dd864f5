/** Shows the contents of a frame in the tables and lists of the page. */
import {
  bytesText,
  countOf,
  countText,
  differenceText,
  millisecondsText,
  spanText,
} from "../../../protocol/figures/amount-texts.js";
import type { ClientTotals } from "../../../protocol/figures/figure.js";
import {
  type DashboardFrame,
  type FrameMember,
  type FrameTimeline,
  SAMPLE_SERIES,
  type SampleName,
} from "../../../protocol/json/dashboard-frame.js";
import { byId, type Cell, fillList, fillTable, setText } from "./elements.js";
import { namesText } from "./problems.js";

/**
 * Maximum difference between two clocks in milliseconds. If two daemons' clocks differ by more, one of the daemons may
 * refuse an envelope that the other accepts.
 */
const SKEW_MAX_MS = 2000;
const LAG_MAX = 1000;
/** Maximum milliseconds since the last status of a member, which sends one every 2 s. */
const SILENT_MAX_MS = 5000;
/** Share of free space below which a disk counts as nearly full. */
const FREE_MIN = 0.1;

const NUMBER = "number";

/** Returns the CSS class of a daemon's state; work in progress is only a warning. */
export function stateClass({ stateSeverity }: DashboardFrame): "good" | "warn" | "bad" {
  if (stateSeverity === null) return "good";
  return stateSeverity === "progress" ? "warn" : "bad";
}

export const isAway = ({ connection }: FrameMember): boolean => connection !== "connected";

const isQuiet = ({ lastHeard }: FrameMember): boolean => lastHeard !== null && lastHeard >= SILENT_MAX_MS;

export function showMembers(frame: DashboardFrame, isSilent: boolean): void {
  const { timeline } = frame;
  const members = timeline?.members ?? [];
  fillTable(byId("members"), [ownRow(frame, isSilent), ...members.map(memberRow)]);
  byId("no-members").hidden = members.length > 0;
  byId("no-members").textContent =
    timeline === null
      ? "This daemon runs alone: it was started without --data and --peer, and has no members."
      : "This daemon has no members: start several daemons with --peer to have the same data on several machines.";
  byId("claims").hidden = members.length === 0;
  byId("totals").hidden = members.length === 0;
  setText(byId("totals"), totalsText(frame.totals, members));

  const master = masterText(timeline);
  byId("master").hidden = master === "";
  setText(byId("master"), master);
  const decisions = timeline === null ? "" : decisionsText(frame, timeline);
  byId("decisions").hidden = decisions === "";
  setText(byId("decisions"), decisions);
}

/** Describes the decisions on units with conditions, or returns "" if this daemon takes part in none. */
function decisionsText({ now, sample }: DashboardFrame, timeline: FrameTimeline): string {
  const { isKeeper, keeperAddress, decidedSlots, decidedAt, waitingEnvelopes, undecidedCause } = timeline;
  if (!isKeeper && keeperAddress === null && decidedAt === 0 && waitingEnvelopes === 0) return "";
  const by = `Keeper of decisions: ${isKeeper ? "this daemon" : (keeperAddress ?? "none")}`;
  const rateOf = (name: SampleName) => countText(Math.round(sample?.[SAMPLE_SERIES.indexOf(name) + 1] ?? 0));
  const rates = `${rateOf("decidedSlots")} slots and ${rateOf("decidedUnits")} units a second`;
  const last = decidedAt === 0 ? "" : `, the last ${spanText(Math.max(0, now - decidedAt))} ago`;
  const waiting = `waiting envelopes: ${countText(waitingEnvelopes)}`;
  const blocked = undecidedCause === null ? "" : `, blocked by ${undecidedCause}`;
  return `${by}; ${rates}; ${countOf(decidedSlots, "decision")}${last}; ${waiting}${blocked}.`;
}

/** Says which daemon sentinels name, or returns "" if there is no sentinel. */
function masterText(timeline: FrameTimeline | null): string {
  if (timeline === null || timeline.isMaster === null) return "";
  const { master, isMaster } = timeline;
  if (master === null) return "Sentinels name no master, because no daemon accepts writes.";
  return isMaster
    ? `Sentinels name this daemon as the master (${master}).`
    : `Sentinels name ${master} as the master.`;
}

/** Describes the sums of this daemon and of the members that report theirs, and names the members that do not. */
function totalsText(own: ClientTotals, members: readonly FrameMember[]): string {
  const reports = members.filter(
    (member) => !isAway(member) && !isQuiet(member) && member.clientAnswers !== null,
  );
  const missing = members
    .filter((member) => !reports.includes(member))
    .map(({ address }) => address || "a member of unknown address");

  const all = [own, ...reports];
  const sum = (figure: keyof ClientTotals, unit: string) =>
    countOf(
      all.reduce((total, one) => total + (one[figure] ?? 0), 0),
      unit,
    );

  const count = members.length + 1;
  const daemons =
    missing.length === 0
      ? `All ${count} daemons together`
      : `${all.length} of ${count} daemons together, without ${namesText(missing)}`;
  const since = `since their starts ${sum("clientAnswers", "command")} answered and ${sum("clientRefusals", "request")} refused`;
  return `${daemons}: ${since}; ${sum("clientConnections", "client")} connected now.`;
}

function ownRow(frame: DashboardFrame, isSilent: boolean): Cell[] {
  const { state, version, disk, timeline } = frame;
  const waiting = timeline?.waiting ?? 0;

  return [
    { text: `${location.host} (this daemon)`, className: "name" },
    isSilent ? { text: "unknown", className: "bad" } : { text: state, className: stateClass(frame) },
    { text: countText(waiting), className: waiting > LAG_MAX ? "number warn" : NUMBER },
    { text: "–" },
    timeline?.skewed ? { text: "off", className: "number bad" } : { text: "reference", className: NUMBER },
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
  const disconnected = isAway(member);
  const count = lag + behind;

  return [
    { text: address, className: "name", href: pageOf(member) },
    stateCell(member),
    { text: disconnected ? "–" : countText(count), className: count > LAG_MAX ? "number warn" : NUMBER },
    // While clients write, entries are in flight, which is no state of the member: the column Lag shows them.
    { text: !disconnected && equal === true ? "yes" : "–" },
    {
      text: disconnected || skew === null ? "–" : differenceText(skew),
      className: skew !== null && Math.abs(skew) > SKEW_MAX_MS ? "number bad" : NUMBER,
    },
    {
      text: lastHeard === null ? "–" : lastHeard < SILENT_MAX_MS ? "now" : `${spanText(lastHeard)} ago`,
      className: NUMBER,
    },
    { text: disconnected || roundTrip === null ? "–" : millisecondsText(roundTrip), className: NUMBER },
    { text: software ?? "–" },
    diskCell(diskFree, diskSize),
    { text: countText(refusals), className: refusals > 0 ? "number bad" : NUMBER },
  ];
}

function stateCell(member: FrameMember): Cell {
  const { state } = member;
  if (isAway(member)) return { text: "disconnected", className: "bad" };
  if (isQuiet(member)) return { text: `silent, was ${state ?? "unknown"}`, className: "warn" };
  return { text: state ?? "–", className: state === "live" ? "good" : "warn" };
}

function diskCell(free: number | null, size: number | null): Cell {
  if (free === null || size === null) return { text: "–", className: NUMBER };
  const className = free < size * FREE_MIN ? "number bad" : NUMBER;
  return { text: `${bytesText(free)} of ${bytesText(size)}`, className };
}

const LOOPBACK = /^(?:127\.[\d.]+|localhost|\[::1\])$/;

/**
 * Returns the address of a member's page, or undefined if it has none or this browser cannot reach it. The host name
 * is the one by which this daemon knows the member, because a member could report the name of any other host.
 */
function pageOf({ address, pagePort, pageLocal }: FrameMember): string | undefined {
  const [, host = ""] = /^(.+):\d+$/.exec(address) ?? [];
  if (pagePort === 0 || !/^(?:[\w.-]+|\[[\da-f:.]+\])$/i.test(host)) return undefined;
  const isLocal = LOOPBACK.test(host);
  if (isLocal)
    return LOOPBACK.test(location.hostname) ? `http://${location.hostname}:${pagePort}/` : undefined;
  return pageLocal ? undefined : `http://${host}:${pagePort}/`;
}

export function showListeners({ listeners, refusals }: DashboardFrame): void {
  fillTable(
    byId("listeners"),
    listeners.map(({ name, ok, errors, connections }) => [
      { text: name },
      { text: countText(ok), className: NUMBER },
      { text: countText(errors), className: NUMBER },
      { text: connections === null ? "–" : countText(connections), className: NUMBER },
    ]),
  );

  const byCount = refusals.toSorted((one, other) => other.count - one.count);
  fillTable(
    byId("refusals"),
    byCount.map(({ reason, listener, count }) => [
      { text: reason, className: "name" },
      { text: listener },
      { text: countText(count), className: NUMBER },
    ]),
  );

  byId("no-listeners").hidden = listeners.length > 0;
  byId("listeners").hidden = listeners.length === 0;
  byId("no-refusals").hidden = byCount.length > 0;
  byId("refusals").hidden = byCount.length === 0;
}

export function showMemoryAndDisk({ memory, disk, timeline, keys }: DashboardFrame): void {
  const { resident, heap, buffered, used, limit } = memory;
  fillList(byId("room"), [
    ["In use", limit === 0 ? bytesText(used) : `${bytesText(used)} of ${bytesText(limit)}`],
    ["Process", bytesText(resident)],
    ["Heap", bytesText(heap)],
    ["Connections", bytesText(buffered)],
    ...(timeline === null
      ? []
      : ([
          ["Recorded", countText(timeline.ringEntries + timeline.dataEntries)],
          [timeline.durable ? "On disk" : "In memory", bytesText(timeline.bytes)],
          ["Not final", `${countText(timeline.tailUnits)} (${bytesText(timeline.tailBytes)})`],
          ["Applied again", countText(timeline.redone)],
          ["Waiting", countText(timeline.waiting)],
        ] as const)),
    ...(disk === null
      ? []
      : ([["Disk free", `${bytesText(disk.free)} of ${bytesText(disk.size)}`]] as const)),
  ]);

  fillList(
    byId("keys"),
    keys === null
      ? [["None", "commands are unsigned"]]
      : Object.entries(keys).map(([state, count]) => [state, countText(count)] as const),
  );
}
