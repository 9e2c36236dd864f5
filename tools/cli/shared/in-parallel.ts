/** Processes many items, a given number at a time. */

/**
 * Processes all items. After a failure it starts no further item, waits for those in progress, and throws the first
 * error.
 */
export async function inParallel<T>(
  items: AsyncGenerator<T> | Generator<T>,
  concurrency: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const failures: unknown[] = [];
  const one = async () => {
    while (failures.length === 0) {
      const { done, value } = await items.next();
      if (done === true) return;
      await work(value);
    }
  };
  await Promise.all(
    Array.from({ length: concurrency }, () =>
      one().catch((problem: unknown) => {
        failures.push(problem);
      }),
    ),
  );
  if (failures.length > 0) throw failures[0];
}
