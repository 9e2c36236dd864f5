/** Tests the parsing of -d. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseSpecifications } from "../../../daemon/options/database-list.js";

const plain = { kind: "redis", db: 0, username: null, password: null, tls: false };

test("the form of php-dbsync names a host and a port, with brackets around an IPv6 address", () => {
  assert.deepEqual(parseSpecifications("redis:127.0.0.1:6379"), [
    { ...plain, name: "redis:127.0.0.1:6379", host: "127.0.0.1", port: 6379 },
  ]);
  assert.deepEqual(parseSpecifications("redis:[::1]:1"), [
    { ...plain, name: "redis:[::1]:1", host: "::1", port: 1 },
  ]);
});

test("several databases keep their order, and spaces around commas are ignored", () => {
  const names = parseSpecifications("redis:b:2, memory,redis:a:1").map(({ name }) => name);
  assert.deepEqual(names, ["redis:b:2", "memory", "redis:a:1"]);
});

test("a URL may state user, password, database and TLS, and the resulting name has no password", () => {
  assert.deepEqual(parseSpecifications("rediss://me:s%2Cc%40@db.example:7000/5"), [
    {
      kind: "redis",
      name: "rediss://db.example:7000/5",
      host: "db.example",
      port: 7000,
      db: 5,
      username: "me",
      password: "s,c@",
      tls: true,
    },
  ]);
  assert.deepEqual(parseSpecifications("redis://[::1]"), [
    { ...plain, name: "redis:[::1]:6379", host: "::1", port: 6379 },
  ]);
});

test("the daemons of a sidecar are one database, in the form of a client's list of servers", () => {
  const list = "127.0.0.1:1111,dbsyncs://db2:1111#sha256:ab";
  assert.deepEqual(parseSpecifications(`dbsync:${list}`), [
    { kind: "dbsync", name: `dbsync:${list}`, servers: list },
  ]);
  for (const text of ["dbsync:a:1, dbsync:b:2", "dbsync:a:1,b:2"])
    assert.deepEqual(parseSpecifications(text), [
      { kind: "dbsync", name: "dbsync:a:1,b:2", servers: "a:1,b:2" },
    ]);
  assert.deepEqual(
    parseSpecifications("dbsyncs://a:1,dbsyncs://b:2").map((one) => "servers" in one && one.servers),
    ["dbsyncs://a:1,dbsyncs://b:2"],
  );
});

test("a cluster, and sentinels with the name of their master, are one database of several servers", () => {
  const nodes = [
    { host: "a", port: 1 },
    { host: "::1", port: 2 },
  ];
  const sentinel = { username: null, password: null, tls: false };
  const group = { nodes, master: "", db: 0, ...sentinel, sentinel };

  assert.deepEqual(parseSpecifications("redis-cluster:a:1, [::1]:2"), [
    { ...group, kind: "redis-cluster", name: "redis-cluster:a:1,[::1]:2" },
  ]);
  assert.deepEqual(parseSpecifications("redis-sentinel:main@a:1,[::1]:2"), [
    { ...group, kind: "redis-sentinel", name: "redis-sentinel:main@a:1,[::1]:2", master: "main" },
  ]);

  const login = { username: "me", password: "p@,s", tls: true, sentinel: { ...sentinel, tls: true } };
  assert.deepEqual(parseSpecifications("rediss-sentinel://me:p%40%2Cs@main@a:1,[::1]:2/3"), [
    {
      ...group,
      ...login,
      kind: "redis-sentinel",
      master: "main",
      db: 3,
      name: "rediss-sentinel://main@a:1,[::1]:2/3",
    },
  ]);

  const own = "?sentinel-user=w&sentinel-password=s%40%26&sentinel-tls=no";
  assert.deepEqual(parseSpecifications(`rediss-sentinel://me:p%40%2Cs@main@a:1,[::1]:2${own}`), [
    {
      ...group,
      ...login,
      kind: "redis-sentinel",
      master: "main",
      name: "rediss-sentinel:main@a:1,[::1]:2",
      sentinel: { username: "w", password: "s@&", tls: false },
    },
  ]);

  assert.deepEqual(parseSpecifications("rediss-cluster://me:p%40%2Cs@a:1,[::1]:2"), [
    { ...group, ...login, kind: "redis-cluster", name: "rediss-cluster:a:1,[::1]:2" },
  ]);
});

for (const [text, problem] of [
  ["redis-cluster:", /"" is not host:port\. Expected redis-cluster:host:port,host:port/],
  ["redis-cluster:a:1,memory", /"memory" is not host:port/],
  ["redis-cluster:main@a:1", /a cluster has no name/],
  [
    "redis-cluster://me:secret@a:1/3",
    /^"redis-cluster:\/\/\*\*\*@a:1\/3": a Redis Cluster has only database 0/,
  ],
  ["redis-sentinel:a:1", /the master's name is missing/],
  ["redis-cluster://me:s@a:1?x=1", /a cluster has no settings after a question mark/],
  [
    "redis-sentinel:main@a:1?x=1&sentinel-password=secret",
    /^"redis-sentinel:main@a:1\?x=1&sentinel-password=\*\*\*": "x" is not a setting with a value/,
  ],
  [
    "redis-sentinel:main@a:1?sentinel-password=sec&ret",
    /^"redis-sentinel:main@a:1\?sentinel-password=\*\*\*": the text after the sentinel-password is not a setting/,
  ],
  [
    "redis-sentinel:main@a:1?sentinel-password=sec@ret",
    /^"redis-sentinel:main@a:1\?sentinel-password=\*\*\*": "a:1\?…" is not host:port/,
  ],
  ["redis-sentinel:main@a:1?sentinel-tls=1", /sentinel-tls must be yes or no/],
  ["redis-sentinel:main@a:1?sentinel-user=w", /the sentinel-password is missing/],
  [
    "redis-sentinel://u:%zz@main@a:1",
    /^"redis-sentinel:\/\/\*\*\*@main@a:1": in a user name or a password, write % as/,
  ],
  ["redis-sentinel:main@a:0", /a port is a number from 1 to 65535/],
  ["dbsync:", /A daemon is missing/],
  ["dbsync:a:1,memory", /a list that begins with dbsync: contains only daemons/],
  ["", /A database is missing/],
  ["memory,", /A database is missing/],
  ["Memory", /unknown database type "Memory"/],
  ["redis", /is not redis:host:port/],
  ["redis:::1:6379", /is not redis:host:port/],
  ["redis:h:99999", /from 1 to 65535/],
  ["redis://user:secret@h:1/x", /^"redis:\/\/\*\*\*@h:1\/x" is not/],
  ["redis://u:secret@h:99999", /^"redis:\/\/\*\*\*@h:99999" is not a URL/],
  ["redis://u:%zz@h:1", /^"redis:\/\/\*\*\*@h:1": in a user name or a password, write % as %25/],
  ["redis:h:1,redis:h:1", /"redis:h:1" is listed twice/],
] as const) {
  test(`${JSON.stringify(text)} is not a list of databases`, () => {
    assert.throws(() => parseSpecifications(text), { name: "RangeError", message: problem });
  });
}
