/** What tests give servers, pools and connections. */
import { UPSTREAM_LIMITS, type UpstreamLimits } from "../../../proxy/upstream/limits.js";
import type { UpstreamOutcome } from "../../../proxy/upstream/outcome.js";
import type { UpstreamServerParts } from "../../../proxy/upstream/server.js";
import { keepLog } from "../../support/log-lines.js";

export const environment = {
  uptime: () => performance.now(),
  random: () => 0.5,
  setTimer(milliseconds: number, step: () => void) {
    const timer = setTimeout(step, milliseconds);
    return () => clearTimeout(timer);
  },
};

export function partsFor(port: number, limits: Partial<UpstreamLimits> = {}): UpstreamServerParts {
  return {
    place: { host: "127.0.0.1", port, tls: null, text: `127.0.0.1:${port}` },
    limits: { ...UPSTREAM_LIMITS, ...limits },
    environment,
    log: keepLog("debug").log,
  };
}

/** An answer's bytes, or why there is none and whether the statement was seen. */
export const shown = (outcome: UpstreamOutcome): string =>
  outcome.kind === "answered" ? outcome.frame.bytes : `${outcome.why}, reached: ${outcome.reached}`;
