/** Mutants of the rules for filters and updates that DOC.* and MDB.* share. */
import type { Mutant } from "./mutant.js";

const QUERIES = "faces/mongo/test/store/queries/queries.test.js";
const QUERY_CLIENTS = "test/daemon/engine/pipeline/apply-units.test.js";
const UPDATES = "faces/mongo/test/store/queries/updates.test.js";
const DOCUMENT_UPDATES = "faces/json/test/store/commands/document-updates.test.js";
const DOCUMENTS = "faces/json/test/store/commands/document-queries.test.js";
const ENTRANCES = "test/system/limits-at-entrances.test.js";
const COLUMNS = "faces/json/test/store/commands/number-tests.test.js";
const ORACLE = "faces/mongo/test/store/commands/oracle.test.js";

export const queryMutants: readonly Mutant[] = [
  {
    name: "keys: RENAME gives a collection a key that names no valid one",
    file: "daemon/store/commands/generic.js",
    find: "checkFits(value, to);",
    replace: "",
    test: ENTRANCES,
  },
  {
    name: "keys: COPY gives a table of SQL a key that names no valid one",
    file: "daemon/store/commands/generic.js",
    find: "checkFits(value, destination);",
    replace: "",
    test: ENTRANCES,
  },
  {
    name: "documents: DOC.INSERT accepts an entry that no answer can contain",
    file: "faces/json/store/commands/document-inserts.js",
    find: "jsonArgument(argument, AROUND_ENTRY)",
    replace: "jsonArgument(argument)",
    test: ENTRANCES,
  },
  {
    name: "documents: an update replaces entries by some that no answer can contain",
    file: "faces/json/store/commands/document-changes.js",
    find: "jsonArgument(argv[2], AROUND_DATA)",
    replace: "jsonArgument(argv[2])",
    test: ENTRANCES,
  },
  {
    name: "queries: $nin matches an array if one element differs from all values",
    file: "faces/mongo/store/queries/filter-compiler.js",
    find: 'return { kind: "not", part: leaf(this.#oneOf(call)) };',
    replace: "return leaf({ ...this.#oneOf(call), test: (value) => !this.#oneOf(call).test(value) });",
    test: ORACLE,
  },
  {
    name: "queries: $nor means $or",
    file: "faces/mongo/store/queries/filter-compiler.js",
    find: 'name === "$or" ? any : { kind: "not", part: any }',
    replace: "any",
    test: ORACLE,
  },
  {
    name: "queries: empty filters do not count as conditions",
    file: "faces/mongo/store/queries/filter-compiler.js",
    find: 'filter.size === 0 && clause !== ""',
    replace: "false",
    test: QUERIES,
  },
  {
    name: "queries: an index finds no lists",
    file: "faces/json/store/commands/index-conditions.js",
    find: "const all = union([...spans, LISTS])",
    replace: "const all = union(spans)",
    test: DOCUMENTS,
  },
  {
    name: "queries: an index of a path finds no members of objects in lists",
    file: "faces/json/store/values/member-value.js",
    find: "other(CONTAINERS, inside)",
    replace: "MISSING",
    test: DOCUMENTS,
  },
  {
    name: "queries: only the last operator of a member counts for an index",
    file: "faces/json/store/commands/index-conditions.js",
    find: "part.spans : inBoth(other.spans, part.spans)",
    replace: "part.spans : part.spans",
    test: DOCUMENTS,
  },
  {
    name: "queries: an index counts lists without checking them",
    file: "faces/json/store/commands/document-selection.js",
    find: "?.count(LISTS) === 0",
    replace: "?.count(LISTS) >= 0",
    test: DOCUMENTS,
  },
  {
    name: "queries: columns skip lists that contain the value",
    file: "faces/json/store/values/document-columns.js",
    find: "(orLists && other === LIST)",
    replace: "false",
    test: DOCUMENTS,
  },
  {
    name: "queries: a column keeps the value of a text that was replaced",
    file: "faces/json/store/values/document-columns.js",
    find: "if (index < this.#known)\n            this.#put(index, text);",
    replace: ";",
    test: COLUMNS,
  },
  {
    name: "queries: a column of numbers excludes integers that are too large for it",
    file: "faces/json/store/values/document-columns.js",
    find: 'typeof value === "bigint" ? INTEGER : MARKED',
    replace: "MARKED",
    test: COLUMNS,
  },
  {
    name: "queries: a number passes for certain although another condition is not tested",
    file: "faces/json/store/commands/number-tests.js",
    find: "areAll &&= test !== null &&",
    replace: "areAll &&= test === null ||",
    test: COLUMNS,
  },
  {
    name: "queries: a replaced text is still remembered as the same in the listener's form",
    file: "faces/json/store/values/document-columns.js",
    find: "if (index < this.#areSame.length)\n            this.#areSame[index] = 0;",
    replace: ";",
    test: COLUMNS,
  },
  {
    name: "queries: what is remembered about entries outlives a change of their slots",
    file: "faces/json/store/values/document-columns.js",
    find: "noteSame(from, to) {\n        if (this.#forms.changes !== this.#changes)",
    replace: "noteSame(from, to) {\n        if (false)",
    test: COLUMNS,
  },
  {
    name: "queries: a member that the first of several entries does not have is found in none",
    file: "faces/json/store/commands/entry-parts.js",
    find: "found.length < names.length ? labels.length",
    replace: "false ? labels.length",
    test: "faces/json/test/store/commands/entry-parts.test.js",
  },
  {
    name: "queries: an entry is read once for each of its requested members",
    file: "faces/json/store/commands/entry-parts.js",
    find: "names.length > SEARCHED_MAX",
    replace: "false",
    test: "faces/json/test/store/commands/entry-parts.test.js",
  },
  {
    name: "queries: entries that a column may skip count work",
    file: "faces/json/store/commands/entry-conditions.js",
    find: "test: tests > 1 ? test : meets",
    replace: "test: meets",
    test: "faces/json/test/store/commands/condition-work.test.js",
  },
  {
    name: "updates: $pull of a missing field is an error",
    file: "faces/mongo/store/queries/bson-update.js",
    find: '"$pull", (call, { work }) => ofArray(call, pulled(call.operand, work), false)',
    replace: '"$pull", (call, { work }) => ofArray(call, pulled(call.operand, work), true)',
    test: ORACLE,
  },
  {
    name: "updates: numbers that do not change lose their digits",
    file: "faces/json/store/commands/entry-values.js",
    find: "new WrittenDouble(number, text)",
    replace: "number",
    test: UPDATES,
  },
  {
    name: "updates: an upsert nests its entry too deeply",
    file: "faces/json/store/commands/document-changes.js",
    find: "checkDepths(value);",
    replace: "",
    test: DOCUMENT_UPDATES,
  },
  {
    name: "updates: long paths of operators count no work",
    file: "faces/mongo/store/queries/update-paths.js",
    find: "spend(work, path.length / ELEMENTS_PER_UNIT);",
    replace: "",
    test: DOCUMENT_UPDATES,
  },
  {
    name: "queries: a MongoDB client's query runs on after the client has disconnected",
    file: "faces/mongo/session/mongo-session.js",
    find: "this.#sender.isGone = true;",
    replace: "",
    test: "faces/mongo/test/long-reads.test.js",
  },
  {
    name: "queries: a later copy receives the answer of a query that ended for its client",
    file: "daemon/engine/pipeline/pipeline.js",
    find: "if (clients?.isGone)",
    replace: "if (false)",
    test: QUERY_CLIENTS,
  },
  {
    name: "queries: a copy joins a query that ends",
    file: "daemon/engine/pipeline/apply-units.js",
    find: "if (this.#isAbandoned)\n            return false;",
    replace: "",
    test: QUERY_CLIENTS,
  },
  {
    name: "queries: an envelope that writes ends when its client disconnects",
    file: "daemon/engine/pipeline/apply-units.js",
    find: " && this.#hasOnlyQueries()",
    replace: "",
    test: QUERY_CLIENTS,
  },
  {
    name: "queries: each step looks up the commands of an envelope whose client has disconnected",
    file: "daemon/engine/pipeline/apply-units.js",
    find: "this.#areQueries ??= ",
    replace: "this.#areQueries = ",
    test: QUERY_CLIENTS,
  },
  {
    name: "JSON server: an id that begins with a number is cast by its first digits",
    file: "faces/json/actions/forwarded-writes.js",
    find: "String(phpIntegerOf(textOfBytes(id)))",
    replace: "String(Number.parseInt(textOfBytes(id), 10) || 0)",
    test: "faces/json/test/passed-on.test.js",
  },
];
