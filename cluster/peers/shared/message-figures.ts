/** What became of messages between members, since the start. A message counts once for each member that it is for. */
export interface MessageFigures {
  /** Envelopes of messages that were handed to a member. */
  given: number;
  /** … that were not, as too much waited for the member. */
  dropped: number;
  /** … that came of members, and were told here. */
  heard: number;
  /** … that came, and were not proved or not permitted. */
  refused: number;
  /** … that members had left out, or that came faster than they could be judged. */
  missed: number;
}

export const noMessages = (): MessageFigures => ({ given: 0, dropped: 0, heard: 0, refused: 0, missed: 0 });
