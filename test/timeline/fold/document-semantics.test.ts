/**
 * Tests equality in writes of documents in the fold: members are compared in the old way until CLUSTER SEMANTICS 2,
 * whenever it arrives.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Database } from "../../../store/database.js";
import { Fold } from "../../../timeline/fold/fold.js";
import { shown } from "../../conformance/resp2-fold.js";
import { AT, entry, key, ROOT } from "../support/fold-subject.js";
import { genesisRing } from "../support/random-timeline.js";

const byRoot = { key: key(ROOT) };
const GREATEST = "9223372036854775807";
const BEYOND = "9223372036854775808";
const QUERY = JSON.stringify({ id: GREATEST });
const DOCUMENT = [
  entry("a", 1, [["DOC.CREATE", "d"]], byRoot),
  entry(
    "b",
    2,
    [["DOC.INSERT", "d", JSON.stringify({ id: GREATEST }), JSON.stringify({ id: BEYOND })]],
    byRoot,
  ),
];

const newFold = () =>
  new Fold({ database: new Database(), ring: genesisRing({ hasRoots: true }), cutAt: AT });
const query = ({ database }: Fold, ...argv: string[]) =>
  shown(database.execute(argv, { at: AT + 1_000_000, db: 0, id: "ask" }));

test("DOC.DELETE by a query compares in the old way before the switch, and like PHP after it", () => {
  const fold = newFold();
  fold.merge([...DOCUMENT, entry("e", 5, [["DOC.DELETE", "d", "QUERY", QUERY]], byRoot)]);
  assert.equal(query(fold, "DOC.COUNT", "d"), ":0");
  fold.merge([entry("c", 4, ["CLUSTER SEMANTICS 2"], byRoot)]);
  assert.equal(query(fold, "DOC.COUNT", "d"), ":1");
});

test("DOC.UPDATE selects and compares in the old way before the switch, and like PHP after it", () => {
  const update = (name: string, at: number, ...words: string[]) =>
    entry(name, at, [["DOC.UPDATE", "d", ...words]], byRoot);
  const fold = newFold();
  fold.merge([...DOCUMENT, update("e", 5, JSON.stringify({ id: BEYOND }), "QUERY", QUERY)]);
  // The update selects the entry and changes nothing, because the old and the new value count as equal.
  assert.equal(query(fold, "DOC.COUNT", "d", "WHERE", QUERY), ":1");
  fold.merge([entry("c", 4, ["CLUSTER SEMANTICS 2"], byRoot)]);
  assert.equal(query(fold, "DOC.COUNT", "d", "WHERE", QUERY), ":0");
});

test("reads compare like PHP even before the switch", () => {
  const fold = newFold();
  fold.merge(DOCUMENT);
  assert.equal(query(fold, "DOC.COUNT", "d", "QUERY", QUERY), ":1");
});
