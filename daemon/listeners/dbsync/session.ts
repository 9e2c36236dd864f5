/** What a connection speaks: payloads of frames in, whole frames out. There is one for each version. */
import type { Hello } from "../../../protocol/messages-v2.js";
import type { RefusalCode } from "../../answers/refusals.js";

/** A frame, or why the connection closes. */
export type Spoken = string | Closing;

/** The connection is one between members: from here on it is theirs. */
export interface HandOver {
  readonly kind: "hand-over";
  readonly hello: Hello;
}

export interface Closing {
  readonly kind: "closing";
  readonly code: RefusalCode;
  /** For the log. */
  readonly detail: string;
  /** Last words, a frame; "": the version has none. */
  readonly frame: string;
}

export interface Session {
  /** For metrics. */
  readonly listener: "dbsync-v1" | "dbsync-v2";
  /** Whether a request waits until the one before is answered. */
  readonly inOrder: boolean;
  /** php-dbsync's -c. */
  readonly closeAfterAnswer: boolean;
  /** Whether its client has shown that it may send commands here. */
  readonly isProven: boolean;
  /** How many answers wait for other daemons, which is not to hold up those that do not. */
  readonly waiting: number;
  serve(payload: Buffer): Spoken | HandOver | Promise<Spoken>;
  /** How to say good-bye to a stream that has gone wrong. */
  malformed(detail: string): Closing;
}
