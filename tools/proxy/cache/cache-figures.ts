/** The counters of a cache. */
export interface CacheFigures {
  /** Reads that were answered from the cache. */
  hits: number;
  /** Reads that were sent to the server. */
  misses: number;
  /** Reads that waited for the answer to the same read of another client. */
  joined: number;
  /** Answers that were stored. */
  stored: number;
  /** Answers that were not stored because their data changed in the meantime. */
  overtaken: number;
  /** Answers that were removed because their data changed. */
  emptied: number;
  /** Statements that were sent to the server unchanged: writes, and all other statements that are not reads. */
  forwarded: number;
  /** Statements that the server did not answer. */
  failed: number;
}

export const emptyFigures = (): CacheFigures => ({
  hits: 0,
  misses: 0,
  joined: 0,
  stored: 0,
  overtaken: 0,
  emptied: 0,
  forwarded: 0,
  failed: 0,
});
