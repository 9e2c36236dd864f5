/** A rule of the timeline, broken in one place of the compiled code. */
export interface Mutant {
  readonly name: string;
  /** Compiled file, from the build's root. */
  readonly file: string;
  /** Stands in it exactly once. */
  readonly find: string;
  readonly replace: string;
  /** What has to find it out: a run of the whole, one with lists of members, or, for rules below what daemons show, the fold or a handover by itself. */
  readonly killer?: "simulation" | "lists" | "fold" | "handover";
  /** The first seed that found it out, where those before cost much; later ones are tried too. */
  readonly from?: number;
  /** The test file that has to find it out instead, from the build's root: what runs bring about seldom, or one bad member alone cannot. */
  readonly test?: string;
}
