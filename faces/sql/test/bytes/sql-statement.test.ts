/** Tests statements in the dialects of other servers, and texts that are not statements. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { amount } from "../../../../test/support/amount.js";
import { SeededRandom, seedOfRun } from "../../../../test/support/seeded-random.js";
import { SqlLineParser } from "../../bytes/sql-lines.js";
import {
  isPlain,
  readSessionRequest,
  statementForOriginal,
  terminated,
  unfinishedPart,
} from "../../bytes/sql-statement.js";

const seed = seedOfRun();

test("an unterminated string is found, whatever it contains", () => {
  for (const open of ["select 'a", `select "it's`, "select 'a\\'", "select 'a\\", "'a' 'b"])
    assert.ok(unfinishedPart(open) !== null, open);
  for (const whole of ["select 'a'", `select "it's"`, "select 'a\\''", "'it''s'", "select 1"])
    assert.ok(unfinishedPart(whole) === null, whole);
});

test("a quote in a comment of an English statement does not begin a string, and an unterminated comment is found", () => {
  for (const whole of ["select 1 -- it's", "/* ' */ select /* \" */ 'a'", "-- a\nselect 1"])
    assert.ok(unfinishedPart(whole) === null && !isPlain(whole), whole);
  for (const open of ["select 1 /* more", "select 1 -- a\n 'b", "alaivo 1 -- it's", "-- '\n';"])
    assert.ok(unfinishedPart(open) !== null, open);
  assert.equal(terminated("select 1 -- it"), "select 1 -- it\n;");
});

test("the message about an unfinished part names a comment, or the backslash that continues a text", () => {
  assert.equal(unfinishedPart("select 1 /* more"), "a comment in this statement has no */ at its end");
  assert.equal(unfinishedPart("select 'a"), "a text in this statement has no closing quote");
  // As for the daemon, a quote after a backslash does not end a text.
  for (const text of [
    String.raw`insert into t values ('C:\'); select 1`,
    String.raw`select 'C:\', 2 x; select "y"`,
  ])
    assert.match(
      unfinishedPart(text) ?? "",
      /^a text in this statement has no closing quote; 'C:\\' does not end there: write \\\\ for a backslash$/,
    );
  assert.equal(unfinishedPart(String.raw`insert into t values ('C:\\'), ('it\'s')`), null);
});

test("for the original server a statement is written on one line, and line breaks in strings are escaped", () => {
  assert.equal(statementForOriginal("select\n 'a\r\nEND'\r\n, \"b\n\""), `select  'a\\r\\nEND' , "b\\n"`);
  assert.equal(statementForOriginal("select 'a;b'"), null);
  assert.ok(isPlain("select k from t where k = 1"));
  for (const other of ["select 'a'", "a\nb", "a;b", 'select "a"']) assert.ok(!isPlain(other), other);
});

test("logins, pages and HTTP requests are not statements", () => {
  assert.deepEqual(readSessionRequest("LOGIN  ada\tsecret"), {
    kind: "login",
    name: "ada",
    password: "secret",
  });
  assert.deepEqual(readSessionRequest("pejy 100"), { kind: "pages", rows: 100 });
  assert.deepEqual(readSessionRequest("GET / HTTP/1.1\r\nHost: here"), { kind: "http" });
  for (const statement of ["login ada", "pages 0", "pages x", "select 1"])
    assert.equal(readSessionRequest(statement), null);
});

/** Pieces of which texts, comments and the ends of statements consist, in any order. */
const PIECES = [
  ..."-- |--|/*|*/|'|\"|\\|\n|;| |/|*|-|''|\\'|select|alaivo|use|show|x|1|é|login a b|pages 1".split("|"),
];

test(`a server splits a checked statement as this program does (seed ${seed})`, () => {
  const random = new SeededRandom(seed, 0);
  let checked = 0;
  for (let round = 0; round < amount(6_000, 60_000); round++) {
    const input = Array.from(
      { length: random.between(1, 9) },
      () => PIECES[random.below(PIECES.length)],
    ).join("");
    const client = new SqlLineParser(1000);
    client.push(Buffer.from(input));
    client.end();
    for (let one = client.next(); one !== null; one = client.next()) {
      if (unfinishedPart(one) !== null) continue;
      checked++;
      const server = new SqlLineParser(1000);
      server.push(Buffer.from(`${terminated(one)}\n`, "latin1"));
      assert.deepEqual([server.next(), server.next()], [one, null], JSON.stringify(input));
      assert.ok(!server.isMidRequest, JSON.stringify(input));
    }
  }
  assert.ok(checked > 0);
});
