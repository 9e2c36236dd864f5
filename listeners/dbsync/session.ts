/** What a connection speaks: payloads of frames in, whole frames out. There is one for each version. */

import type { ClientDoing, Closing } from "../../net/connections/dialect.js";
import type { Hello } from "../../protocol/version-2/messages-v2.js";
import type { ConnectionHost } from "./connection-host.js";

/** A frame, or why the connection closes. */
export type Spoken = string | Closing;

/** The connection is one between members: from here on it is theirs. */
export interface MembersHello {
  readonly kind: "members-hello";
  readonly hello: Hello;
}

export interface Session {
  /** For metrics. */
  readonly listener: "dbsync-v1" | ConnectionHost["listener"];
  /** php-dbsync's -c. */
  readonly closeAfterAnswer: boolean;
  /** Whether its client has shown that it may send commands here. */
  readonly isProven: boolean;
  /** Whether requests are served beside so many that have not been answered. */
  takes(pending: number): boolean;
  serve(payload: Buffer): Spoken | MembersHello | Promise<Spoken>;
  readonly doing?: ClientDoing;
  /** Bytes of what it remembers for its client. */
  readonly heldBytes?: number;
  /** The connection is no more. */
  gone?(): void;
  /** How to say good-bye to a stream that has gone wrong. */
  malformed(detail: string): Closing;
}
