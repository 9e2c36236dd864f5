/** What an action is: from a request to an answer, by commands on documents. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Reply } from "../../../protocol/reply.js";
import type { Text } from "../messages/answers.js";
import type { JsonRequest } from "../messages/request.js";

/** A command's reply, and what the client is to be told of its replicas; null: nothing. */
export interface Written {
  readonly reply: Reply;
  readonly replicated: boolean | null;
}

/** How an action reaches the databases: with its user's rights. */
export interface ActionHost {
  /**
   * Ids of entries without keys. `moving`: 0, 1, 2, …; a deletion moves the later ones down. `counted`: the same, but no deletion changes
   * another entry's id. `long`: numbers of 19 digits, of a sidecar, whose writes are not dated after everything that the daemons have applied.
   */
  readonly ids: "moving" | "counted" | "long";
  read(argv: readonly ByteString[]): Reply | Promise<Reply>;
  write(argv: readonly ByteString[], request: JsonRequest): Written | Promise<Written>;
  /** What long work returns: at once if it takes no longer than a turn, else others are served between its steps. */
  inTurns<A>(work: Iterator<void, A>): A | Promise<A>;
  logIn(user: ByteString, password: ByteString): boolean;
}

export type Answer = Text | Promise<Text>;
export type Action = (host: ActionHost, request: JsonRequest) => Answer;
