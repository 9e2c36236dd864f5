/** Counters of a cache. */
export interface CacheFigures {
  /** Reads that were answered from the cache. */
  hits: number;
  /** Reads that the server was asked for. */
  misses: number;
  /** Reads that waited for the answer to another's. */
  joined: number;
  /** Answers that were stored in the cache. */
  stored: number;
  /** Answers that were not, since what they depend on was changed meanwhile. */
  overtaken: number;
  /** Answers that were thrown away, since what they depend on was changed. */
  emptied: number;
  /** Statements that went to the server as they were: writes, and any other statement that is not a read. */
  forwarded: number;
  /** Statements that the server did not answer. */
  failed: number;
}

export const noFigures = (): CacheFigures => ({
  hits: 0,
  misses: 0,
  joined: 0,
  stored: 0,
  overtaken: 0,
  emptied: 0,
  forwarded: 0,
  failed: 0,
});
