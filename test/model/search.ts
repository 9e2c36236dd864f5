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
  /** Whether it runs only if a word selects it, because it takes long. */
  readonly isLong?: true;
  /** The file in docs/model/traces that contains the steps to the violation, without `.txt`. */
  readonly trace?: string;
}

/** Returns a search in which every rule holds. @param model  its name, followed by its defines */
export function holds(name: string, model: string, search: "all" | "random" = "all"): Search {
  return { name, ...modelOf(model), search, violates: null };
}

/**
 * Returns a search that finds a mistake.
 * @param violates  the rule that the mistake violates
 * @param model  its name, followed by the defines that leave out a rule
 */
export function mistake(name: string, violates: string, model: string, trace: string): Search {
  return { name: `mistake: ${name}`, ...violation(violates, model, trace) };
}

/** Returns a search that shows what the rules do not guarantee, with the parameters of `mistake`. */
export function limit(name: string, violates: string, model: string, trace: string): Search {
  return { name: `limit: ${name}`, ...violation(violates, model, trace) };
}

function violation(violates: string, model: string, trace: string): Omit<Search, "name"> {
  return { ...modelOf(model), search: "shortest", violates, trace };
}

function modelOf(text: string): Pick<Search, "model" | "defines"> {
  const [model = "", ...defines] = text.split(" ");
  return { model, defines };
}
