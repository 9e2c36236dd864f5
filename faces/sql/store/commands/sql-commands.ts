/**
 * SQL: statements over tables, in English or in the Malagasy words of the database that `--sql` replaces. A statement
 * that only reads always uses the row of SQL_RO. Source: docs/sql.md; test/vectors/sql.
 */

import { custom } from "../../../../daemon/store/arguments/command-errors.js";
import { eachChangeEvent } from "../../../../daemon/store/events/event-rules.js";
import type { EffortBudget } from "../../../../daemon/store/keyspace/effort-budget.js";
import type { Data } from "../../../../daemon/store/keyspace/mutators.js";
import type { Unit } from "../../../../daemon/store/keyspace/unit.js";
import { family } from "../../../../daemon/store/rows/command-row.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { StepReply } from "../../../../protocol/lazy-replies.js";
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
import { SqlMistake } from "../grammar/syntax-error.js";
import type { Statement } from "../grammar/syntax-tree.js";
import type { Scalar } from "../values/cell.js";
import { checkName } from "./catalogue.js";
import { type Evaluation, failure, ROW_BYTES } from "./evaluation-context.js";
import { answered, answering } from "./execute-query.js";
import type { Relation } from "./relation.js";
import { insert, remove, update } from "./row-changes.js";
import {
  checkDatabase,
  createDatabase,
  createDomain,
  createTable,
  createView,
  described,
  drop,
  dropDatabase,
  shown,
} from "./schema-statements.js";
import { Sources } from "./sources.js";
import { onlyReads, touchesOfStatement } from "./statement-keys.js";

const READ_ROW = "SQL_RO";

export const relations = family("sql", {
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
    reply: "relation",
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
      return relationInSteps(stepped(answering(statement.query, evaluation), evaluation), evaluation.effort);
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
      createDatabase(statement.name, evaluation);
      return OK;
    case "drop-database":
      dropDatabase(statement.name, evaluation);
      return OK;
    case "create-domain":
      createDomain(statement.name, statement.domain, evaluation);
      return OK;
    case "create-table":
      createTable(statement, evaluation);
      return OK;
    case "create-view":
      createView(statement, evaluation);
      return OK;
    case "drop":
      drop(statement.what, statement.name, evaluation);
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
function relationInSteps(work: Generator<void, Relation>, effort: EffortBudget): Reply {
  return new RelationInSteps("map", foundItems(work, effort));
}

class RelationInSteps extends StepReply<"map"> {
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
