/** The rules of SQL, each broken in one place: what statements touch, what undoing brings back, what indexes and uniqueness hold. */
import type { Mutant } from "./mutant.js";

const STATEMENTS = "test/store/commands/relations/sql.test.js";
const LISTENER = "test/listeners/sql/listener.test.js";
const ORACLE = "test/store/commands/relations/oracle.test.js";
const PLANNED = "test/store/commands/relations/planned.test.js";
const SQLITE = "test/store/commands/relations/sqlite.test.js";

export const sqlMutants: readonly Mutant[] = [
  {
    name: "SQL: an insert counts as what only reads",
    file: "store/commands/relations/statement-keys.js",
    find: 'new Set(["query", "show", "describe", "use"])',
    replace: 'new Set(["query", "show", "describe", "use", "insert"])',
    test: STATEMENTS,
  },
  {
    name: "SQL: who may change the catalogue may drop all tables",
    file: "store/commands/relations/statement-keys.js",
    find: 'beginning: tableKey(statement.name, "")',
    replace: "isCovered: true",
    test: STATEMENTS,
  },
  {
    name: "SQL: a query reads no more than the names in it",
    file: "store/commands/relations/statement-keys.js",
    find: "return [\n        everythingRead(),\n        reads(catalogueKey(database)",
    replace: "return [\n        reads(catalogueKey(database)",
    killer: "fold",
  },
  {
    name: "SQL: a database that is dropped touches its catalogue alone",
    file: "store/commands/relations/statement-keys.js",
    find: '{ db: null, key: null, access: "write", beginning: tableKey(statement.name, "") },',
    replace: "",
    test: STATEMENTS,
  },
  {
    name: "SQL: rows that are brought back stand at the end",
    file: "store/keyspace/undo.js",
    find: "table.restore(removed)",
    replace: "removed.rows.forEach((row) => table.push(row))",
    killer: "fold",
  },
  {
    name: "SQL: a row that is taken back stays in the indexes",
    file: "store/values/relations/table.js",
    find: "this.#unindex(this.#numberAt(place), this.#rows.pop());",
    replace: "this.#rows.pop();",
    killer: "fold",
  },
  {
    name: "SQL: rows that change their keys with each other stand in each other's way",
    file: "store/commands/relations/changes.js",
    find: "checkUnique(table, rows, new Set(numbers), evaluation);",
    replace: "checkUnique(table, rows, new Set(), evaluation);",
    test: STATEMENTS,
  },
  {
    name: "SQL: a unique column takes equal values",
    file: "store/commands/relations/changes.js",
    find: "checkUnique(entry.value, added, new Set(), evaluation);",
    replace: "",
    test: STATEMENTS,
  },
  {
    name: "SQL: an index hides what a condition fails at",
    file: "store/commands/relations/equalities.js",
    find: "end < 0 ? all : all.slice(0, end)",
    replace: "all",
    test: ORACLE,
  },
  {
    name: "SQL: an index does not know that a number equals a text",
    file: "store/values/relations/hash-index.js",
    find: "return merged(others, texts);",
    replace: 'return typeof value === "string" ? texts : others;',
    test: ORACLE,
  },
  {
    name: "SQL: a condition moves below the join that makes its rows of nulls",
    file: "store/commands/relations/plan.js",
    find: 'if (kind === "right" || kind === "full")\n                earliest = join;',
    replace: "",
    test: PLANNED,
  },
  {
    name: "SQL: a condition moves although one before it may fail",
    file: "store/commands/relations/plan.js",
    find: "areSafe &&= isAll;",
    replace: "",
    test: PLANNED,
  },
  {
    name: "SQL: rows found by the index of the left side are in the order of the right one",
    file: "store/commands/relations/planned-join.js",
    find: "this.#made = order.map((at) => this.#made[at]);",
    replace: "",
    test: PLANNED,
  },
  {
    name: "SQL: rows without a partner are added in one step",
    file: "store/commands/relations/planned-join.js",
    find: "this.#made.length, this.#width);\n            }\n            if (i % STEP_ITEMS === STEP_ITEMS - 1)\n                yield;",
    replace: "this.#made.length, this.#width);\n            }",
    test: PLANNED,
  },
  {
    name: "SQL: a step takes as many rows whatever is calculated of them",
    file: "store/commands/relations/compiled.js",
    find: "Math.floor(STEP_OPERATORS / Math.max(1, operators))",
    replace: "STEP_ITEMS",
    test: PLANNED,
  },
  {
    name: "SQL: all ? are the same expression of a group",
    file: "store/sql/expression-numbers.js",
    find: 'return ["value", this.#parameters[expression.number] ?? null];',
    replace: 'return ["?"];',
    test: STATEMENTS,
  },
  {
    name: "SQL: two signs after a first word of Malagasy begin a comment",
    file: "protocol/sql-lines.js",
    find: "if (!this.#mayHaveComments)\n                return false;",
    replace: "this.#mayHaveComments = null;",
    test: "test/protocol/sql-lines.test.js",
  },
  {
    name: "SQL: what is calculated from null is a number",
    file: "store/commands/relations/compiled.js",
    find: "if (one === null || other === null)\n                    return null;",
    replace: "",
    test: SQLITE,
  },
  {
    name: "SQL: recorded English statements mean what standard ones do",
    file: "store/commands/relations/sql.js",
    find: 'execute(data, argv, unit, "recorded")',
    replace: 'execute(data, argv, unit, "standard")',
    test: ORACLE,
  },
  {
    name: "SQL: a table changes while a query reads it",
    file: "store/values/relations/table.js",
    find: "this.#rows = this.#rows.slice();",
    replace: "",
    test: LISTENER,
  },
  {
    name: "SQL: a long query holds all connections up",
    file: "store/commands/relations/sql.js",
    find: 'statement.kind === "query" && takesSteps === true',
    replace: "false",
    test: LISTENER,
  },
  {
    name: "SQL: who has not logged in sends statements of any length",
    file: "listeners/sql/dialect.js",
    find: "this.isStranger ? STRANGER_BYTES_MAX : most",
    replace: "most",
    test: LISTENER,
  },
];
