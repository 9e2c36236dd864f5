/** A search of `npm run model`: a model of docs/model, its size, and what the checker must find. */

export interface Search {
  /** What is searched. `npm run model -- word` selects the searches whose name contains the word. */
  readonly name: string;
  /** The file in docs/model, without `.pml`. */
  readonly model: string;
  /** The sizes and features, and for a mutant the rule that it breaks: `NAME` or `NAME=value`. */
  readonly defines: readonly string[];
  /**
   * `all`: every reachable state. `random`: as many states as RANDOM_MINUTES allow. `shortest`: every state, the
   * nearest first, so that the trace of a mutant is as short as possible.
   */
  readonly search: "all" | "random" | "shortest";
  /** The text of the rule that the checker must find violated (`violated: …` in the model); null: every rule holds. */
  readonly violates: string | null;
  /** The file in docs/model/traces that contains the steps to the violation, without `.txt`. */
  readonly trace?: string;
}

/** Returns a search in which every rule holds. */
export function holds(
  name: string,
  model: string,
  defines: string,
  search: "all" | "random" = "all",
): Search {
  return { name, model, defines: defines.split(" "), search, violates: null };
}

/** Returns a search that finds a mistake: `defines` leave out a rule of the model, or make it impossible to keep. */
export function mistake(
  name: string,
  violates: string,
  model: string,
  defines: string,
  trace: string,
): Search {
  const common = { model, defines: defines.split(" "), search: "shortest", violates, trace } as const;
  return { name: `mistake: ${name}`, ...common };
}
