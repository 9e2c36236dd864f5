/**
 * Classifies statements for the balancer and the cache: whether a statement changes data, which objects it reads or
 * changes, and which object determines its placement. It uses only the statement's bytes: the syntax tree of
 * faces/sql/store/grammar if there is one, otherwise only the first word, as the original balancer does.
 */

import { readSessionRequest } from "../../../faces/sql/bytes/sql-statement.js";
import { parse } from "../../../faces/sql/store/grammar/parse.js";
import { namesIn } from "../../../faces/sql/store/grammar/query-names.js";
import { SqlMistake } from "../../../faces/sql/store/grammar/syntax-error.js";
import type { ObjectKind, Statement } from "../../../faces/sql/store/grammar/syntax-tree.js";
import type { ByteString } from "../../../protocol/byte-string.js";

/** The objects that a read depends on, or that a write changes. */
export type AffectedObjects =
  /**
   * Rows of tables in the connection's database. In a read, a name may also be that of a view, which depends on all
   * tables of that database. If there are no names, the read depends on no data (`alaivo 1`).
   */
  | { readonly kind: "tables"; readonly names: ReadonlySet<ByteString> }
  /** Any object in the connection's database. */
  | { readonly kind: "database" }
  /** Any object on the server, such as the list of its databases. */
  | { readonly kind: "server" };

/** The object that determines the placement of a write: an object in the connection's database, or a database. */
export interface PlacedObject {
  readonly kind: "database" | ObjectKind;
  readonly name: ByteString;
}

export type StatementKind =
  | { readonly kind: "read"; readonly affected: AffectedObjects }
  /** `object` is null if it is unknown. */
  | { readonly kind: "write"; readonly affected: AffectedObjects; readonly object: PlacedObject | null }
  | { readonly kind: "use"; readonly database: ByteString }
  /** The statement changes only its connection: `login`, `pages`. */
  | { readonly kind: "connection" };

const READING = /^\s*(?:alaivo|asehoy|famaritana|(?:select|show|describe)\b)/i;
const USING = /^\s*(?:ampiasao|use)[ \t\r\n]+([^ \t\r\n;]+)[ \t\r\n]*$/i;

const SERVER: AffectedObjects = { kind: "server" };
const DATABASE: AffectedObjects = { kind: "database" };

/** Classifies a statement. @param text  without surrounding spaces and without the final `;` */
export function statementKind(text: ByteString): StatementKind {
  if (readSessionRequest(text) !== null) return { kind: "connection" };
  const { statement } = parse(text);
  return statement instanceof SqlMistake ? byFirstWord(text) : byTree(statement);
}

/** Classifies a statement that this program cannot parse, although a server may know it. */
function byFirstWord(text: ByteString): StatementKind {
  if (READING.test(text)) return { kind: "read", affected: SERVER };
  const [, database] = USING.exec(text) ?? [];
  return database === undefined
    ? { kind: "write", affected: SERVER, object: null }
    : { kind: "use", database };
}

function byTree(statement: Statement): StatementKind {
  switch (statement.kind) {
    case "query":
      return { kind: "read", affected: { kind: "tables", names: namesIn(statement.query) } };
    case "show":
      return { kind: "read", affected: statement.what === "database" ? SERVER : DATABASE };
    case "describe":
      return { kind: "read", affected: DATABASE };
    case "use":
      return { kind: "use", database: statement.name };
    case "create-database":
    case "drop-database":
      return { kind: "write", affected: SERVER, object: { kind: "database", name: statement.name } };
    case "create-table":
    case "create-domain":
    case "create-view": {
      const kind = statement.kind.slice("create-".length) as ObjectKind;
      return { kind: "write", affected: DATABASE, object: { kind, name: statement.name } };
    }
    case "create-index":
      return { kind: "write", affected: DATABASE, object: { kind: "table", name: statement.table } };
    case "drop":
      // Only the server knows which table has the index.
      if (statement.what === "index") return { kind: "write", affected: DATABASE, object: null };
      return { kind: "write", affected: DATABASE, object: { kind: statement.what, name: statement.name } };
    case "insert":
    case "update":
    case "delete": {
      const { table: name } = statement;
      const affected: AffectedObjects = { kind: "tables", names: new Set([name]) };
      return { kind: "write", affected, object: { kind: "table", name } };
    }
  }
}
