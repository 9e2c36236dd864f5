/**
 * Expressions that may take long, and how a query in steps calculates them. Functions of a document (filters,
 * projections, groups) calculate expressions without steps. If one does not end within a slice, they stop with a
 * `LongEvaluation`; the query completes it in steps, and calls the function again, which finds the value.
 */
import { finish, STEP_ITEMS } from "../../../../protocol/steps.js";
import type { Bson, BsonDocument } from "../values/bson.js";
import type { Work } from "./mongo-failure.js";

type Evaluation = Generator<void, Bson | undefined>;

/** A function that returns the value for a document, or undefined if there is no value. */
export interface Expression {
  (root: BsonDocument): Bson | undefined;
  /** Calculates the value in steps. Only expressions that may take long have it. */
  readonly inSteps?: (root: BsonDocument) => Evaluation;
}

/** Returns an expression that may take long. The generator must yield only at the end of a slice. */
export const long = (inSteps: (root: BsonDocument) => Evaluation): Expression =>
  Object.assign((root: BsonDocument) => finish(inSteps(root)), { inSteps });

/** Returns an expression of parts, which may take long if one of the parts may. @param now calculates without steps */
export const composed = (
  parts: readonly Expression[],
  now: (root: BsonDocument) => Bson | undefined,
  inSteps: (root: BsonDocument) => Evaluation,
): Expression => (parts.some((part) => part.inSteps !== undefined) ? long(inSteps) : now);

/** Calculates an expression in steps. */
export function* valueIn(expression: Expression, root: BsonDocument): Evaluation {
  return expression.inSteps === undefined ? expression(root) : yield* expression.inSteps(root);
}

/** Calculates several expressions in steps. */
export function* valuesIn(
  expressions: readonly Expression[],
  root: BsonDocument,
): Generator<void, (Bson | undefined)[]> {
  const values: (Bson | undefined)[] = [];
  for (const each of expressions)
    values.push(each.inSteps === undefined ? each(root) : yield* each.inSteps(root));
  return values;
}

/** Thrown by a function of a document if an expression does not end within a slice. Not an error: it has no stack. */
export class LongEvaluation {
  readonly root: BsonDocument;
  value: Bson | undefined;
  readonly #remaining: Evaluation;

  constructor(root: BsonDocument, remaining: Evaluation) {
    this.root = root;
    this.#remaining = remaining;
  }

  *complete(): Generator<void, void> {
    yield;
    this.value = yield* this.#remaining;
  }
}

/**
 * Returns an expression that calculates within a slice.
 * @throws LongEvaluation the first time that the expression does not end; with the same document, it then has a value
 */
export function withinSlice({ inSteps }: Required<Pick<Expression, "inSteps">>): Expression {
  let last: LongEvaluation | null = null;
  return (root) => {
    if (last?.root === root) return last.value;
    last = null;
    const evaluation = inSteps(root);
    const first = evaluation.next();
    if (first.done === true) return first.value;
    last = new LongEvaluation(root, evaluation);
    throw last;
  };
}

/**
 * Calls a function of a document until its long expressions are complete.
 * @param calculate  changes nothing before it has evaluated its expressions, always for the same document
 * @param first  the expression with which an earlier call has stopped
 */
export function* settled<Made>(calculate: () => Made, first?: LongEvaluation): Generator<void, Made> {
  if (first !== undefined) yield* first.complete();
  for (;;) {
    try {
      return calculate();
    } catch (problem) {
      if (!(problem instanceof LongEvaluation)) throw problem;
      yield* problem.complete();
    }
  }
}

/** Calls a function for each item, as `settled` does, and returns the results. Yields at the end of each slice. */
export function* mappedInSlices<Item, Made>(
  items: readonly Item[],
  { effort }: Work,
  make: (item: Item) => Made,
): Generator<void, Made[]> {
  const made: Made[] = [];
  for (const item of items) {
    try {
      made.push(make(item));
    } catch (problem) {
      if (!(problem instanceof LongEvaluation)) throw problem;
      made.push(yield* settled(() => make(item), problem));
    }
    if (effort.endsSlice() || made.length % STEP_ITEMS === 0) yield;
  }

  return made;
}
