/** Counts of messages between members since the start. A message counts once for each member that it is sent to. */
export interface MessageFigures {
  /** Envelopes of messages that were sent to a member. */
  given: number;
  /** Envelopes of messages that were dropped because too much waited for the member. */
  dropped: number;
  /** Envelopes of messages that members sent and that were delivered here. */
  heard: number;
  /** Envelopes of messages that members sent and that were not proved or not permitted. */
  refused: number;
  /** Envelopes of messages that members left out, or that arrived faster than they could be checked. */
  missed: number;
}

export const noMessages = (): MessageFigures => ({ given: 0, dropped: 0, heard: 0, refused: 0, missed: 0 });
