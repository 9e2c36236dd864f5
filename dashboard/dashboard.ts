/** The page of --admin: what the daemon tells each second, part by part. */
import type { DashboardFrame, FrameMember } from "../protocol/json/dashboard-frame.js";
import { Chart } from "./chart.js";
import { at, say } from "./elements.js";
import { Feed } from "./feed.js";
import { isAway, showListeners, showMembers, showRoom } from "./lists.js";
import { prepareSigning } from "./signing.js";
import { Strip } from "./strip.js";
import { bytesText, countText, millisecondsText, spanText } from "./texts.js";

const CHARTS = {
  units: new Chart({ name: "units a second", text: countText }),
  recorded: new Chart({ name: "recorded a second", text: countText }),
  refused: new Chart({ name: "refused a second", text: countText }),
  verify: new Chart({ name: "to check a signature, p50", text: millisecondsText, second: "p99" }),
  delay: new Chart({ name: "event loop late, p50", text: millisecondsText, second: "p99" }),
  memory: new Chart({ name: "memory", text: bytesText }),
};

const strip = new Strip(at<SVGElement>("strip"), at("strip-words"));
let last: DashboardFrame | null = null;

function unitsOf({ listeners }: DashboardFrame): number {
  return listeners.reduce((sum, { ok, errors }) => sum + ok + errors, 0);
}

function refusalsOf({ refusals }: DashboardFrame): number {
  return refusals.reduce((sum, { count }) => sum + count, 0);
}

/** A second's worth of a sum; null: not known, or the daemon has begun anew. */
function rate(frame: DashboardFrame, sum: (of: DashboardFrame) => number): number | null {
  if (last === null || last.startedAt !== frame.startedAt || frame.now <= last.now) return null;
  return Math.max(0, ((sum(frame) - sum(last)) * 1000) / (frame.now - last.now));
}

function count(frame: DashboardFrame): void {
  const { verify, delay, memory, timeline, now } = frame;
  CHARTS.units.add([rate(frame, unitsOf)]);
  CHARTS.recorded.add([timeline === null ? null : rate(frame, (of) => entriesOf(of.timeline))]);
  CHARTS.refused.add([rate(frame, refusalsOf)]);
  CHARTS.verify.add([verify?.half ?? null, verify?.most ?? null]);
  CHARTS.delay.add([delay?.half ?? null, delay?.most ?? null]);
  CHARTS.memory.add([memory.resident]);
  if (timeline !== null) strip.add(timeline, now);
}

function draw(frame: DashboardFrame): void {
  const { version, state, now, startedAt, timeline, backends } = frame;
  const down = backends.filter(({ up }) => !up).map(({ name }) => `, ${name} is down`);
  const isWell =
    (state === "live" || state === "isolated") && down.length === 0 && timeline?.isFailed !== true;
  const trouble = timeline?.isFailed ? ", the disk has failed" : timeline?.skewed ? ", its clock is off" : "";
  say(
    at("state"),
    `${state}${trouble}${down.join("")}`,
    `badge ${isWell && trouble === "" ? "good" : "bad"}`,
  );
  say(at("version"), `version ${version}`);
  say(at("uptime"), `up ${spanText(now - startedAt)}`);
  at("strip-part").hidden = timeline === null;
  at("members-part").hidden = timeline === null;
  for (const chart of Object.values(CHARTS)) chart.draw();
  if (timeline !== null) {
    strip.draw(timeline, now);
    showMembers(timeline.members);
  }
  showListeners(frame);
  showRoom(frame);
}

/** For those who do not see the page: what is worth being read aloud. */
function tell(frame: DashboardFrame): void {
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

at("charts").append(...Object.values(CHARTS).map(({ element }) => element));
say(at("host"), location.host);
prepareSigning(() => last);
new Feed({
  frame(frame) {
    count(frame);
    tell(frame);
    last = frame;
    // Nobody sees it; when somebody does, the next frame is at most a second away.
    if (!document.hidden) draw(frame);
  },
  silent(silentMs) {
    const isOn = silentMs === null;
    say(
      at("feed"),
      isOn ? "connected" : `no word for ${spanText(silentMs)}`,
      `badge ${isOn ? "good" : "bad"}`,
    );
  },
});

function entriesOf(timeline: DashboardFrame["timeline"]): number {
  return timeline === null ? 0 : timeline.ringEntries + timeline.dataEntries;
}
