/** Tests the statements in a stream, in any division of its bytes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom, seedOfRun } from "../../../../test/support/seeded-random.js";
import { SqlLineParser } from "../../bytes/sql-lines.js";

const seed = seedOfRun();

const STREAM =
  "-- a;comment's\nselect 1 -- it's; more\n / 2 - 3 /* ; ' */;-- no statement;\n;alaivo 5--1;alaivo 1;\n ;;select 'a;b' ;\r\nselect 'it''s;' ; select \"\\\";\" ;select '\\';';alaivo \xc3\xa9\n;rest of it";
const STATEMENTS = [
  "-- a;comment's\nselect 1 -- it's; more\n / 2 - 3 /* ; ' */",
  "alaivo 5--1",
  "alaivo 1",
  "select 'a;b'",
  "select 'it''s;'",
  'select "\\";"',
  "select '\\';'",
  "alaivo \xc3\xa9",
];

function taken(parser: SqlLineParser): string[] {
  const found: string[] = [];
  for (let next = parser.next(); next !== null; next = parser.next()) found.push(next);
  return found;
}

test(`statements are the same in one piece and in pieces of any size (seed ${seed})`, () => {
  const random = new SeededRandom(seed, 0);
  for (let round = 0; round < 200; round++) {
    const parser = new SqlLineParser(1000);
    const found: string[] = [];
    for (let at = 0; at < STREAM.length; ) {
      const size = round === 0 ? STREAM.length : round === 1 ? 1 : random.between(1, 30);
      parser.push(Buffer.from(STREAM.slice(at, at + size), "latin1"));
      if (random.chance(0.7)) found.push(...taken(parser));
      at += size;
    }
    found.push(...taken(parser));
    assert.deepEqual(found, STATEMENTS);
    assert.ok(parser.isMidRequest);
    assert.equal(parser.heldBytes, "rest of it".length);
    parser.end();
    assert.deepEqual(taken(parser), ["rest of it"]);
    assert.equal(parser.heldBytes, 0);
  }
});

test("two hyphens directly after the first word are a comment only in English statements", () => {
  const parser = new SqlLineParser(1000);
  parser.push(Buffer.from("alaivo--1;alaivo/*1;select--;\n1;select/*;*/1;"));
  assert.deepEqual(taken(parser), ["alaivo--1", "alaivo/*1", "select--;\n1", "select/*;*/1"]);
});

test("spaces after a statement do not begin another statement, and the end of input adds no statement", () => {
  const parser = new SqlLineParser(1000);
  parser.push(Buffer.from("alaivo 1;\r\n  \n"));
  assert.deepEqual(taken(parser), ["alaivo 1"]);
  assert.ok(!parser.isMidRequest);
  parser.end();
  assert.deepEqual(taken(parser), []);
});

test("a letter whose last byte resembles a space remains complete at the end of a statement", () => {
  const parser = new SqlLineParser(1000);
  parser.push(Buffer.from("alaivo voilà ; à;\t"));
  assert.deepEqual(
    taken(parser).map((bytes) => Buffer.from(bytes, "latin1").toString()),
    ["alaivo voilà", "à"],
  );
});

test("a statement that is too long ends the input, after the statements before it", () => {
  const parser = new SqlLineParser(10);
  parser.push(Buffer.from("alaivo 1;select 123456789;alaivo 2;"));
  assert.ok(!parser.isTooLong);
  assert.deepEqual(taken(parser), ["alaivo 1"]);
  assert.ok(parser.isTooLong);
  parser.end();
  assert.deepEqual(taken(parser), []);
});

test("the length of a statement is checked when it is read, since earlier statements may change the limit", () => {
  const parser = new SqlLineParser(10);
  parser.push(Buffer.from("login a b;select 123456789;alaivo 2;select 123456789"));
  assert.equal(parser.next(), "login a b");
  parser.maxBytes = 20;
  assert.ok(!parser.isTooLong);
  assert.deepEqual(taken(parser), ["select 123456789", "alaivo 2"]);
  parser.maxBytes = 10;
  assert.ok(parser.isTooLong);
});
