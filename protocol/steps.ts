/** Long work in steps, between which others may be served: who runs it decides how many steps make a turn. */

/** Items of one step. */
export const STEP_ITEMS = 512;

/** All steps at once. */
export function finish<A>(work: Iterator<void, A>): A {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}

/** The same order as `toSorted`, which equal items keep. */
export function* sortedInSteps<Item>(
  items: readonly Item[],
  compare: (a: Item, b: Item) => number,
): Generator<void, readonly Item[]> {
  let sorted: Item[] = [];
  for (let from = 0; from < items.length; from += STEP_ITEMS) {
    for (const item of items.slice(from, from + STEP_ITEMS).sort(compare)) sorted.push(item);
    yield;
  }
  for (let width = STEP_ITEMS; width < sorted.length; width *= 2) {
    const merged: Item[] = [];
    for (let from = 0; from < sorted.length; from += 2 * width)
      yield* merge(sorted, { from, middle: from + width, end: from + 2 * width }, merged, compare);
    sorted = merged;
  }
  return sorted;
}

function* merge<Item>(
  sorted: readonly Item[],
  runs: { readonly from: number; readonly middle: number; readonly end: number },
  merged: Item[],
  compare: (a: Item, b: Item) => number,
): Generator<void, void> {
  const middle = Math.min(runs.middle, sorted.length);
  const end = Math.min(runs.end, sorted.length);
  for (let one = runs.from, two = middle; one < middle || two < end; ) {
    const isSecond = one === middle || (two < end && compare(sorted[two] as Item, sorted[one] as Item) < 0);
    merged.push(sorted[isSecond ? two++ : one++] as Item);
    if (merged.length % STEP_ITEMS === 0) yield;
  }
}
