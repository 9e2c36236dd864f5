/** A rule of the timeline, broken in one position of the compiled code. */
export interface Mutant {
  readonly name: string;
  /** Compiled file, from the build's root. */
  readonly file: string;
  /** Occurs in the file exactly once. */
  readonly find: string;
  readonly replace: string;
  /**
   * What must detect it: a complete run, one with member lists, or, for rules without visible effect in daemons, the
   * fold or a handover alone.
   */
  readonly killer?: "simulation" | "lists" | "fold" | "handover";
  /** The first seed that detected it, if earlier ones take long; later ones are tried too. */
  readonly from?: number;
  /**
   * The test file that must detect it instead, from the build's root: for cases that runs rarely produce, or that a
   * single byzantine member cannot.
   */
  readonly test?: string;
}
