/** Mutants of the rules for filters and updates that DOC.* and MDB.* share. */
import type { Mutant } from "./mutant.js";

const QUERIES = "test/store/queries/queries.test.js";
const UPDATES = "test/store/queries/updates.test.js";
const DOCUMENTS = "test/store/commands/documents/document-queries.test.js";
const ORACLE = "test/store/commands/collections/oracle.test.js";

export const queryMutants: readonly Mutant[] = [
  {
    name: "queries: $nin matches an array if one element differs from all values",
    file: "store/queries/filter-compiler.js",
    find: 'return { kind: "not", part: { kind: "member", path, test } };',
    replace: 'return { kind: "member", path, test: { ...test, test: (value) => !test.test(value) } };',
    test: QUERIES,
  },
  {
    name: "queries: $nor means $or",
    file: "store/queries/filter-compiler.js",
    find: 'name === "$or" ? any : { kind: "not", part: any }',
    replace: "any",
    test: ORACLE,
  },
  {
    name: "queries: only the last operator of a member counts",
    file: "store/queries/json/json-filter.js",
    find: "spans = inBoth(spans, part.test.spans)",
    replace: "spans = part.test.spans",
    test: DOCUMENTS,
  },
  {
    name: "queries: an empty JSON filter matches everything",
    file: "store/queries/json/json-filter.js",
    find: "countsEmpty = true",
    replace: "countsEmpty = false",
    test: QUERIES,
  },
  {
    name: "updates: $unset creates the path that it removes",
    file: "store/queries/update-compiler.js",
    find: "const REMOVAL = { makes: false",
    replace: "const REMOVAL = { makes: true",
    test: UPDATES,
  },
  {
    name: "updates: $pull of a missing member is an error",
    file: "store/queries/update-compiler.js",
    find: "makes: false,\n                become(old)",
    replace: "makes: true,\n                become(old)",
    test: UPDATES,
  },
  {
    name: "updates: the operand of a JSON $pull is parsed even without a list",
    file: "store/queries/json/json-update.js",
    find: "let cached = null;",
    replace: "let cached = elementTest(operand);",
    test: UPDATES,
  },
];
