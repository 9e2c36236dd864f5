/** The session of a connection, with one class for each version: frame payloads in, complete frames out. */

import type { Hello } from "../../protocol/version-2/messages-v2.js";
import type { ClientDoing, Closing } from "../net/connections/dialect.js";
import type { DbsyncServer } from "./dbsync-server.js";

/** A frame, or the reason why the connection is closed. */
export type FrameOrClose = string | Closing;

/** The hello of another daemon, whose connection is handed over. */
export interface MembersHello {
  readonly kind: "members-hello";
  readonly hello: Hello;
}

export interface Session {
  /** The listener's name in metrics. */
  readonly listener: "dbsync-v1" | DbsyncServer["listener"];
  /** Whether the connection closes after one answer (php-dbsync's option -c). */
  readonly closeAfterAnswer: boolean;
  /** Whether the client has proved that it may send commands here. */
  readonly isProven: boolean;
  /** Returns whether another request may be served while the given number of requests is pending. */
  takes(pending: number): boolean;
  serve(payload: Buffer): FrameOrClose | MembersHello | Promise<FrameOrClose>;
  readonly doing?: ClientDoing;
  /** The number of bytes that are held in memory for the client. */
  readonly heldBytes?: number;
  /** Called when the connection has closed. */
  disconnected?(): void;
  /** Returns the close reason for a malformed stream. */
  malformed(detail: string): Closing;
}
