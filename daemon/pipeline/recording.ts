/** What the pipeline of a daemon with a timeline has besides: the replica's parts, as far as they are used there. */
import type { ByteString } from "../../protocol/byte-string.js";
import type { Envelope } from "../../protocol/envelope.js";
import type { DaemonState, EnvelopeDate, Wait } from "../../protocol/messages-v2.js";
import type { Reply } from "../../protocol/reply.js";
import type { Place } from "../../timeline/entry.js";
import type { EnvelopeAnswer, Refused } from "../answers/request.js";
import type { Standing } from "../answers/result-writer.js";
import type { Taken } from "./units.js";

/** Keeps what changes something, and answers it. */
export interface RecorderFace {
  readonly state: DaemonState;
  /** What answers are marked with. */
  readonly standing: Standing;
  /** What was applied with the highest date. */
  readonly newest: EnvelopeDate;
  /** How many other daemons are connected. */
  readonly members: number;
  /** Whether an envelope is recorded; others are read. */
  records(envelope: Pick<Envelope, "commands">): boolean;
  /** Whether it was recorded; of what is not kept any more nobody knows, and its date says enough. */
  holds(place: Place): boolean;
  /** Whether it was recorded, and what is read now knows of it. */
  hasFolded(place: Place): boolean;
  /** The first answer of an envelope that the pipeline has not answered; null: it is not recorded. */
  firstAnswer(taken: Taken): Promise<EnvelopeAnswer> | null;
  /** Records an envelope of a client. */
  take(taken: Taken): EnvelopeAnswer | Promise<EnvelopeAnswer>;
  /** Envelopes that wait are answered. */
  stop(): void;
}

export interface ConfirmationsFace {
  /** Whether it came true in time. */
  confirm(place: Place, wait: Wait): Promise<boolean>;
  /** Nobody waits any longer. */
  stop(): void;
}

/** What version 1 writes comes this way. */
export interface GatewayFace {
  /** Whether a command has to: others are read. */
  takes(argv: readonly ByteString[]): boolean;
  /** @returns the command's reply, errors among them; or why it was not answered */
  execute(
    argv: readonly ByteString[],
    user: { readonly db: number; readonly as: ByteString | null },
  ): Promise<Reply | Refused>;
}

export interface Recording {
  readonly recorder: RecorderFace;
  readonly confirmations: ConfirmationsFace;
  /** null: version 1 writes nothing. */
  readonly gateway: GatewayFace | null;
}
