/** Tests the bytes of replies in RESP3 and in RESP2. Source: redis-server 7.0. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bulksReply, LazyBulkReply } from "../../../../protocol/lazy-replies.js";
import {
  array,
  bulk,
  bulks,
  double,
  integer,
  map,
  NIL,
  NIL_ARRAY,
  pairs,
  type Reply,
  set,
  verbatim,
} from "../../../../protocol/reply.js";
import { writeReply } from "../../../../protocol/resp/resp-writer.js";
import { writeReply3 } from "../../bytes/reply-bytes.js";

const cases: readonly (readonly [Reply, resp2: string, resp3: string])[] = [
  [NIL, "$-1\r\n", "_\r\n"],
  [NIL_ARRAY, "*-1\r\n", "_\r\n"],
  [double(2.5), "$3\r\n2.5\r\n", ",2.5\r\n"],
  [double(Number.NEGATIVE_INFINITY), "$4\r\n-inf\r\n", ",-inf\r\n"],
  [verbatim("hi"), "$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n"],
  [integer(2n ** 62n), ":4611686018427387904\r\n", ":4611686018427387904\r\n"],
  [set([bulk("a")]), "*1\r\n$1\r\na\r\n", "~1\r\n$1\r\na\r\n"],
  [map([bulk("a"), NIL]), "*2\r\n$1\r\na\r\n$-1\r\n", "%1\r\n$1\r\na\r\n_\r\n"],
  [
    pairs([bulk("a"), double(1), bulk("b"), double(2)]),
    "*4\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$1\r\n2\r\n",
    "*2\r\n*2\r\n$1\r\na\r\n,1\r\n*2\r\n$1\r\nb\r\n,2\r\n",
  ],
  [pairs([]), "*0\r\n", "*0\r\n"],
  [new LazyBulkReply("array", []), "*0\r\n", "*0\r\n"],
  [new LazyBulkReply("array", ["a", ""]), "*2\r\n$1\r\na\r\n$0\r\n\r\n", "*2\r\n$1\r\na\r\n$0\r\n\r\n"],
  [new LazyBulkReply("set", ["a"]), "*1\r\n$1\r\na\r\n", "~1\r\n$1\r\na\r\n"],
  [new LazyBulkReply("map", ["a", "b"]), "*2\r\n$1\r\na\r\n$1\r\nb\r\n", "%1\r\n$1\r\na\r\n$1\r\nb\r\n"],
  [array([array([NIL])]), "*1\r\n*1\r\n$-1\r\n", "*1\r\n*1\r\n_\r\n"],
];

test("each kind of reply has the bytes of redis-server in RESP2 and in RESP3", () => {
  for (const [reply, resp2, resp3] of cases) {
    assert.equal(writeReply(reply), resp2);
    assert.equal(writeReply3(reply), resp3);
  }
});

test("many bulk strings are written like an array of separate replies", () => {
  const values = Array.from({ length: 1000 }, (_, i) => "v".repeat(i % 40) + i);
  for (const kind of ["array", "set", "map"] as const) {
    const many = bulksReply(kind, values);
    assert.ok(many instanceof LazyBulkReply);
    const { items } = bulks(values) as { readonly items: readonly Reply[] };
    assert.equal(writeReply(many), writeReply({ kind, items }));
    assert.equal(writeReply3(many), writeReply3({ kind, items }));
    assert.deepEqual(many.items, items);
  }
});

test("an array of many replies is written like separate replies", () => {
  const kinds = [bulk("a"), double(0.5), NIL, integer(7), pairs([bulk("b"), double(1)])];
  const items = Array.from({ length: 1000 }, (_, i) => kinds[i % kinds.length] as Reply);
  for (const [kind, sign, size] of [
    ["array", "*", 1000],
    ["set", "~", 1000],
    ["map", "%", 500],
  ] as const) {
    assert.equal(writeReply({ kind, items }), `*1000\r\n${items.map(writeReply).join("")}`);
    assert.equal(writeReply3({ kind, items }), `${sign}${size}\r\n${items.map(writeReply3).join("")}`);
  }
});

test("an array of many bulk strings does not change when the source of its strings changes", () => {
  const values = Array.from({ length: 1000 }, (_, i) => String(i));
  const answer = bulksReply("array", values);
  const before = writeReply(answer);
  values.push("more");
  assert.equal(writeReply(answer), before);
});
