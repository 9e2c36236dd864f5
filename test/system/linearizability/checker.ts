/**
 * Decides whether a history of one key is linearizable: whether each operation can be given a moment between its
 * invocation and its answer, so that the operations, one after the other in the order of these moments, explain all
 * answers. Keys are checked one by one, since a history is linearizable if that of each key is.
 *
 * The search is that of Wing and Gong: it chooses a first operation among those that no other one precedes, and
 * continues with the remaining ones. Three rules shorten it, and none of them excludes a solution:
 * - An operation that changes nothing, whatever the value is, is taken as soon as it is possible: later, it explains no
 *   more.
 * - An operation with an unknown outcome has no answer. It may take effect at any later moment, or never.
 * - What remains to be explained depends only on the value and on the operations that were taken. The search never
 *   returns to a combination that failed (Lowe), nor to one that differs only by taking more unknown operations, which
 *   leaves fewer for the rest.
 */

/** The value of a key. It is null if the key is absent. */
export type Value = string | null;

/**
 * What an operation does. `read`: it returned the value. `unmet`: it changed nothing, because the value was not
 * `from`. `change`: it replaced the value `from` by `to`. `step`: `next` returns the values that are possible after it;
 * none if the operation's answer is not possible with the value before it. Steps with the same text do the same.
 */
export type Effect =
  | { readonly kind: "read"; readonly value: Value }
  | { readonly kind: "unmet"; readonly from: Value }
  | { readonly kind: "change"; readonly from: Value; readonly to: Value }
  | { readonly kind: "step"; readonly text: string; readonly next: (value: Value) => readonly Value[] };

/** An operation whose effect is known, or possible. An operation that certainly has no effect is not in a history. */
export interface Operation {
  /** The client and what it has sent, for messages. */
  readonly name: string;
  readonly effect: Effect;
  /** The moment of the invocation, by a clock that all operations share. */
  readonly invokedAt: number;
  /** The moment of the answer; null: there is none, so the effect may occur at any later moment or never. */
  readonly answeredAt: number | null;
}

/** Combinations of operations after which the search gives up. */
const STATES_MAX = 200_000;
/** The number of operations in the text of a violation. */
const SHOWN_MAX = 12;

/**
 * Returns why the history of a key is not linearizable, or null if it is.
 * @param initial  the value before the first operation
 * @throws Error  if the history has too many possible orders
 */
export function findViolation(history: readonly Operation[], initial: Value = null): string | null {
  const operations = [...history].sort((a, b) => a.invokedAt - b.invokedAt);
  const search = new Search(operations);
  return search.explains(initial) ? null : search.violation();
}

/** The state of the search: the operations that were taken, and the value after them. */
class Search {
  readonly #operations: readonly Operation[];
  readonly #isTaken: boolean[];
  /** The indices of the operations with an answer, in the order of their answers. */
  readonly #byAnswer: readonly number[];
  /** The sets of taken operations without an answer that failed, by the value and the taken operations with one. */
  readonly #failed = new Map<string, (readonly number[])[]>();
  #states = 0;
  /** The longest explanation so far, and the value after it. */
  #longest: { readonly taken: readonly boolean[]; readonly count: number; readonly value: Value } = {
    taken: [],
    count: -1,
    value: null,
  };

  constructor(operations: readonly Operation[]) {
    this.#operations = operations;
    this.#isTaken = operations.map(() => false);
    this.#byAnswer = [...operations.keys()]
      .filter((index) => this.#operation(index).answeredAt !== null)
      .sort((a, b) => (this.#operation(a).answeredAt ?? 0) - (this.#operation(b).answeredAt ?? 0));
  }

  /** Returns whether the operations that were not taken can follow, beginning with a value. */
  explains(value: Value): boolean {
    const added = this.#takeUnchanging(value);
    const isExplained = this.#continues(value);
    if (!isExplained) for (const index of added) this.#isTaken[index] = false;
    return isExplained;
  }

  #continues(value: Value): boolean {
    if (this.#byAnswer.every((index) => this.#isTaken[index])) return true;
    if (this.#hasFailed(value)) return false;
    if (++this.#states > STATES_MAX)
      throw new Error(`the history has more than ${STATES_MAX} possible states`);
    this.#note(value);
    for (const index of this.#possible(value)) {
      const { effect } = this.#operation(index);
      if (isUnchanging(effect)) continue;
      this.#isTaken[index] = true;
      if (valuesAfter(effect, value).some((after) => this.explains(after))) return true;
      this.#isTaken[index] = false;
    }
    return false;
  }

  /** Takes the operations that are possible and change nothing. @returns their indices */
  #takeUnchanging(value: Value): number[] {
    const added: number[] = [];
    for (let isMore = true; isMore; ) {
      const found = this.#possible(value).filter((index) => isUnchanging(this.#operation(index).effect));
      for (const index of found) this.#isTaken[index] = true;
      added.push(...found);
      isMore = found.length > 0;
    }
    return added;
  }

  /**
   * Returns the operations that may be the next: those that were invoked before the first answer that is missing, and
   * whose effect the value permits. Operations with an answer are the first. Of equal ones without an answer, only the
   * first is returned.
   */
  #possible(value: Value): number[] {
    const first = this.#byAnswer.find((index) => !this.#isTaken[index]);
    const until = first === undefined ? null : this.#operation(first).answeredAt;
    const found: number[] = [];
    const open = new Set<string>();
    for (const [index, { effect, invokedAt, answeredAt }] of this.#operations.entries()) {
      if (until === null || invokedAt >= until) break;
      const values = this.#isTaken[index] ? [] : valuesAfter(effect, value);
      if (values.length === 0) continue;
      if (answeredAt === null && effect.kind === "step") {
        if (open.has(effect.text) || values.every((after) => after === value)) continue;
        open.add(effect.text);
      }
      found.push(index);
    }
    const isOpen = (index: number) => Number(this.#operation(index).answeredAt === null);
    return found.sort((a, b) => isOpen(a) - isOpen(b));
  }

  /** Returns whether the same combination has failed, or one that has taken fewer operations without an answer. */
  #hasFailed(value: Value): boolean {
    let key = JSON.stringify(value);
    const open: number[] = [];
    for (const [index, isTaken] of this.#isTaken.entries()) {
      if (this.#operation(index).answeredAt !== null) key += isTaken ? "1" : "0";
      else if (isTaken) open.push(index);
    }
    const failed = this.#failed.get(key) ?? [];
    if (failed.some((fewer) => fewer.every((index) => open.includes(index)))) return true;
    this.#failed.set(key, [...failed, open]);
    return false;
  }

  #note(value: Value): void {
    const count = this.#byAnswer.filter((index) => this.#isTaken[index]).length;
    if (count > this.#longest.count) this.#longest = { taken: [...this.#isTaken], count, value };
  }

  /** Returns the first operations after the longest explanation. */
  violation(): string {
    const { taken, count, value } = this.#longest;
    const rest = this.#operations.filter((_, index) => !taken[index]).slice(0, SHOWN_MAX);
    const before = this.#operations.filter((_, index) => taken[index]).slice(-SHOWN_MAX);
    return [
      `${count} of ${this.#byAnswer.length} answers can be explained. Then the value is ${JSON.stringify(value)}, after:`,
      ...before.map(show),
      "None of these can follow:",
      ...rest.map(show),
    ].join("\n");
  }

  #operation(index: number): Operation {
    return this.#operations[index] as Operation;
  }
}

/** Whether an effect changes no value. */
const isUnchanging = ({ kind }: Effect): boolean => kind === "read" || kind === "unmet";

/** Returns the values that are possible after an effect; none if it is not possible with the value before it. */
function valuesAfter(effect: Effect, value: Value): readonly Value[] {
  switch (effect.kind) {
    case "read":
      return effect.value === value ? [value] : [];
    case "unmet":
      return effect.from === value ? [] : [value];
    case "change":
      return effect.from === value ? [effect.to] : [];
    case "step":
      return effect.next(value);
  }
}

function show({ name, effect, invokedAt, answeredAt }: Operation): string {
  return `  ${invokedAt} to ${answeredAt ?? "unknown"}: ${name} ${JSON.stringify(effect)}`;
}
