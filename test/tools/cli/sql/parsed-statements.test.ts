/** Tests the conversion of views' queries to texts and trees, and that other queries are refused. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "../../../../faces/sql/store/grammar/parse.js";
import { databaseChosenBy, readView } from "../../../../tools/cli/sql/parsed-statements.js";
import {
  readViewTree,
  sourcesOf,
  type ViewQuery,
  type ViewSource,
  viewText,
  viewTree,
} from "../../../../tools/cli/sql/view-tree.js";
import { SeededRandom, seedOfRun } from "../../../support/seeded-random.js";

const seed = seedOfRun();

function source(random: SeededRandom, depth: number): ViewSource {
  const alias = random.oneOf(["x", "ao", "é1"]);
  if (depth === 0 || random.chance(0.7))
    return {
      kind: "named",
      name: random.oneOf(["a", "rehefa", "Tabilao_2"]),
      alias: random.chance(0.5) ? alias : null,
    };
  return { kind: "derived", query: query(random, depth - 1), alias };
}

function query(random: SeededRandom, depth: number): ViewQuery {
  if (depth > 0 && random.chance(0.3)) {
    const operator = random.oneOf(["union", "difference", "intersection"] as const);
    return { kind: "set", operator, left: query(random, depth - 1), right: query(random, depth - 1) };
  }
  const kinds = ["inner", "left", "right", "full", "natural"] as const;
  const joins = Array.from({ length: random.below(3) }, () => ({
    kind: random.oneOf(kinds),
    source: source(random, depth),
  }));
  return { kind: "select", from: source(random, depth), joins };
}

test(`text and tree are equivalent, and the text is a valid statement (seed ${seed})`, () => {
  const random = new SeededRandom(seed, 0);
  for (let round = 0; round < 300; round++) {
    const made = query(random, 2);
    const text = viewText(made);
    assert.deepEqual(readView(text), made, text);
    assert.deepEqual(readViewTree(viewTree(made, "v")), made, text);
    assert.equal(parse(Buffer.from(text).toString("latin1")).statement.kind, "query", text);
  }
});

test("English and Malagasy queries are parsed by the grammar", () => {
  for (const [text, same] of [
    ["select * from a", "alaivo * #ao@ a"],
    ["SELECT * FROM a AS b Left Join (c) d", "alaivo * ao@ a b #tonona:avia c d"],
    ["select * from a inner join b natural join c", "alaivo * #ao a #tonona@ b #tonona:natoraly@ c"],
    [
      "select * from a union (select * from b except select * from c)",
      "alaivo*#ao@a+(alaivo*#ao@b-alaivo*#ao@c)",
    ],
    ["select * from (select * from a) b", "alaivo * #ao@ (alaivo * #ao@ a) antso b"],
    ["select * from tonona x", "alaivo * #ao@ tonona x"],
  ] as const) {
    const found = readView(text);
    assert.notEqual(found, null, text);
    assert.deepEqual(readView(same), found, same);
    assert.deepEqual(parse(same).statement, parse(text).statement, same);
  }
});

test("queries that name a column or have other clauses are refused", () => {
  for (const text of [
    "select k from a",
    "select * from a where k = 1",
    "select * from a join b on a.k = b.k",
    "select * from a limit 1",
    "select distinct * from a",
    "select * from a order by k",
    "alaivo * #ao@ a #rehefa k = 1",
    "alaivo * #ao@ a #fetra 0 3",
    "alaivo k #ao@ a",
    "alaivo 1",
    "select * from a select",
    "select * from (select * from a)",
    "",
  ])
    assert.equal(readView(text), null, text);
  for (const tree of [null, 1, [], {}, { "@class": "x.SelectRqst" }]) assert.equal(readViewTree(tree), null);
});

test("queries with names that the earlier server does not support are refused", () => {
  for (const text of ['select * from "a b"', 'select * from a as "x-y"', 'select * from a natural join "1"'])
    assert.equal(readView(text), null, text);
});

test("the database that a statement selects is recognized", () => {
  for (const [text, database] of [
    ["use shop", "shop"],
    ["USE fianarana ", "fianarana"],
    ["ampiasao trano", "trano"],
    ["#ampiasao@ trano", "trano"],
    ["/* first */ use shop", "shop"],
    ["use", null],
    ["select * from use", null],
    ["user shop", null],
    ["", null],
  ] as const)
    assert.equal(databaseChosenBy(text), database, text);
});

test("the sources of a query are listed", () => {
  const found = readView("select * from a join (select * from b union select * from a) c");
  assert.deepEqual(found === null ? [] : sourcesOf(found), ["a", "b", "a"]);
});
