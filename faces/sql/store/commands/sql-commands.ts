/**
 * SQL: statements over tables, in English or in the Malagasy words of the database that `--sql` replaces. A statement
 * that only reads always uses the row of SQL_RO. Source: docs/sql.md; test/vectors/sql.
 */

import { custom } from "../../../../daemon/store/arguments/command-errors.js";
import { eachChangeEvent } from "../../../../daemon/store/events/event-rules.js";
import type { EffortBudget } from "../../../../daemon/store/keyspace/effort-budget.js";
import type { Data } from "../../../../daemon/store/keyspace/mutators.js";
import type { Unit } from "../../../../daemon/store/keyspace/unit.js";
import { type FamilyGroup, family } from "../../../../daemon/store/rows/command-row.js";
import type { Permission, Touch } from "../../../../daemon/store/rows/key-spec.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { SteppedReply } from "../../../../protocol/lazy-replies.js";
import {
  array,
  bulk,
  bulkOrNil,
  integer,
  NIL,
  OK,
  type Reply,
  relation,
  writtenDouble,
} from "../../../../protocol/reply.js";
import { finish, STEP_ITEMS } from "../../../../protocol/steps.js";
import { mistakeFailure } from "../grammar/error-messages.js";
import { formOf, parse } from "../grammar/parse.js";
import { namesIn, namesInChange } from "../grammar/query-names.js";
import { SqlMistake } from "../grammar/syntax-error.js";
import type { Query, Statement } from "../grammar/syntax-tree.js";
import type { Scalar } from "../values/cell.js";
import { catalogueKey, checkName, tableKey } from "./catalogue.js";
import { type Evaluation, failure, ROW_BYTES } from "./evaluation-context.js";
import { answered, answering } from "./execute-query.js";
import type { Relation } from "./relation.js";
import { insert, remove, update } from "./row-changes.js";
import {
  checkDatabase,
  createDatabase,
  createDomain,
  createIndex,
  createTable,
  createView,
  described,
  drop,
  dropDatabase,
  shown,
} from "./schema-statements.js";
import { Sources } from "./sources.js";

const READ_ROW = "SQL_RO";

const SQL: FamilyGroup = { name: "sql", isStatement: true };

export const relations = family(SQL, {
  SQL: {
    arity: -3,
    flags: ["write", "denyoom", "movablekeys"],
    keys: touchesOfStatement,
    since: "",
    complexity:
      "INSERT: O(M), M: rows added; other changes: O(N), N: rows of the table, or those that an equality selects",
    summary:
      "Executes a statement on the tables of a database; further arguments are the values for each ? in it.",
    otherRow: (argv) => (onlyReads(argv) ? READ_ROW : null),
    events: eachChangeEvent("sql"),
    run: execute,
  },
  [READ_ROW]: {
    arity: -3,
    flags: ["readonly", "movablekeys"],
    keys: touchesOfStatement,
    since: "",
    complexity: "O(N), N: rows of the tables, or those that an equality selects; O(N*log(N)) to sort",
    summary: "Executes a statement that changes nothing. SQL with such a statement does the same.",
    cost: "query",
    reply: "relation",
    run: (data, argv, unit) => {
      if (!onlyReads(argv)) throw custom("ERR SQL_RO accepts only statements that change nothing");
      return execute(data, argv, unit);
    },
  },
});

function execute(data: Data, argv: readonly ByteString[], { at, takesSteps }: Unit): Reply {
  const [, database = "", text = "", ...parameters] = argv;
  const parsed = parse(text);
  const { statement, language } = parsed;
  if (statement instanceof SqlMistake) throw mistakeFailure(text, language, statement);

  const evaluation: Evaluation = {
    data,
    effort: data.effort,
    database,
    language,
    parameters,
    at,
    work: { rows: 0, likeSteps: 0 },
    sources: new Sources(),
    form: formOf(language),
  };
  if (parsed.parameters !== parameters.length)
    throw failure(evaluation, "parameterCount", String(parsed.parameters), String(parameters.length));

  checkName(evaluation);
  try {
    if (statement.kind === "query" && takesSteps === true)
      return steppedRelation(stepped(answering(statement.query, evaluation), evaluation), evaluation.effort);
    return carriedOut(statement, evaluation);
  } catch (problem) {
    throw ownError(problem, evaluation);
  }
}

function* stepped(work: Generator<void, Relation>, evaluation: Evaluation): Generator<void, Relation> {
  try {
    return yield* work;
  } catch (problem) {
    throw ownError(problem, evaluation);
  }
}

/**
 * Replaces V8's error for a string that exceeds the maximum length by an error of the statement. The statement has
 * changed nothing then, because no strings are created once rows are being changed.
 */
function ownError(problem: unknown, evaluation: Evaluation): unknown {
  const isTooLong = problem instanceof RangeError && TOO_LONG.test(problem.message);
  return isTooLong ? failure(evaluation, "tooLong") : problem;
}

const TOO_LONG = /invalid string length/i;

/** Counts the cells of a relation that is returned in one step. @throws BudgetExceeded */
function countedReply(relation: Relation, { effort }: Evaluation): Reply {
  effort.answer(relation.rows.length * relation.columns.length);
  return relationReply(relation, effort);
}

function carriedOut(statement: Statement, evaluation: Evaluation): Reply {
  const { effort } = evaluation;
  switch (statement.kind) {
    case "query":
      return countedReply(answered(statement.query, evaluation), evaluation);
    case "insert":
      return integer(insert(statement, evaluation));
    case "update":
      return integer(update(statement, evaluation));
    case "delete":
      return integer(remove(statement, evaluation));
    case "show":
      return relationReply(shown(statement.what, evaluation), effort);
    case "describe":
      return relationReply(described(statement.name, evaluation), effort);
    case "use":
      checkDatabase(statement.name, evaluation);
      return OK;
    case "create-database":
      createDatabase(statement, evaluation);
      return OK;
    case "drop-database":
      dropDatabase(statement, evaluation);
      return OK;
    case "create-domain":
      createDomain(statement, evaluation);
      return OK;
    case "create-table":
      createTable(statement, evaluation);
      return OK;
    case "create-view":
      createView(statement, evaluation);
      return OK;
    case "create-index":
      createIndex(statement, evaluation);
      return OK;
    case "drop":
      drop(statement, evaluation);
      return OK;
  }
}

/** Approximate memory of the reply of a cell. */
const CELL_REPLY_BYTES = 64;

/**
 * Returns the name of a relation, its columns with their origins, and its rows.
 * @param effort  counts the memory of the reply
 */
function relationReply(result: Relation, effort: EffortBudget): Reply {
  return relation(finish(replyItems(result, effort)));
}

/**
 * Returns a reply that finds the relation in steps, each of which may throw a CommandFailure.
 * @param effort  counts the memory of the reply
 */
function steppedRelation(work: Generator<void, Relation>, effort: EffortBudget): Reply {
  return new SteppedRelation("map", foundItems(work, effort));
}

class SteppedRelation extends SteppedReply<"map"> {
  readonly isRelation = true;
}

function* foundItems(
  work: Generator<void, Relation>,
  effort: EffortBudget,
): Generator<void, readonly Reply[]> {
  return yield* replyItems(yield* work, effort);
}

function* replyItems(
  { name, columns, rows }: Relation,
  effort: EffortBudget,
): Generator<void, readonly Reply[]> {
  effort.hold(rows.length * (ROW_BYTES + columns.length * CELL_REPLY_BYTES));
  const rowReplies: Reply[] = [];
  for (const row of rows) if (rowReplies.push(array(row.map(cellReply))) % STEP_ITEMS === 0) yield;
  return [
    ...[bulk("name"), bulk(name), bulk("columns")],
    array(columns.map((column) => array([bulk(column.name), bulkOrNil(column.origin ?? undefined)]))),
    ...[bulk("rows"), array(rowReplies)],
  ];
}

const YES: Reply = { kind: "resp3", written: "#t\r\n", plain: { kind: "integer", value: 1 } };
const NO: Reply = { kind: "resp3", written: "#f\r\n", plain: { kind: "integer", value: 0 } };

function cellReply(cell: Scalar): Reply {
  if (typeof cell === "string") return bulk(cell);
  if (typeof cell === "number") return writtenDouble(cell, Object.is(cell, -0) ? "-0" : String(cell));
  return cell === null ? NIL : cell ? YES : NO;
}

/** Whether a call changes nothing, which includes a call that can only fail. @param argv `SQL database statement …` */
function onlyReads(argv: readonly ByteString[]): boolean {
  const { statement } = parse(argv[2] ?? "");
  return statement instanceof SqlMistake || READING.has(statement.kind);
}

const READING: ReadonlySet<Statement["kind"]> = new Set(["query", "show", "describe", "use"]);

const EVERYTHING = { db: null, key: null, isCovered: true } as const;

/**
 * Returns the keys that a statement may touch, from its bytes. Whether a name is a table or a view, and what a view
 * reads, depends on data. A query may therefore read the complete database, but requires permission only for the keys
 * of the names in it; a user that may read a view does not need permission for its sources.
 * @param argv `SQL database statement …`
 */
function touchesOfStatement(argv: readonly ByteString[]): Touch[] {
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
      return [
        ...(statement.what === "table" || statement.what === "index" ? [everythingRead()] : []),
        reads(catalogue, "R"),
      ];
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
    case "create-index":
      return [everythingRead(), reads(catalogue, "R"), writes(table(statement.table), "RW")];
    case "drop": {
      const { what, name, ifNeeded } = statement;
      // No statement says which table has the index.
      if (what === "index")
        return [{ db: null, key: null, access: "write", beginning: table("") }, reads(catalogue, "R")];
      if (what !== "table")
        return [writes(catalogue, "RW"), ...(ifNeeded === true ? [reads(table(name), "")] : [])];
      return [...(ifNeeded === true ? [reads(catalogue, "")] : []), writes(table(name), "W")];
    }
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
