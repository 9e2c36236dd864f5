/** Binary search in ascending numbers. */

/** Returns the index of the first number that is not less than `wanted`. */
export function firstIndexFrom(numbers: readonly number[], wanted: number): number {
  let low = 0;
  let high = numbers.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((numbers[middle] as number) < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Returns the index of the first ascending item that is not below a bound. The usual case, a bound beyond the last
 * item, is checked first.
 */
export function firstFrom<T extends number | string>(items: readonly T[], bound: T): number {
  const last = items.at(-1);
  if (last === undefined || last < bound) return items.length;
  let low = 0;
  let high = items.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((items[middle] as T) < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}
