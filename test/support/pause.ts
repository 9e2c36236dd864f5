/** Pauses, and limits the time of a promise. To wait for a condition, use until.ts. */

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Returns the result of a promise, or null if it has not settled after `ms` milliseconds. */
export async function within<T>(ms: number, promise: Promise<T>): Promise<T | null> {
  return await Promise.race([promise, pause(ms).then(() => null)]);
}
