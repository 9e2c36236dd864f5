/**
 * The working memory of a long query: what it stores between its steps, while other commands run. The caller grants it,
 * because only the caller knows what other queries hold.
 */
export interface MemoryGrant {
  /**
   * Reserves bytes until the query ends.
   * @throws WorkingMemoryExceeded if the query may not hold more
   */
  take(bytes: number): void;
}

/** Thrown when a query needs more working memory than it may hold. The caller discards the work of the query. */
export class WorkingMemoryExceeded extends Error {
  override readonly name = "WorkingMemoryExceeded";
}

/** The working memory of queries in tests, and of a database that is not part of a daemon. */
export const UNLIMITED_MEMORY: MemoryGrant = { take: () => {} };
