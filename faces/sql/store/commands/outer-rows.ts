/**
 * The rows of enclosing queries, whose columns a query in an expression may name, and the results of queries that
 * remain valid for several of these rows.
 */
import type { Column } from "../grammar/syntax-tree.js";
import type { RelationColumn, RelationRow } from "./relation-row.js";

/** Thrown when a query names a column of a row that is not known yet. */
export class NamesOuterRow extends Error {
  override readonly name = "NamesOuterRow";
  readonly outer: OuterRow;
  readonly column: Column;

  constructor(outer: OuterRow, column: Column) {
    super(`a query names ${column.name}`);
    this.outer = outer;
    this.column = column;
  }
}

/** A result, and the rows that it depends on. */
export interface Tracked<Value> {
  readonly value: Value;
  readonly reads: readonly OuterRow[];
}

/** The current row of the query around a query, and those of the queries around that one. */
export class OuterRow {
  readonly columns: readonly RelationColumn[];
  readonly outer: OuterRow | undefined;
  /** The row; null before the query around is executed, while its expressions are prepared. */
  row: RelationRow | null = null;
  /** Indexes of the columns that the query that is being executed has named. */
  named = new Set<number>();
  /** Number of times that the row was read, or a result that depends on it. */
  reads = 0;
  /** Results that do not depend on the row. */
  readonly results = new Map<object, Tracked<unknown>>();

  constructor(columns: readonly RelationColumn[], outer: OuterRow | undefined) {
    this.columns = columns;
    this.outer = outer;
  }
}

/** Returns a row and the rows of the queries around its query, the innermost first. */
export function chainOf(outer: OuterRow | undefined): readonly OuterRow[] {
  const rows: OuterRow[] = [];
  for (let row = outer; row !== undefined; row = row.outer) rows.push(row);
  return rows;
}

/** Returns the number of results that are known for a row and the rows of the queries around its query. */
export const resultsIn = (outer: OuterRow): number =>
  chainOf(outer).reduce((sum, { results }) => sum + results.size, 0);

/** Whether the query is executed for a row of a query around it, so that it is probably executed often. */
export const isRepeated = (outer: OuterRow | undefined): boolean =>
  chainOf(outer).some(({ row }) => row !== null);

/** Notes that a known result, which depends on these rows, is used again. */
export function readAgain({ reads }: Tracked<unknown>): void {
  for (const row of reads) row.reads++;
}

/** Computes a result and determines on which of the enclosing rows it depends. */
export function* tracked<Value>(
  outer: OuterRow | undefined,
  compute: () => Generator<void, Value>,
): Generator<void, Tracked<Value>> {
  const rows = chainOf(outer).map((row) => ({ row, before: row.reads }));
  const value = yield* compute();
  return { value, reads: rows.flatMap(({ row, before }) => (row.reads === before ? [] : [row])) };
}

/**
 * Computes a result once for as long as the rows remain on which it depends.
 * @param key identifies the result
 */
export function* onceForRows<Value>(
  key: object,
  outer: OuterRow | undefined,
  compute: () => Generator<void, Value>,
): Generator<void, Value> {
  const rows = chainOf(outer);
  for (const { results } of rows) {
    const known = results.get(key) as Tracked<Value> | undefined;
    if (known === undefined) continue;
    readAgain(known);
    return known.value;
  }

  const result = yield* tracked(outer, compute);
  const end = rows.findIndex((row) => result.reads.includes(row));
  (end < 0 ? rows.at(-1) : rows[end - 1])?.results.set(key, result);
  return result.value;
}
