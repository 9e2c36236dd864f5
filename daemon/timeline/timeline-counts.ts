/** The figures of a timeline, for status and metrics. */
export interface TimelineFigures {
  readonly tailUnits: number;
  readonly tailBytes: number;
  /** The number of units that were undone and redone. */
  readonly redone: number;
  /** The number of entries that are stored but not folded. */
  readonly waiting: number;
  /** The bytes on disk, or in memory if there is no disk. */
  readonly bytes: number;
}
