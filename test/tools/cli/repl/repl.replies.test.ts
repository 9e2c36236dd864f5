/** Tests how `dbsync repl` formats replies. The expected texts are from redis-cli of Redis 7 on a terminal. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  array,
  bulk,
  EMPTY_ARRAY,
  error,
  integer,
  NIL,
  OK,
  type Reply,
  status,
} from "../../../../protocol/reply.js";
import { quoted, typedText } from "../../../../tools/cli/repl/repl.js";
import { isQuoteOpen } from "../../../../tools/cli/shared/typed-commands.js";

const CASES: readonly (readonly [Reply, string])[] = [
  [OK, "OK"],
  [integer(-5), "(integer) -5"],
  [NIL, "(nil)"],
  [error("ERR no"), "(error) ERR no"],
  [bulk(""), '""'],
  [EMPTY_ARRAY, "(empty array)"],
  [array([bulk("a"), integer(1), NIL]), '1) "a"\n2) (integer) 1\n3) (nil)'],
  [array([array([bulk("a"), bulk("b")]), EMPTY_ARRAY]), '1) 1) "a"\n   2) "b"\n2) (empty array)'],
];

test("replies have types, and lists are numbered", () => {
  for (const [reply, text] of CASES) assert.equal(typedText(reply), text);
});

test("control characters are escaped in all kinds of replies", () => {
  assert.equal(typedText(status("O\x1b]0;K\x07")), "O\\x1b]0;K\\x07");
  assert.equal(typedText(error("ERR \x1b[2J\r")), "(error) ERR \\x1b[2J\\r");
  assert.equal(typedText(status("two\nlines")), "two\nlines");
});

test("numbers of a long list are right-aligned, and the items are aligned", () => {
  const items = Array.from({ length: 10 }, () => array([bulk("x"), bulk("y")]));
  const lines = typedText(array(items)).split("\n");
  assert.equal(lines[0], ' 1) 1) "x"');
  assert.equal(lines[1], '    2) "y"');
  assert.equal(lines.at(-2), '10) 1) "x"');
});

test("text is shown as text; other bytes and control characters are escaped", () => {
  assert.equal(quoted(Buffer.from('söß "x" \\').toString("latin1")), '"söß \\"x\\" \\\\"');
  assert.equal(quoted("a\n\r\t\x1b[2J\0"), '"a\\n\\r\\t\\x1b[2J\\x00"');
  assert.equal(quoted("\xff\x00A"), '"\\xff\\x00A"');
});

test("a line continues while a quote is open", () => {
  for (const line of ['SET a "b', "SET a 'b", 'SET a "b\\"', `SET a "it's`])
    assert.ok(isQuoteOpen(line), line);
  for (const line of ["SET a b", 'SET a "b"', `SET a 'b "'`, 'SET a "b\\\\"', "SET a it"])
    assert.ok(!isQuoteOpen(line), line);
});
