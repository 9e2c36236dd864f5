/** Tests the list of servers: its syntax, and the errors for invalid lists. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DbsyncError } from "../../../client/shared/errors.js";
import { parseServers } from "../../../client/shared/server-list.js";

const GOOD: [string | string[], string[]][] = [
  ["127.0.0.1:1111", ["127.0.0.1:1111"]],
  ["127.0.0.1", ["127.0.0.1:1111"]],
  ["a:1,b:2", ["a:1", "b:2"]],
  [" a:1 ,\tb:2 , ", ["a:1", "b:2"]],
  ["db-1.example.org:1234", ["db-1.example.org:1234"]],
  ["DB.Example.org", ["db.example.org:1111"]],
  ["[::1]:2222", ["[::1]:2222"]],
  ["[::1]", ["[::1]:1111"]],
  ["::1", ["[::1]:1111"]],
  ["fe80::1%eth0", ["[fe80::1%eth0]:1111"]],
  ["a:1,a:1,A:1", ["a:1"]],
  ["[::1]:5,[0:0:0:0:0:0:0:1]:5,[0000::0001]:5", ["[::1]:5"]],
  ["2001:DB8:0::1,2001:db8::1", ["[2001:db8::1]:1111"]],
  ["dbsync://a, dbsyncs://b:2", ["a:1111", "dbsyncs://b:2"]],
  [
    ["a:1", "b:2,c:3"],
    ["a:1", "b:2", "c:3"],
  ],
];

for (const [input, expected] of GOOD) {
  test(`servers ${JSON.stringify(input)} are ${expected.join(" and ")}`, () => {
    assert.deepEqual(
      parseServers(input).map(({ text }) => text),
      expected,
    );
  });
}

test("an IPv6 server has its address without brackets as host", () => {
  assert.deepEqual(parseServers("[::1]:5"), [
    { host: "::1", port: 5, text: "[::1]:5", tls: null, versions: null },
  ]);
});

test("an entry may name the version of its daemon", () => {
  const parsed = (list: string) =>
    parseServers(list).map(({ text, versions, tls }) => [text, versions, tls !== null]);
  assert.deepEqual(parsed("dbsync1://a:5, DBSYNC2://b, dbsync://c, dbsyncs1://d"), [
    ["dbsync1://a:5", "1", false],
    ["dbsync2://b:1111", "2", false],
    ["c:1111", null, false],
    ["dbsyncs1://d:1111", "1", true],
  ]);
});

const BAD: unknown[] = [
  "dbsync3://a",
  "dbsync12://a",
  "dbsync1://a,a",
  "dbsync1://a#sha256:00",
  "",
  " , ",
  [],
  "a:0",
  "a:65536",
  "a:",
  "a:x",
  "a:-1",
  "a:1:2",
  ":1111",
  "[::1",
  "[::1]x",
  "[::1]:",
  "[1.2.3.4]:1",
  "300.1.1.1",
  // The system would read the zero as a sign of octal digits, and connect to 8.0.0.1.
  "010.0.0.1",
  "1.2.3",
  "1.2.3.4.5:1",
  "a b",
  "redis://a:1",
  "-a",
  7,
  null,
  [7],
  Array.from({ length: 65 }, (_, port) => `a:${port + 1}`),
];

for (const input of BAD) {
  test(`servers ${JSON.stringify(input).slice(0, 40)} are refused`, () => {
    assert.throws(
      () => parseServers(input),
      (error) =>
        error instanceof DbsyncError &&
        error.code === "bad-option" &&
        /servers is .*allowed: /.test(error.message),
    );
  });
}
