/** Long work, divided into steps that are much shorter than a turn. The process serves other requests between turns. */
export type Steps<A> = Generator<undefined, A, undefined>;

/** The number of items of one step. */
export const STEP_ITEMS = 512;
/** The length of one turn in milliseconds, after which the event loop serves other connections. */
export const TURN_MS = 5;
/** The length of one turn of background work, for which no client is waiting. */
export const BACKGROUND_TURN_MS = 2;

export interface TurnClock {
  /** Returns the milliseconds since an arbitrary start; never jumps. */
  readonly uptime: () => number;
  /** Runs a step in a later turn of the event loop. */
  readonly soon: (step: () => void) => void;
}

export interface TurnOptions {
  /** The length of a turn; default `TURN_MS`. */
  readonly milliseconds?: number;
  /** Called before each further turn. If it returns false, the work is discarded, and its promise never settles. */
  readonly isWanted?: () => boolean;
}

/** Runs all steps without interruption and returns their result. */
export function finish<A>(work: Iterator<unknown, A>): A {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}

/**
 * Runs at least one step, and further ones until the turn is over. Returns the result of the work; null if more steps
 * remain.
 */
export function runTurn<A>(
  work: Iterator<unknown, A>,
  uptime: () => number,
  milliseconds = TURN_MS,
): { readonly value: A } | null {
  const end = uptime() + milliseconds;
  do {
    const step = work.next();
    if (step.done === true) return step;
  } while (uptime() < end);
  return null;
}

/**
 * Runs work in turns of the event loop, the first one immediately.
 *
 * @returns the result of the work or, if it needs more than one turn, a promise for it, which rejects if a later turn
 *   throws
 */
export function inTurns<A>(
  work: Iterator<unknown, A>,
  { uptime, soon }: TurnClock,
  { milliseconds, isWanted }: TurnOptions = {},
): A | Promise<A> {
  const first = runTurn(work, uptime, milliseconds);
  if (first !== null) return first.value;

  return new Promise<A>((resolve, reject) => {
    const next = () => {
      if (isWanted?.() === false) return;
      try {
        const done = runTurn(work, uptime, milliseconds);
        if (done === null) soon(next);
        else resolve(done.value);
      } catch (problem) {
        reject(problem);
      }
    };
    soon(next);
  });
}

/** Calls a function for each item, and returns the results. */
export function* mappedInSteps<Item, Made>(
  items: readonly Item[],
  make: (item: Item) => Made,
): Generator<void, Made[]> {
  const made: Made[] = [];
  for (const item of items) if (made.push(make(item)) % STEP_ITEMS === 0) yield;
  return made;
}

/** The steps of sorting. */
export interface SortingSteps {
  /** The number of items that are sorted in one step; default `STEP_ITEMS`. */
  readonly items?: number;
  /** Whether a step ends now, although fewer than `STEP_ITEMS` items were merged. */
  readonly endsNow?: () => boolean;
}

/** Sorts items like `toSorted`; the order of equal items is preserved. */
export function* sortedInSteps<Item>(
  items: readonly Item[],
  compare: (a: Item, b: Item) => number,
  { items: step = STEP_ITEMS, endsNow = () => false }: SortingSteps = {},
): Generator<void, readonly Item[]> {
  let sorted: Item[] = [];
  for (let from = 0; from < items.length; from += step) {
    for (const item of items.slice(from, from + step).sort(compare)) sorted.push(item);
    if (step > 1 || from % STEP_ITEMS === 0) yield;
  }

  for (let width = step; width < sorted.length; width *= 2) {
    const merged: Item[] = [];
    for (let from = 0; from < sorted.length; from += 2 * width)
      yield* merge(sorted, { from, middle: from + width, end: from + 2 * width }, merged, compare, endsNow);
    sorted = merged;
  }
  return sorted;
}

function* merge<Item>(
  sorted: readonly Item[],
  runs: { readonly from: number; readonly middle: number; readonly end: number },
  merged: Item[],
  compare: (a: Item, b: Item) => number,
  endsNow: () => boolean,
): Generator<void, void> {
  const middle = Math.min(runs.middle, sorted.length);
  const end = Math.min(runs.end, sorted.length);
  for (let one = runs.from, two = middle; one < middle || two < end; ) {
    const isSecond = one === middle || (two < end && compare(sorted[two] as Item, sorted[one] as Item) < 0);
    merged.push(sorted[isSecond ? two++ : one++] as Item);
    if (merged.length % STEP_ITEMS === 0 || endsNow()) yield;
  }
}
