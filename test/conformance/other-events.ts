/** Justified differences from redis-server's events, hits and misses. Everything else is compared. */

interface Other {
  readonly reason: string;
  /** Whether a call differs. @param words  in upper case */
  readonly isSo: (words: readonly string[]) => boolean;
  /** Whether only hits, misses and their events differ, and the remaining events are compared. */
  readonly ofLookups?: true;
}

const byPatterns: Other = {
  ofLookups: true,
  reason: "in which order the keys of patterns are looked for is each server's own",
  isSo: (words: readonly string[]) => words.includes("BY") || words.includes("GET"),
};

const looksTwice: Other = {
  reason: "redis-server looks for each stream twice",
  isSo: () => true,
  ofLookups: true,
};

/** Command's name in upper case → difference. */
export const otherEvents: Readonly<Record<string, Other>> = {
  SORT: byPatterns,
  SORT_RO: byPatterns,
  SPOP: { reason: "each server takes members of its own", isSo: () => true },
  XADD: {
    reason: "ids by the clock are each server's own, and nearly trimmed is so by its nodes",
    isSo: (words) => words.some((word) => word.endsWith("*") || word === "~"),
  },
  XTRIM: { reason: "nearly trimmed is trimmed by its nodes", isSo: (words) => words.includes("~") },
  SET: {
    reason:
      "redis-server tells that a string is set and is to expire that has expired, and later that it has",
    isSo: (words) => words.some((word) => /^(EX|PX)AT$/.test(word)),
  },
  XREAD: looksTwice,
  XREADGROUP: looksTwice,
  SCAN: {
    reason: "with TYPE redis-server looks for each key that it has found",
    isSo: (words) => words.includes("TYPE"),
    ofLookups: true,
  },
  WRITERS: { reason: "Redis does not have it", isSo: () => true },
};
