/** A mutant: one rule, broken at one position of the compiled code. */
export interface Mutant {
  readonly name: string;
  /** The compiled file, relative to the build's root. */
  readonly file: string;
  /** The text to replace. It occurs exactly once in the file. */
  readonly find: string;
  readonly replace: string;
  /**
   * The kind of run that must detect the mutant: a complete run, or a complete run with member lists. For rules whose
   * effect is not visible in daemons, it is a run of the fold or of a handover alone.
   */
  readonly killer?: "simulation" | "lists" | "fold" | "handover";
  /** The first seed to try, if earlier ones take too long. Later seeds are tried as well. */
  readonly from?: number;
  /**
   * The test file that must detect the mutant instead of runs, relative to the build's root. It is for cases that runs
   * rarely produce, or that a single byzantine member cannot cause.
   */
  readonly test?: string;
}
