/** The session of a connection, one class for each version: payloads of frames in, complete frames out. */

import type { ClientDoing, Closing } from "../../net/connections/dialect.js";
import type { Hello } from "../../protocol/version-2/messages-v2.js";
import type { DbsyncServer } from "./dbsync-server.js";

/** A frame, or the reason why the connection closes. */
export type Spoken = string | Closing;

/** The hello of another daemon, whose connection is handed over. */
export interface MembersHello {
  readonly kind: "members-hello";
  readonly hello: Hello;
}

export interface Session {
  /** The listener's name in metrics. */
  readonly listener: "dbsync-v1" | DbsyncServer["listener"];
  /** php-dbsync's -c. */
  readonly closeAfterAnswer: boolean;
  /** Whether its client has shown that it may send commands here. */
  readonly isProven: boolean;
  /** Whether another request is served while the given number is pending. */
  takes(pending: number): boolean;
  serve(payload: Buffer): Spoken | MembersHello | Promise<Spoken>;
  readonly doing?: ClientDoing;
  /** Bytes held for the client. */
  readonly heldBytes?: number;
  /** Called when the connection has closed. */
  gone?(): void;
  /** Returns the close reason of a malformed stream. */
  malformed(detail: string): Closing;
}
