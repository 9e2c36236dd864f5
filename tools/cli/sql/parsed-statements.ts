/**
 * Parses statements by the daemon's grammar. `dbsync sql` loads this module when it needs it, because it is larger than
 * the rest of the program.
 */

import { parse } from "../../../faces/sql/store/grammar/parse.js";
import { SqlMistake } from "../../../faces/sql/store/grammar/syntax-error.js";
import type { Query, Source, Statement } from "../../../faces/sql/store/grammar/syntax-tree.js";
import { type ByteString, bytesOfText, textOfBytes } from "../../../protocol/byte-string.js";
import { isName, type ViewQuery, type ViewSource } from "./view-tree.js";

/** Returns the database that a statement selects, or null if it selects none. */
export function databaseChosenBy(statement: string): string | null {
  const parsed = parsedOf(statement);
  return parsed?.kind === "use" ? textOfBytes(parsed.name) : null;
}

/** Parses the text of a view in either language. @returns null if the earlier server could not read the query */
export function readView(text: string): ViewQuery | null {
  const parsed = parsedOf(text);
  return parsed?.kind === "query" ? viewQuery(parsed.query) : null;
}

function parsedOf(text: string): Statement | null {
  const { statement } = parse(bytesOfText(text));
  return statement instanceof SqlMistake ? null : statement;
}

function viewQuery(query: Query): ViewQuery | null {
  if (query.orderBy.length > 0 || query.limit !== null) return null;
  if (query.kind === "set") {
    const [left, right] = [viewQuery(query.left), viewQuery(query.right)];
    if (left === null || right === null) return null;
    return query.operator === "union-all" ? null : { kind: "set", operator: query.operator, left, right };
  }

  const { isDistinct, fields, where, groupBy, having } = query;
  const hasMore = [fields, where, groupBy, having].some((part) => part !== null);
  const from = query.source === null ? null : viewSource(query.source);
  if (isDistinct || hasMore || from === null) return null;

  const joins = query.joins.flatMap(({ kind, source, on }) => {
    const joined = on === null ? viewSource(source) : null;
    return joined === null ? [] : [{ kind, source: joined }];
  });
  return joins.length === query.joins.length ? { kind: "select", from, joins } : null;
}

function viewSource(source: Source): ViewSource | null {
  const alias = source.alias === null ? null : nameOf(source.alias);
  if (source.alias !== null && alias === null) return null;
  if (source.kind === "named") {
    const name = nameOf(source.name);
    return name === null ? null : { kind: "named", name, alias };
  }
  const query = viewQuery(source.query);
  return query === null || alias === null ? null : { kind: "derived", query, alias };
}

/** Returns a name as text, or null if it is invalid for the earlier server. */
function nameOf(bytes: ByteString): string | null {
  const name = textOfBytes(bytes);
  return isName(name) ? name : null;
}
