/** Tests statements in the dialects of other servers, and texts that are not statements. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ended, forTheOriginal, isOpen, isPlain, readAside } from "../../protocol/sql-statement.js";

test("an unterminated string is found, whatever it contains", () => {
  for (const open of ["select 'a", `select "it's`, "select 'a\\'", "select 'a\\", "'a' 'b"])
    assert.ok(isOpen(open), open);
  for (const whole of ["select 'a'", `select "it's"`, "select 'a\\''", "'it''s'", "select 1"])
    assert.ok(!isOpen(whole), whole);
});

test("a quote in a comment of an English statement does not begin a string, and an unterminated comment is found", () => {
  for (const whole of ["select 1 -- it's", "/* ' */ select /* \" */ 'a'", "-- a\nselect 1"])
    assert.ok(!isOpen(whole) && !isPlain(whole), whole);
  for (const open of ["select 1 /* more", "select 1 -- a\n 'b", "alaivo 1 -- it's"])
    assert.ok(isOpen(open), open);
  assert.equal(ended("select 1 -- it"), "select 1 -- it\n;");
});

test("for the original server a statement is written on one line, and line breaks in strings are escaped", () => {
  assert.equal(forTheOriginal("select\n 'a\r\nEND'\r\n, \"b\n\""), `select  'a\\r\\nEND' , "b\\n"`);
  assert.equal(forTheOriginal("select 'a;b'"), null);
  assert.ok(isPlain("select k from t where k = 1"));
  for (const other of ["select 'a'", "a\nb", "a;b", 'select "a"']) assert.ok(!isPlain(other), other);
});

test("logins, pages and HTTP requests are not statements", () => {
  assert.deepEqual(readAside("LOGIN  ada\tsecret"), { kind: "login", name: "ada", password: "secret" });
  assert.deepEqual(readAside("pejy 100"), { kind: "pages", rows: 100 });
  assert.deepEqual(readAside("GET / HTTP/1.1\r\nHost: here"), { kind: "http" });
  for (const statement of ["login ada", "pages 0", "pages x", "select 1"])
    assert.equal(readAside(statement), null);
});
