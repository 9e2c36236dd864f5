/** Creates frames like those of a daemon, for pages that receive frames from a test. */

import {
  type DashboardFrame,
  type FrameMember,
  type FrameTimeline,
  SAMPLE_EVERY_MS,
  SAMPLE_SERIES,
  SAMPLES_MAX,
} from "../../../../protocol/json/dashboard-frame.js";
import { severityOf } from "../../../../tools/admin/dashboard-frames.js";

export const NOW = Date.UTC(2030, 0, 2, 3, 4, 5);

/** An hour of samples with increasing values, newest last. */
export const SAMPLE = Array.from({ length: SAMPLES_MAX }, (_, index) => [
  NOW - (SAMPLES_MAX - 1 - index) * SAMPLE_EVERY_MS,
  ...SAMPLE_SERIES.map(() => index),
]);

/** A script that replaces the connection to the daemon: `send` accepts a frame as JSON. */
export const STUB = (history: object) => `
  const { promise: isReading, resolve: startsReading } = Promise.withResolvers();
  window.EventSource = class {
    constructor() { window.feed = this; setTimeout(() => this.onopen?.()); }
    set onmessage(take) { this.take = take; startsReading(); }
    close() {}
  };
  window.fetch = () => Promise.resolve(new Response(${JSON.stringify(JSON.stringify(history))}));
  window.send = async (data) => {
    await isReading;
    await new Promise((resolve) => setTimeout(resolve, 50));
    window.feed.take({ data });
    // Without a frame each second the page would report that nothing is received.
    clearInterval(window.again);
    window.again = setInterval(() => window.feed.take({ data }), 500);
  };`;

export const memberOf = (address: string, parts: Partial<FrameMember> = {}): FrameMember => ({
  address,
  connection: "connected",
  state: "live",
  skew: 3,
  roundTrip: 1.5,
  lastHeard: 100,
  lag: 0,
  behind: 0,
  equal: true,
  refusals: 0,
  software: "0.1.0",
  pagePort: 9464,
  pageLocal: false,
  diskFree: 50e9,
  diskSize: 200e9,
  clientAnswers: 10_000,
  clientRefusals: 2,
  clientConnections: 5,
  problems: [],
  ...parts,
});

interface FrameParts extends Partial<Omit<DashboardFrame, "problems" | "timeline">> {
  readonly problems?: readonly string[];
  readonly members?: readonly FrameMember[];
  readonly timeline?: FrameTimeline | null;
}

export function frameOf({ problems = [], members = [], ...parts }: FrameParts): DashboardFrame {
  return {
    now: NOW,
    startedAt: NOW - 7_200_000,
    version: "0.1.0",
    state: "live",
    stateSeverity: severityOf(parts.state ?? "live"),
    isHealthy: true,
    problems: problems.map((text) => ({
      code: "failed",
      member: "",
      text,
      fix: "start it",
      severity: "problem" as const,
      isOfMember: false,
    })),
    sample: SAMPLE.at(-1) ?? null,
    totals: { clientAnswers: 12_351, clientRefusals: 3, clientConnections: 7 },
    listeners: [{ name: "dbsync", ok: 12_345, errors: 6, connections: 7 }],
    refusals: [{ listener: "dbsync-v2", reason: "bad-signature", count: 3 }],
    memory: { resident: 90e6, heap: 30e6, buffered: 0, used: 40e6, limit: 0 },
    disk: { free: 50e9, size: 200e9 },
    keys: { application: 3, root: 1 },
    ws: null,
    timeline: {
      durable: true,
      skewed: false,
      ringEntries: 3,
      dataEntries: 50_000,
      bytes: 9e6,
      tailUnits: 20,
      tailBytes: 9000,
      redone: 1,
      waiting: 0,
      quarantined: 0,
      published: NOW - 30_000,
      newest: NOW,
      stable: NOW - 35_000,
      arrivals: [],
      outsideWindow: 0,
      master: null,
      isMaster: null,
      isKeeper: false,
      keeperAddress: null,
      decidedSlots: 0,
      decidedUnits: 0,
      decidedAt: 0,
      waitingEnvelopes: 0,
      undecidedCause: null,
      members,
    },
    ...parts,
  };
}
