/** Justified differences from redis-server's events, hits and misses. Everything else is compared. */

interface Other {
  readonly reason: string;
  /** Whether a call differs. @param words in upper case */
  readonly isSo: (words: readonly string[]) => boolean;
  /** Whether only hits, misses and their events differ, and the remaining events are compared. */
  readonly ofLookups?: true;
}

const byPatterns: Other = {
  ofLookups: true,
  reason: "the order in which the keys of patterns are looked up differs between servers",
  isSo: (words: readonly string[]) => words.includes("BY") || words.includes("GET"),
};

const looksTwice: Other = {
  reason: "redis-server looks up each stream twice",
  isSo: () => true,
  ofLookups: true,
};

/** The differences, by the command's name in upper case. */
export const otherEvents: Readonly<Record<string, Other>> = {
  SORT: byPatterns,
  SORT_RO: byPatterns,
  SPOP: { reason: "each server chooses different members", isSo: () => true },
  XADD: {
    reason:
      "ids from the clock differ between servers, and approximate trimming depends on redis-server's nodes",
    isSo: (words) => words.some((word) => word.endsWith("*") || word === "~"),
  },
  XTRIM: {
    reason: "approximate trimming depends on redis-server's nodes",
    isSo: (words) => words.includes("~"),
  },
  SET: {
    reason:
      "redis-server reports that an already expired string was set and will expire, and later that it has expired",
    isSo: (words) => words.some((word) => /^(EX|PX)AT$/.test(word)),
  },
  XREAD: looksTwice,
  XREADGROUP: looksTwice,
  SCAN: {
    reason: "with TYPE redis-server looks up each key that it has found",
    isSo: (words) => words.includes("TYPE"),
    ofLookups: true,
  },
  WRITERS: { reason: "Redis does not have it", isSo: () => true },
};
