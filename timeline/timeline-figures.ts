/** A timeline in numbers, for status and metrics. */
export interface TimelineFigures {
  readonly tailUnits: number;
  readonly tailBytes: number;
  /** Units that were undone and redone. */
  readonly redone: number;
  /** Entries that are stored and not folded. */
  readonly waiting: number;
  /** Bytes on disk, or in memory where there is no disk. */
  readonly bytes: number;
}
