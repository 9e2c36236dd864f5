/**
 * Collects the names of tables and views from which a query reads rows. Whether a name is a table or a view depends on
 * the data.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import {
  type Delete,
  type Expression,
  expressionsOf,
  expressionsOfChange,
  type Insert,
  operandsOf,
  type Query,
  queryIn,
  type Update,
} from "./syntax-tree.js";

export function namesIn(query: Query): ReadonlySet<ByteString> {
  const names = new Set<ByteString>();
  addNames(query, names);
  return names;
}

/** Collects the names from which the queries in the expressions of a change read rows. */
export function namesInChange(change: Insert | Update | Delete): ReadonlySet<ByteString> {
  const names = new Set<ByteString>();
  if (change.hasSubqueries === true) for (const each of expressionsOfChange(change)) addNamesIn(each, names);
  return names;
}

function addNames(query: Query, names: Set<ByteString>): void {
  if (query.kind === "set") {
    addNames(query.left, names);
    addNames(query.right, names);
    return;
  }

  const sources = [query.source, ...query.joins.map(({ source }) => source)];
  for (const source of sources) {
    if (source?.kind === "named") names.add(source.name);
    else if (source?.kind === "derived") addNames(source.query, names);
  }
  if (query.hasSubqueries === true) for (const each of expressionsOf(query)) addNamesIn(each, names);
}

function addNamesIn(expression: Expression, names: Set<ByteString>): void {
  const inner = queryIn(expression);
  if (inner !== undefined) addNames(inner.query, names);
  for (const operand of operandsOf(expression)) addNamesIn(operand, names);
}
