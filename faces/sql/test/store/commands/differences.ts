/**
 * The recorded steps whose replies differ here, with the reasons. This is the only table of differences. Steps are
 * numbered from 0.
 */
export interface Difference {
  readonly reason: string;
  /** Whether our reply is an error that names the wrong word, its line and its column. */
  readonly namesPosition?: boolean;
  readonly steps: Readonly<Record<string, readonly number[]>>;
}

export const DIFFERENCES: readonly Difference[] = [
  {
    reason:
      "the error for an invalid statement contains the word, the line, the column and a caret; the original's describes its parser",
    namesPosition: true,
    steps: {
      domains: [6, 7],
      "join-errors": [1, 6],
      "set-operations": [12],
      "select-shapes": [9, 17],
      expressions: [15],
      limit: [7],
      group: [14],
      views: [12, 14],
      errors: [
        ...[
          0, 2, 3, 4, 5, 8, 9, 11, 12, 13, 15, 17, 19, 25, 26, 27, 29, 30, 33, 39, 40, 41, 42, 43, 48, 49, 50,
        ],
      ],
      literals: [2, 3, 12, 15, 16, 19],
      "lb-errors": [5],
      "cache-invalidated-by-write": [7],
    },
  },
  {
    reason:
      "an enumeration's values are listed in the order of the statement; the original uses the order of a hash",
    steps: { domains: [11, 14] },
  },
  {
    reason: "texts have an order, and a text that is a number equals the number (defect 6)",
    steps: { expressions: [11] },
  },
  {
    reason: "an alias of a table or query is the origin of its columns, instead of a random id",
    steps: { joins: [14] },
  },
  { reason: "a table is joined with itself under aliases (defect 6)", steps: { "join-errors": [4] } },
  { reason: "aggregate functions without groups cover all rows", steps: { group: [7, 16] } },
  { reason: "max and min are supported", steps: { group: [11] } },
  { reason: "the name of a Java class is left out", steps: { group: [15] } },
  {
    reason: "views can be read, whatever their query, including its limit (defect 5)",
    steps: { "views-original-defects": [2, 4, 6, 8, 10, 18] },
  },
  {
    reason: "no view hides a table, and rows cannot be inserted into a view (defect 5)",
    steps: { "views-original-defects": [13, 14, 15, 16, 17, 20] },
  },
  { reason: "statements in English words are supported", steps: { errors: [1] } },
  { reason: "negative numbers are values (defect 6)", steps: { errors: [18] } },
  { reason: "describe is supported", steps: { errors: [51] } },
  {
    reason:
      "a rejected USE changes nothing (defect 4), so a database exists later that the original had not created",
    steps: {
      "lb-use-unknown-database-sticks": [1, 2],
      "lb-drop-database": [4, 5],
      "cache-no-database-key": [2, 3],
    },
  },
  {
    reason: "there is one state: no second server that is unreachable or has missed a statement (defect 2)",
    steps: {
      "replication-is-by-statement": [6],
      "lb-one-master-down": [...[6, 7, 8, 9, 11, 12, 14, 16, 17, 21, 23, 24, 25]],
      "lb-read-master-down": [...[3, 4, 7, 8, 10, 11, 13, 14, 15]],
    },
  },
  { reason: "there is no cache that would store errors", steps: { "cache-stores-errors": [4] } },
];

/** Scenarios about frames, not statements. */
export const FRAMING: ReadonlySet<string> = new Set(["framing"]);
/** The step before which the servers are emptied. */
export const EMPTIED_BEFORE = "lb-no-database-round-robin";
