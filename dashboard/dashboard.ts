/** The page of --admin: what the daemon sends each second, part by part. */
import type { DashboardFrame, FrameMember } from "../protocol/json/dashboard-frame.js";
import { Chart } from "./chart.js";
import { at, say } from "./elements.js";
import { Feed } from "./feed.js";
import { isAway, showListeners, showMembers, showRoom, stateClass } from "./lists.js";
import { showProblems } from "./problems.js";
import { Series } from "./series.js";
import { prepareSigning } from "./signing.js";
import { Strip } from "./strip.js";
import { bytesText, millisecondsText, rateText, shortCountText, spanText } from "./texts.js";

const NO_SAMPLE = "No figures yet: the daemon takes the first 5 s after its start, and two make a rate.";

const CHARTS = [
  new Chart({
    title: "Commands answered, per second",
    lines: [{ series: "units", name: "commands" }],
    text: rateText,
    empty: NO_SAMPLE,
  }),
  new Chart({
    title: "Writes recorded, per second",
    lines: [{ series: "recorded", name: "writes" }],
    text: rateText,
    empty: "Nothing is recorded: that needs --data or --peer. Or no two figures have come yet.",
  }),
  new Chart({
    title: "Refused, per second",
    lines: [{ series: "refused", name: "refused" }],
    text: rateText,
    empty: NO_SAMPLE,
  }),
  new Chart({
    title: "Time to check a signature, ms",
    lines: [
      { series: "verifyHalf", name: "p50" },
      { series: "verifyMost", name: "p99" },
    ],
    text: millisecondsText,
    empty: "No signature was checked in the last hour.",
  }),
  new Chart({
    title: "Delay of the event loop, ms",
    lines: [
      { series: "delayHalf", name: "p50" },
      { series: "delayMost", name: "p99" },
    ],
    text: millisecondsText,
    empty: NO_SAMPLE,
  }),
  new Chart({
    title: "Memory of the process, bytes",
    lines: [{ series: "memory", name: "memory" }],
    text: bytesText,
    empty: NO_SAMPLE,
  }),
  new Chart({
    title: "Open connections",
    lines: [{ series: "connections", name: "connections" }],
    text: shortCountText,
    isCount: true,
    empty: NO_SAMPLE,
  }),
  new Chart({
    title: "Lag of the slowest member, envelopes",
    lines: [{ series: "lag", name: "lag" }],
    text: shortCountText,
    isCount: true,
    empty: "This daemon has no timeline, and no members: that needs --data or --peer.",
  }),
];

const series = new Series();
const strip = new Strip(at<SVGElement>("strip"), at("strip-words"));
let last: DashboardFrame | null = null;
/** Milliseconds since the last frame, if they are too many; null: frames come. */
let silentMs: number | null = null;

function draw(frame: DashboardFrame): void {
  const { version, now, startedAt, timeline } = frame;
  say(at("version"), `version ${version}`);
  say(at("uptime"), `up ${spanText(now - startedAt)}`);
  at("strip-card").hidden = timeline === null;
  at("no-strip").hidden = timeline !== null;
  for (const chart of CHARTS) chart.draw(series, now);
  if (timeline !== null) strip.draw(timeline, now);
  showListeners(frame);
  showRoom(frame);
  showState();
}

/** Shows the state, as long as frames come. */
function showState(): void {
  showProblems(last, silentMs);
  document.body.classList.toggle("stale", silentMs !== null);
  const isOn = silentMs === null;
  const feed = isOn ? "connected" : `nothing received for ${spanText(silentMs ?? 0)}`;
  say(at("feed"), last === null && isOn ? "connecting" : feed, `badge ${isOn ? "quiet" : "bad"}`);
  if (last === null) return;
  const { state } = last;
  say(at("state"), isOn ? state : `not known, was ${state}`, `badge ${isOn ? stateClass(last) : "bad"}`);
  showMembers(last, !isOn);
}

/** Announces changes to screen readers. */
function announce(frame: DashboardFrame): void {
  const membersOf = (of: DashboardFrame | null): readonly FrameMember[] => of?.timeline?.members ?? [];
  const before = new Map(membersOf(last).map((member) => [member.address, isAway(member)]));
  const news = membersOf(frame).flatMap((member) => {
    const was = before.get(member.address);
    if (was === undefined || was === isAway(member)) return [];
    return [`${member.address} is ${isAway(member) ? "away" : "back"}`];
  });
  if (last !== null && last.state !== frame.state) news.push(`this daemon is ${frame.state}`);
  if (news.length > 0) say(at("told"), `${new Date(frame.now).toLocaleTimeString()}: ${news.join(", ")}`);
}

addEventListener("resize", () => {
  if (last !== null) draw(last);
});
at("charts").append(...CHARTS.map(({ element }) => element));
say(at("host"), location.host);
prepareSigning(() => last);
new Feed({
  frame(frame) {
    if (last !== null && last.startedAt !== frame.startedAt) strip.clear();
    if (frame.sample !== null) series.add(frame.sample);
    if (frame.timeline !== null) strip.add(frame.timeline.arrivals, frame.now);
    announce(frame);
    last = frame;
    silentMs = null;
    // A hidden page is drawn by the next frame after it is shown, at most a second later; its title and icon are always seen.
    if (document.hidden) showState();
    else draw(frame);
  },
  history(history) {
    series.replace(history);
    if (last === null) return;
    strip.add(history.arrivals, last.now);
    draw(last);
  },
  silent(forMs) {
    if (forMs === null && silentMs === null) return;
    silentMs = forMs;
    showState();
  },
});
