/** The listener for browsers and other WebSocket clients: the frames of version 2 as binary messages. */

import type { Pipeline } from "../../engine/pipeline/pipeline.js";
import type { SlowLog } from "../../engine/slow-log/slow-log.js";
import { ClientConnection } from "../../net/connections/client-connection.js";
import type { ListenPlace } from "../../net/process/place.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { DaemonListener, type DaemonListenerParts } from "../daemon-listener.js";
import type { LiveHost } from "../dbsync/connection-host.js";
import { Doorway } from "./doorway.js";
import { Heartbeats } from "./heartbeats.js";
import { WsDialect } from "./ws-dialect.js";

/** The settings of --ws. */
export interface WsSettings {
  readonly ws: ListenPlace;
  readonly wsOrigins: readonly string[];
  readonly wsCompress?: boolean;
}

const NO_COMPRESSION =
  "--ws-compress has no effect any more: messages are not deflated, as inflating what clients send could end the daemon. Remove the option.";

export interface WsParts
  extends Omit<DaemonListenerParts, "name" | "options" | "fullText" | "connector" | "address" | "port"> {
  readonly pipeline: Pipeline;
  /** The daemon's id, 32 bytes. */
  readonly daemon: ByteString;
  /** The sources of events that clients may subscribe to; null: there are none. */
  readonly live: LiveHost | null;
  /** The log of slow commands; absent: none is written. */
  readonly slowLog?: SlowLog | null;
  readonly settings: WsSettings;
}

export class WsListener extends DaemonListener {
  constructor(parts: WsParts) {
    const { pipeline, daemon, live, slowLog = null, settings } = parts;
    const { address } = settings.ws;
    if (settings.wsCompress === true) parts.log.warn(NO_COMPRESSION);
    // Version 1 is signed in another way, and members have their own port.
    const own = {
      ...({ version: 2, listener: "ws" } as const),
      pipeline,
      daemon,
      live,
      slowLog,
      closeAfterAnswer: false,
      takesVersion1: false,
      members: null,
    };
    super({
      ...parts,
      ...settings.ws,
      name: "ws",
      options: { address: "--ws", port: "--ws" },
      fullText: "",
      connector(host) {
        const whole = Object.assign(host, own);
        const heartbeats = new Heartbeats(whole);
        const doorway = new Doorway(address, settings.wsOrigins, host);
        return (raw) => {
          const socket = doorway.admit(raw);
          heartbeats.begin(socket);
          return new ClientConnection<Buffer>(
            socket,
            whole,
            (connection) => new WsDialect(whole, connection, socket),
          );
        };
      },
    });
  }
}
