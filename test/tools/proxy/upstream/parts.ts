/** Objects from which tests make servers, pools and connections. */

import type { UpstreamAddress } from "../../../../tools/proxy/upstream/server-address.js";
import {
  UPSTREAM_LIMITS,
  type UpstreamLimits,
  type UpstreamOutcome,
} from "../../../../tools/proxy/upstream/upstream-connection.js";
import { UpstreamPool } from "../../../../tools/proxy/upstream/upstream-pool.js";
import { UpstreamServer } from "../../../../tools/proxy/upstream/upstream-server.js";
import { keepLog } from "../../../support/log-lines.js";

export const environment = {
  uptime: () => performance.now(),
  random: () => 0.5,
  setTimer(milliseconds: number, step: () => void) {
    const timer = setTimeout(step, milliseconds);
    return () => clearTimeout(timer);
  },
};

export const placeAt = (port: number): UpstreamAddress => ({
  host: "127.0.0.1",
  port,
  tls: null,
  text: `127.0.0.1:${port}`,
});

export const limitsOf = (limits: Partial<UpstreamLimits>): UpstreamLimits => ({
  ...UPSTREAM_LIMITS,
  ...limits,
});

export function serverAt(
  port: number,
  limits: Partial<UpstreamLimits> = {},
  onChanged: ((server: UpstreamServer) => void) | null = null,
): UpstreamServer {
  return new UpstreamServer(placeAt(port), limitsOf(limits), environment, keepLog("debug").log, onChanged);
}

export const poolAt = (port: number, limits: Partial<UpstreamLimits> = {}): UpstreamPool =>
  new UpstreamPool(placeAt(port), limitsOf(limits), environment);

/** Returns the bytes of the answer, or why there is none and whether the statement reached the server. */
export const shown = (outcome: UpstreamOutcome): string =>
  outcome.kind === "answered" ? outcome.frame.bytes : `${outcome.why}, reached: ${outcome.reached}`;
