/** Tests replies as `dbsync repl` shows them. The forms are redis-cli's, observed at a terminal of Redis 7. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { quoted, typedText } from "../../../cli/repl/typed-text.js";
import { isQuoteOpen } from "../../../cli/shared/words.js";
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
} from "../../../protocol/reply.js";

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

test("replies are typed, and lists numbered", () => {
  for (const [reply, text] of CASES) assert.equal(typedText(reply), text);
});

test("what would move a terminal's cursor is shown as what it is, in whatever kind of reply", () => {
  assert.equal(typedText(status("O\x1b]0;K\x07")), "O\\x1b]0;K\\x07");
  assert.equal(typedText(error("ERR \x1b[2J\r")), "(error) ERR \\x1b[2J\\r");
  assert.equal(typedText(status("two\nlines")), "two\nlines");
});

test("numbers of a long list are right-aligned, and so is what stands behind them", () => {
  const items = Array.from({ length: 10 }, () => array([bulk("x"), bulk("y")]));
  const lines = typedText(array(items)).split("\n");
  assert.equal(lines[0], ' 1) 1) "x"');
  assert.equal(lines[1], '    2) "y"');
  assert.equal(lines.at(-2), '10) 1) "x"');
});

test("text is shown as text, other bytes and what would move a cursor as what they are", () => {
  assert.equal(quoted(Buffer.from('söß "x" \\').toString("latin1")), '"söß \\"x\\" \\\\"');
  assert.equal(quoted("a\n\r\t\x1b[2J\0"), '"a\\n\\r\\t\\x1b[2J\\x00"');
  assert.equal(quoted("\xff\x00A"), '"\\xff\\x00A"');
});

test("a line goes on while a quote is open", () => {
  for (const line of ['SET a "b', "SET a 'b", 'SET a "b\\"', `SET a "it's`])
    assert.ok(isQuoteOpen(line), line);
  for (const line of ["SET a b", 'SET a "b"', `SET a 'b "'`, 'SET a "b\\\\"', "SET a it"])
    assert.ok(!isQuoteOpen(line), line);
});
