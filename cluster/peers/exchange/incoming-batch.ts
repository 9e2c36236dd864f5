/** A push from a member, or what a quarantine gives back, on its way to the disk. */

export interface IncomingBatch {
  /** Parts of it whose entries were handed to the timeline and are not on disk yet. */
  pending: number;
  /** All of it has been verified, and what was good has been handed over. */
  isRead: boolean;
  /** Called whenever one of the two has changed. */
  readonly changed: () => void;
}
