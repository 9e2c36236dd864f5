/** The page of --admin: shows the frames that the daemon sends each second. */

import {
  bytesText,
  millisecondsText,
  rateText,
  shortCountText,
  spanText,
} from "../../../protocol/figures/amount-texts.js";
import type {
  DashboardFrame,
  DashboardHistory,
  FrameMember,
} from "../../../protocol/json/dashboard-frame.js";
import { prepareSigning, showSignIn } from "./administrator.js";
import { Chart, SampleHistory } from "./chart.js";
import { byId, setText } from "./elements.js";
import { isAway, showListeners, showMembers, showMemoryAndDisk, stateClass } from "./frame-tables.js";
import { showProblems } from "./problems.js";
import { TERMS } from "./terms.js";
import { TimelineStrip } from "./timeline-strip.js";
import { timeText } from "./times.js";

/** Time without a frame after which the daemon counts as silent, in milliseconds. Frames arrive every second. */
const SILENT_MS = 3000;
const CHECK_MS = 500;
/** The width up to which the style sheet shows tables as cards. */
const PHONE = "(max-width: 40rem)";
const RECONNECT_MS = 3000;

interface FeedHandlers {
  frame(frame: DashboardFrame): void;
  /** Receives the figures of the last hour after each connection. */
  history(history: DashboardHistory): void;
  /** Reports silence. @param silentMs  milliseconds since the last frame, or null if frames are arriving */
  silent(silentMs: number | null): void;
}

/** The receiver of the daemon's frames. It reports for how long no frame has arrived, and reconnects if necessary. */
class Feed {
  readonly #handlers: FeedHandlers;
  #source: EventSource | null = null;
  #receivedAt = performance.now();
  #connectedAt = Number.NEGATIVE_INFINITY;

  constructor(handlers: FeedHandlers) {
    this.#handlers = handlers;
    this.#connect();
    setInterval(() => this.#check(), CHECK_MS);
  }

  #connect(): void {
    this.#source?.close();
    this.#connectedAt = performance.now();
    this.#source = new EventSource("/events");
    // The history is loaded once frames arrive, so that no sample is missing. Frames may repeat samples of the history.
    this.#source.onopen = () => void this.#readHistory();
    this.#source.onmessage = ({ data }: MessageEvent<string>) => {
      this.#receivedAt = performance.now();
      this.#handlers.frame(JSON.parse(data) as DashboardFrame);
    };
  }

  async #readHistory(): Promise<void> {
    try {
      const response = await fetch("/history");
      if (response.ok) this.#handlers.history((await response.json()) as DashboardHistory);
    } catch {
      // The connection was lost. After the next connection is opened, the history is read again.
    }
  }

  /** Reconnects after silence: a browser reconnects only after some errors, and not if a connection hangs. */
  #check(): void {
    const now = performance.now();
    const silent = now - this.#receivedAt;
    this.#handlers.silent(silent < SILENT_MS ? null : silent);
    if (silent >= SILENT_MS && now - this.#connectedAt >= RECONNECT_MS) this.#connect();
  }
}

const NO_SAMPLE = "No figures yet: the daemon takes a sample every 5 s, and a rate needs two samples.";

const CHARTS = [
  new Chart({
    title: "Commands answered, per second",
    lines: [
      { series: "clusterUnits", name: "cluster", daemons: "daemons" },
      { series: "units", name: "this daemon" },
    ],
    text: rateText,
    empty: NO_SAMPLE,
  }),
  new Chart({
    title: "Writes recorded, per second",
    lines: [{ series: "recorded", name: "writes" }],
    text: rateText,
    empty:
      "No figures: this daemon records no writes (that needs --data or --peer), or has fewer than two samples yet.",
  }),
  new Chart({
    title: "Refused, per second",
    lines: [
      { series: "clusterRefused", name: "cluster", daemons: "daemons" },
      { series: "refused", name: "this daemon" },
    ],
    text: rateText,
    empty: NO_SAMPLE,
  }),
  new Chart({
    title: "Time to check a signature, ms",
    lines: [
      { series: "verifyP50", name: "p50" },
      { series: "verifyP99", name: "p99" },
    ],
    text: millisecondsText,
    empty: "No signature was checked in the last hour.",
  }),
  new Chart({
    title: "Delay of the event loop, ms",
    lines: [
      { series: "delayP50", name: "p50" },
      { series: "delayP99", name: "p99" },
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
    title: "Open connections of clients",
    lines: [
      { series: "clusterConnections", name: "cluster", daemons: "daemons" },
      { series: "connections", name: "this daemon" },
    ],
    text: shortCountText,
    isCount: true,
    empty: NO_SAMPLE,
  }),
  new Chart({
    title: "Lag of the slowest member, envelopes",
    lines: [{ series: "lag", name: "lag" }],
    text: shortCountText,
    isCount: true,
    empty: "This daemon has no timeline and no members: they need --data or --peer.",
    term: `An envelope: ${TERMS.envelope}.`,
  }),
];

const series = new SampleHistory();
const strip = new TimelineStrip(byId<SVGElement>("strip"), byId("strip-words"));
let last: DashboardFrame | null = null;
/** Milliseconds since the last frame if that is too long, or null if frames are arriving. */
let silentMs: number | null = null;

function draw(frame: DashboardFrame): void {
  const { version, now, startedAt, timeline } = frame;
  setText(byId("version"), `version ${version}`);
  setText(byId("uptime"), `up ${spanText(now - startedAt)}`);
  byId("strip-card").hidden = timeline === null;
  byId("no-strip").hidden = timeline !== null;
  for (const chart of CHARTS) chart.draw(series, now);
  if (timeline !== null) strip.draw(timeline, now);
  showListeners(frame);
  showMemoryAndDisk(frame);
  showSignIn(frame);
  showState();
}

/** Shows the state of the daemon and of the connection. */
function showState(): void {
  showProblems(last, silentMs);
  document.body.classList.toggle("stale", silentMs !== null);
  const isConnected = silentMs === null;
  const feed = isConnected ? "connected" : `nothing received for ${spanText(silentMs ?? 0)}`;
  setText(
    byId("feed"),
    last === null && isConnected ? "connecting" : feed,
    `badge ${isConnected ? "quiet" : "bad"}`,
  );

  if (last === null) return;
  const { state } = last;
  setText(
    byId("state"),
    isConnected ? state : `unknown, was ${state}`,
    `badge ${isConnected ? stateClass(last) : "bad"}`,
  );
  showMembers(last, !isConnected);
}

/** Announces changes to screen readers. */
function announce(frame: DashboardFrame): void {
  const membersOf = (of: DashboardFrame | null): readonly FrameMember[] => of?.timeline?.members ?? [];
  const before = new Map(membersOf(last).map((member) => [member.address, isAway(member)]));
  const changes = membersOf(frame).flatMap((member) => {
    const was = before.get(member.address);
    if (was === undefined || was === isAway(member)) return [];
    return [`${member.address} is ${isAway(member) ? "disconnected" : "connected again"}`];
  });
  if (last !== null && last.state !== frame.state) changes.push(`this daemon is ${frame.state}`);
  if (changes.length > 0) setText(byId("announcement"), `${timeText(frame.now)}: ${changes.join(", ")}`);
}

const redraw = () => {
  if (last !== null) draw(last);
};

/** Folds all parts except problems and members on a phone. */
function foldParts({ matches }: { readonly matches: boolean }): void {
  for (const part of PARTS) part.open = !matches;
}

const PARTS = [...document.querySelectorAll("details")];
const phone = matchMedia(PHONE);
foldParts(phone);
phone.addEventListener("change", foldParts);
// A folded chart has no width, so it is drawn again when it is opened.
for (const part of PARTS) part.addEventListener("toggle", redraw);
addEventListener("resize", redraw);
byId("charts").append(...CHARTS.map(({ element }) => element));
setText(byId("host"), location.host);
prepareSigning(() => last);
new Feed({
  frame(frame) {
    if (last !== null && last.startedAt !== frame.startedAt) strip.clear();
    if (frame.sample !== null) series.add(frame.sample);
    if (frame.timeline !== null) strip.add(frame.timeline.arrivals, frame.now);
    announce(frame);
    last = frame;
    silentMs = null;
    // While the page is hidden, only its title and icon are updated. Once it is visible, the next frame, at most a
    // second later, draws the rest.
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
