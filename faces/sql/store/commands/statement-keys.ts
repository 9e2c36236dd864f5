/**
 * Determines from the bytes of a statement which keys it may read and write. Whether a name is a table or a view, and
 * what a view reads, depends on data. A query may therefore read the complete database, but requires permission only for
 * the keys of the names in it; a user that may read a view does not need permission for its sources.
 */

import type { Permission, Touch } from "../../../../daemon/store/rows/key-spec.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { parse } from "../grammar/parse.js";
import { namesIn, namesInChange } from "../grammar/query-names.js";
import { SqlMistake } from "../grammar/syntax-error.js";
import type { Query, Statement } from "../grammar/syntax-tree.js";
import { catalogueKey, tableKey } from "./catalogue.js";

/** Whether a call changes nothing, which includes a call that can only fail. @param argv `SQL database statement …` */
export function onlyReads(argv: readonly ByteString[]): boolean {
  const { statement } = parse(argv[2] ?? "");
  return statement instanceof SqlMistake || READING.has(statement.kind);
}

const READING: ReadonlySet<Statement["kind"]> = new Set(["query", "show", "describe", "use"]);

const EVERYTHING = { db: null, key: null, isCovered: true } as const;

/** Returns the keys that a statement may touch. @param argv `SQL database statement …` */
export function touchesOfStatement(argv: readonly ByteString[]): Touch[] {
  const [, database = "", text = ""] = argv;
  const { statement } = parse(text);
  return statement instanceof SqlMistake ? [] : touchesOfTree(statement, database);
}

function touchesOfTree(statement: Statement, database: ByteString): Touch[] {
  const catalogue = catalogueKey(database);
  const table = (name: ByteString) => tableKey(database, name);
  switch (statement.kind) {
    case "create-database":
      return [writes(catalogueKey(statement.name), "W")];
    case "drop-database":
      return [
        { db: null, key: null, access: "write", beginning: tableKey(statement.name, "") },
        writes(catalogueKey(statement.name), "W"),
      ];
    case "use":
      return [reads(catalogueKey(statement.name), "")];
    case "show":
      if (statement.what === "database") return [{ db: null, key: null, access: "read" }];
      return [...(statement.what === "table" ? [everythingRead()] : []), reads(catalogue, "R")];
    case "describe":
      return [everythingRead(), reads(catalogue, ""), reads(table(statement.name), "R")];
    case "create-domain":
      return [writes(catalogue, "RW")];
    case "create-table":
      return [reads(catalogue, "R"), writes(table(statement.name), "W")];
    case "create-view":
      return [
        writes(catalogue, "RW"),
        reads(table(statement.name), ""),
        ...touchesOfQuery(statement.query, database),
      ];
    case "drop":
      return [statement.what === "table" ? writes(table(statement.name), "W") : writes(catalogue, "RW")];
    case "insert": {
      const { source } = statement;
      const names = "query" in source ? namesIn(source.query) : namesInChange(statement);
      return [...touchesOfNames(names, database), writes(table(statement.table), "W")];
    }
    case "update":
    case "delete":
      return [...touchesOfNames(namesInChange(statement), database), writes(table(statement.table), "RW")];
    case "query":
      return touchesOfQuery(statement.query, database);
  }
}

const reads = (key: ByteString, needs: Permission): Touch => ({ db: null, key, access: "read", needs });
const writes = (key: ByteString, needs: Permission): Touch => ({ db: null, key, access: "write", needs });
const everythingRead = (): Touch => ({ ...EVERYTHING, access: "read" });

const touchesOfQuery = (query: Query, database: ByteString) => touchesOfNames(namesIn(query), database);

function touchesOfNames(names: ReadonlySet<ByteString>, database: ByteString): Touch[] {
  if (names.size === 0) return [];
  return [
    everythingRead(),
    reads(catalogueKey(database), ""),
    ...[...names].map((name) => reads(tableKey(database, name), "R")),
  ];
}
