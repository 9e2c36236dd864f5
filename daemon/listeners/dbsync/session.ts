/** What a connection speaks: payloads of frames in, whole frames out. There is one for each version. */
import type { Hello } from "../../../protocol/version-2/messages-v2.js";
import type { Closing } from "../../../serving/connections/dialect.js";

/** A frame, or why the connection closes. */
export type Spoken = string | Closing;

/** The connection is one between members: from here on it is theirs. */
export interface MembersHello {
  readonly kind: "members-hello";
  readonly hello: Hello;
}

export interface Session {
  /** For metrics. */
  readonly listener: "dbsync-v1" | "dbsync-v2";
  /** php-dbsync's -c. */
  readonly closeAfterAnswer: boolean;
  /** Whether its client has shown that it may send commands here. */
  readonly isProven: boolean;
  /** Whether requests are served beside so many that have not been answered. */
  takes(pending: number): boolean;
  serve(payload: Buffer): Spoken | MembersHello | Promise<Spoken>;
  /** How to say good-bye to a stream that has gone wrong. */
  malformed(detail: string): Closing;
}
