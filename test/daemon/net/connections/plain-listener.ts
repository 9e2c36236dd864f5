/** A listener without TLS, for tests of listeners and their connections. */
import { NO_OBSERVER } from "../../../../daemon/engine/pipeline/pipeline-parts.js";
import { CONNECTION_REFUSALS } from "../../../../daemon/net/connections/connection-refusals.js";
import {
  SocketListener,
  type SocketListenerParts,
} from "../../../../daemon/net/connections/socket-listener.js";
import { realEnvironment } from "../../../../daemon/net/process/clock-and-randomness.js";
import { keepLog } from "../../../support/log-lines.js";
import { defaultLimits } from "../../program/in-process.js";

type Parts = SocketListenerParts<typeof defaultLimits, typeof NO_OBSERVER>;

/** Returns a listener at a free port that is not yet started. @param uptime  its clock, in milliseconds */
export function plainListener(
  connector: Parts["connector"],
  uptime = realEnvironment.uptime,
): SocketListener<typeof defaultLimits, typeof NO_OBSERVER> {
  return new SocketListener({
    name: "test",
    address: "127.0.0.1",
    port: 0,
    options: { address: "-l", port: "-p" },
    gate: null,
    fullText: "",
    observer: NO_OBSERVER,
    limits: defaultLimits,
    refusals: CONNECTION_REFUSALS,
    environment: { ...realEnvironment, uptime },
    log: keepLog("info").log,
    connector,
  });
}
