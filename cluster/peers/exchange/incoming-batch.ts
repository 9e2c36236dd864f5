/** A push from a member, or retried entries of the quarantine, on the way to the disk. */

export interface IncomingBatch {
  /** Parts of it whose entries were handed to the timeline and are not on disk yet. */
  pending: number;
  /** Whether all of it has been verified, and good entries have been handed over. */
  isRead: boolean;
  /** Called whenever one of the two has changed. */
  readonly changed: () => void;
}
