/** The entries of one push from a member, or of one retry of the quarantine, until they are on disk. */

export interface IncomingBatch {
  /** The number of parts whose entries were passed to the timeline and are not on disk yet. */
  pending: number;
  /** Whether all entries have been verified, and the valid ones have been passed to the timeline. */
  isRead: boolean;
  /** Called whenever `pending` or `isRead` has changed. */
  readonly changed: () => void;
}
