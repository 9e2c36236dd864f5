/** Opens --ws in addition to the listener of a test's process. */

import type { InProcessOptions } from "../../../test/daemon/program/in-process.js";
import { WsListener, type WsSettings } from "../ws-listener.js";

/** @param settings  those that differ from a free port and no further origins */
export function openWs(settings: Partial<WsSettings> = {}): NonNullable<InProcessOptions["ws"]> {
  const web = { ws: { address: "127.0.0.1", port: 0 }, wsOrigins: [], ...settings };
  return (parts, service) => new WsListener(parts, service, web);
}
