/** Tests the ACL commands of the listener, compared with redis-server where the answers are the same. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { makeFolder } from "../../../test/daemon/program/replicas.js";
import { startDaemonHere } from "../../../test/support/daemon-here.js";
import { RawClient } from "../../../test/support/raw-client.js";
import { RedisConnection } from "../../../test/support/redis-connection.js";
import { skipWithout } from "../../../test/support/requirements.js";
import { Users, userLine } from "../../users/users.js";
import { answers, lines, RedisComparison } from "./redis-comparison.js";
import { startResp } from "./scene.js";

const conversations: readonly (readonly string[])[] = [
  ["ACL WHOAMI", "ACL USERS", "ACL CAT foo", "ACL CAT a b", "ACL GETUSER nobody", "ACL"],
  ["ACL DELUSER default", "ACL DELUSER foo", "ACL DRYRUN nobody get a", "ACL DRYRUN default get a"],
  ["ACL DRYRUN default foo", "ACL DRYRUN default get", "ACL GENPASS x", "ACL GENPASS 0", "ACL GENPASS 5000"],
  ["ACL LOG RESET", "ACL LOG", "ACL LOG x", "ACL SETUSER ann on >pw ~a* +get +set +echo", "ACL USERS"],
  ["ACL DRYRUN ann del a", "ACL DRYRUN ann get ab", "AUTH ann no", "AUTH ann pw"],
  ["AUTH ann pw", "SET ab 1", "SET b 1", "ACL WHOAMI", "DEL ab"],
  ["ACL SETUSER ann nopass +acl|whoami", "AUTH ann x", "ACL WHOAMI", "MULTI", "DEL a", "EXEC"],
  [
    "ACL DRYRUN ann get zz",
    "ACL SETUSER ann +mset",
    "ACL DRYRUN ann mset ab 1 zz 2 yy 3",
    "ACL DRYRUN ann mset zz 1",
  ],
  ["ACL SETUSER ann (~y* +mset)", "ACL DRYRUN ann mset yy 1 ab 2 zz 3", "ACL DRYRUN ann mset yy 1 x 2"],
  ["ACL SETUSER ann off", "AUTH ann x", "ACL DELUSER ann bob", "ACL USERS", "AUTH ann x"],
];

const skip = skipWithout("redis-server");

test("users are created, tested, changed and removed as in Redis", { skip }, async () => {
  await using comparison = await RedisComparison.start();
  for (const conversation of conversations) await comparison.assertSame(lines(...conversation));
});

/** The rules of a user, step by step. */
const RULES: readonly (readonly string[])[] = [
  [""],
  ["on nopass ~* &* +@all"],
  ["on >pw allkeys allchannels allcommands", "off resetkeys nocommands resetchannels"],
  ["~a* ~b %R~c %RW~d %W~e", "%W~c %R~e ~a*", "resetkeys ~z"],
  ["&x &y &x", "&z", "resetchannels &q"],
  ["skip-sanitize-payload", "sanitize-payload", "reset"],
  ["+get", "+GET", "-get +get"],
  ["+config|get", "+config", "-config|set"],
  ["(~c +get) (%R~d +@all)", "clearselectors (~e)", "+get"],
  [">pw >other", "<pw", "nopass", "resetpass"],
  ["+@all -acl", "+acl|whoami"],
];

test("a mistake in a rule is reported as in Redis, and nothing changes", { skip }, async () => {
  await using comparison = await RedisComparison.start();
  const wrong = [
    ...[
      "foo",
      "+foo",
      "-foo",
      "+@foo",
      "-@foo",
      "+config|foo",
      "-client|foo",
      "+config|get|x",
      "secret",
      "%X~a",
    ],
    ...[
      "<none",
      `!${"0".repeat(64)}`,
      "#xyz",
      `#${"Z".repeat(64)}`,
      "allkeys ~a",
      "~* %R~a",
      "allchannels &a",
    ],
    ...["(", "(+get", "(+@foo)", "(on)", "(>x)", "(foo)", "(~* ~a)", "(+get (+set)", "+get ("],
  ];
  await comparison.assertSame(
    lines("ACL SETUSER ann on >p ~a* +get", ...wrong.map((rules) => `ACL SETUSER ann ${rules}`), "ACL LIST"),
  );
});

test("rules are shown in the same form as in Redis", { skip }, async () => {
  await using comparison = await RedisComparison.start();
  for (const steps of RULES) {
    const commands = steps.flatMap((rules) => [`ACL SETUSER ann ${rules}`, "ACL LIST", "ACL GETUSER ann"]);
    await comparison.assertSame(
      lines(...commands, "ACL GETUSER default", "HELLO 3", "ACL GETUSER ann", "ACL DELUSER ann"),
    );
  }
});

test("ACL LOG names the denied command or key, as in Redis", { skip }, async () => {
  await using comparison = await RedisComparison.start();
  const objects = async (port: number) => {
    using client = await RedisConnection.open(port);
    for (const argv of [
      ...[["ACL", "SETUSER", "ann", "on", "nopass", "~a*", "+get", "+mset", "+multi", "+exec", "+acl"]],
      ...[["AUTH", "ann", "x"], ["SET", "a", "1"], ["GET", "b"], ["MSET", "ab", "1", "bc", "2"], ["MULTI"]],
      ...[["GET", "in"], ["GET", "a"], ["EXEC"], ["AUTH", "ann"], ["AUTH", "bob", "x"], ["ACL", "LOG"]],
    ])
      client.queue(argv);
    const log = (await client.flush()).at(-1);
    assert.ok(log?.kind === "array" && log.items.length > 4);
    return log.items.map((entry) => (entry.kind === "array" ? entry.items.slice(0, 10) : entry));
  };
  assert.deepEqual(await objects(comparison.ours.port), await objects(comparison.redis.port));
});

test("a file that Redis has saved is read, and saved unchanged", async () => {
  using folder = makeFolder();
  const file = join(folder.path, "users.acl");
  const hash = createHash("sha256").update("pw").digest("hex");
  const saved = [
    `user ann on sanitize-payload #${hash} ~a* %R~b resetchannels &x -@all +get (~c resetchannels -@all +set)`,
    "user default on nopass sanitize-payload ~* &* +@all",
  ];
  writeFileSync(file, `${saved.join("\n")}\n`);
  const users = new Users(file);

  // Another user may have created a file under a name that can be guessed, to read what is written to it.
  const guessed = `${file}.new`;
  writeFileSync(guessed, "");
  users.save(file, [...users.all()].map(userLine).sort());

  assert.deepEqual(readFileSync(file, "latin1").trim().split("\n"), saved);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal(readFileSync(guessed, "latin1"), "");
});

test("a user's rules may be changed any number of times", () => {
  const users = new Users(null);
  for (let i = 0; i < 1000; i++)
    users.replaceAll(users.changed("ann", [i % 2 === 0 ? "+get" : "-get", "~a"]));
  assert.equal(userLine(users.find("ann") ?? assert.fail()), "user ann off ~a resetchannels -@all -get");
});

test("ACL LOG lists denials, and ACL CAT lists categories", async () => {
  await using ours = await startResp();
  await answers(
    ours.port,
    lines("ACL SETUSER ann on nopass ~a* +get +echo", "AUTH ann x", "SET a 1", "GET b", "SET a 1"),
  );
  const log = await answers(ours.port, lines("ACL LOG 1", "ACL CAT geo", "ACL GENPASS 9"));
  assert.match(log, /^\*1\r\n\*14\r\n\$5\r\ncount\r\n:2\r\n\$6\r\nreason\r\n\$7\r\ncommand\r\n/);
  assert.match(log, /username\r\n\$3\r\nann\r\n/);
  assert.match(log, /\r\ngeoadd\r\n/);
  assert.match(log, /\$3\r\n[0-9a-f]{3}\r\n/);
});

test("a removed user's connections are closed", async () => {
  await using ours = await startResp();
  using client = await RawClient.open(ours.port);
  await answers(ours.port, lines("ACL SETUSER ann on nopass ~* +@all"));
  client.send(lines("AUTH ann x"));
  assert.equal(await client.read(5), "+OK\r\n");
  assert.match(await answers(ours.port, lines("ACL DELUSER ann")), /^:1\r\n/);
  assert.equal(await client.rest(), "");
});

test("a client that removes its own user is answered before its connection is closed", { skip }, async () => {
  await using comparison = await RedisComparison.start();
  await comparison.assertSame(
    lines("ACL SETUSER ann on nopass ~* +@all", "AUTH ann x", "ACL DELUSER ann", "PING"),
  );
});

test("ACL SAVE writes an equivalent file, and ACL LOAD reads it", async () => {
  using folder = makeFolder();
  const file = join(folder.path, "users.acl");
  writeFileSync(file, "user default on nopass ~* +@all\n");
  await using daemon = await startDaemonHere(["--resp", "0", "--acl-file", file]);
  const port = await daemon.portOf("Redis clients");

  assert.match(
    await answers(port, lines("ACL SETUSER ann on >pw ~a* %R~b -@all +get +echo (+set ~c)", "ACL SAVE")),
    /^\+OK\r\n\+OK\r\n/,
  );

  const users = new Users(file);
  assert.equal(users.login("ann", "pw")?.name, "ann");
  assert.doesNotMatch(readFileSync(file, "latin1"), /pw/);
  assert.match(
    await answers(port, lines("ACL SETUSER ann off", "ACL LOAD", "AUTH ann pw", "GET a")),
    /^\+OK\r\n\+OK\r\n\+OK\r\n\$-1\r\n/,
  );

  writeFileSync(file, "user ann on +nothing\n");
  assert.match(await answers(port, lines("ACL LOAD", "ACL USERS")), /^-ERR --acl-file .*line 1.*\r\n\*2\r\n/);
});
