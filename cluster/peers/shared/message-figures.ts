/**
 * The counts of messages between members since the daemon started. A message is counted once for each member that
 * receives it.
 */
export interface MessageFigures {
  /** Envelopes of messages that were sent to a member. */
  given: number;
  /** Envelopes of messages that were not sent, because the member's queue was full or they could not be signed. */
  dropped: number;
  /** Envelopes of messages from members that were delivered to this daemon's subscribers. */
  heard: number;
  /** Envelopes of messages from members that had no valid signature, were too old or were not permitted. */
  refused: number;
  /** Envelopes of messages that members did not send, or that arrived faster than this daemon could check them. */
  missed: number;
}

export const noMessages = (): MessageFigures => ({ given: 0, dropped: 0, heard: 0, refused: 0, missed: 0 });
