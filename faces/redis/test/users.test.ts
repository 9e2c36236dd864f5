/** Compares users of --acl-file with redis-server's: the same file and the same conversations. */
import assert from "node:assert/strict";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { StartError } from "../../../daemon/net/process/service.js";
import { makeFolder } from "../../../test/daemon/program/replicas.js";
import { some } from "../../../test/support/amount.js";
import { writeCertificate } from "../../../test/support/certificate-files.js";
import { startDaemonHere } from "../../../test/support/daemon-here.js";
import { startDaemon } from "../../../test/support/daemon-process.js";
import { makeKeyPair } from "../../../test/support/envelope-client.js";
import { USER_LISTENER_NAMES } from "../../../test/support/installed-options.js";
import { RawClient } from "../../../test/support/raw-client.js";
import { startRedis } from "../../../test/support/redis-server.js";
import { refusalOf } from "../../../test/support/refusal.js";
import { skipWithout } from "../../../test/support/requirements.js";
import { Users } from "../../users/users.js";
import { exchange, startResp, withFile } from "./scene.js";

const skip = skipWithout("redis-server");
const lines = (...commands: readonly string[]) => commands.map((command) => `${command}\r\n`).join("");

/** SHA-256 of `dpw`. */
const HASH = "6e73de19be339f23d11536e634820a7952a76daddb1e20b59df06c00d298a83b";
const file = [
  `user default on #${HASH} ~* &* +@all`,
  "user alice on >pw ~k* %R~x* resetchannels +@all -@dangerous",
  "user bob on nopass ~* resetchannels -@all +get +select",
  "user carol off nopass ~* +@all",
  "user dave on >one >two <one ~a (+get ~b) +set",
];

const conversations: readonly (readonly string[])[] = [
  ["PING", "foo", "set a", "HELLO 3", "EXEC", "RESET", "MULTI", "QUIT"],
  ["HELLO 3 AUTH alice no", "HELLO 2 AUTH alice pw", "HELLO 2 AUTH alice x SETNAME q", "get k"],
  ["AUTH alice pw", "FLUSHALL", "GET a", "SET x 1", "GET x", "MULTI", "GET a", "SET k 1", "EXEC"],
  ["AUTH bob x", "SET k 1", "GET k", "PING", "MULTI", "SELECT 1", "GET k"],
  ["AUTH carol x", "AUTH dpw", "AUTH default dpw", "AUTH nobody x", "PING"],
  ["AUTH dpw", "MULTI", "SET a 1", "AUTH bob x", "SET a 2", "GET a", "EXEC", "RESET", "PING"],
  ["AUTH dave one", "AUTH dave two", "SET a 1", "GET a", "GET b", "SET b 1", "AUTH dpw", "DEL a"],
  ["AUTH dpw", "RESET", "PING", "AUTH alice", "AUTH"],
];

test("a logged-in user may do what Redis permits, with the same messages", { skip }, async () => {
  using folder = makeFolder();
  const path = join(folder.path, "users.acl");
  writeFileSync(path, file.join("\n"));
  await using redis = await startRedis({ args: ["--aclfile", path] });
  await using ours = await startResp({ users: file });
  for (const conversation of conversations) {
    const bytes = lines(...conversation);
    // Redis may close the connection before it has answered all commands.
    const theirs = await exchange(redis.port, bytes);
    assert.equal(await exchange(ours.port, bytes), theirs, conversation.join(", "));
  }
});

test("options of SORT that would read other keys are refused with a specific error", {
  skip,
}, async () => {
  await using redis = await startRedis();
  await using ours = await startResp();
  const bytes = lines(
    ...["ACL SETUSER ann on >p ~l ~w_* +@all", "RPUSH l 2 1", "AUTH ann p"],
    ...[
      "SORT l BY w_*",
      "SORT_RO l BY w_*",
      "SORT l GET w_*",
      "SORT l GET w_* BY w_*",
      "SORT l BY w_* GET w_*",
    ],
    ...["SORT l BY nosort", "SORT l BY w_*->f STORE l", "SORT none BY w_*"],
    ...["SORT l BY w_* STORE x", "SORT x BY w_*", "SORT l STORE *"],
  );
  const theirs = await exchange(redis.port, bytes);
  assert.match(theirs, /-ERR BY option of SORT denied/);
  assert.equal(await exchange(ours.port, bytes), theirs);
});

test("before the login only short requests are accepted", { skip }, async () => {
  await using ours = await startResp({ users: file });
  assert.match(await exchange(ours.port, "*11\r\n"), /unauthenticated multibulk length/);
  assert.match(await exchange(ours.port, "*1\r\n$16385\r\n"), /unauthenticated bulk length/);
  const long = `*2\r\n$4\r\nECHO\r\n$20000\r\n${"x".repeat(20_000)}\r\n`;
  assert.match(await exchange(ours.port, lines("AUTH dpw") + long), /^\+OK\r\n\$20000\r\n/);
});

test("an invalid line is reported with its number, and no line is accepted", () => {
  const wrong: readonly (readonly [lines: readonly string[], expected: RegExp])[] = [
    [["user a on", "usr b"], /line 2: expected: user NAME RULE \.\.\., such as: user ann on/],
    [["user a on secret ~* +@all"], /line 1: word 4 is not a rule: a password begins with >/],
    [["user a on >p (~x wrong)"], /line 1: word 6 is not a rule/],
    [["user a +nothing"], /line 1: rule '\+nothing': there is no such command/],
    [["user a #12"], /64 hexadecimal digits/],
    [["user a on", "", "# a comment", "user a off"], /line 4: user a appears twice/],
    [["user a ~* ~b"], /after ~\*/],
  ];
  for (const [text, expected] of wrong) {
    assert.throws(
      () => withFile(text, (path) => new Users(path)),
      (problem) => problem instanceof StartError && expected.test(problem.message),
    );
  }
  assert.throws(() => new Users("/nowhere/users.acl"), /--acl-file: \/nowhere\/users\.acl does not exist/);
});

test("without a file the default user has all permissions, and needs no password", () => {
  const users = new Users(null);
  assert.equal(users.anonymous?.name, "default");
  assert.equal(users.anonymous?.acl.isUnlimited, true);
  assert.equal(users.login("default", "x")?.name, "default");
  assert.equal(users.login("nobody", "x"), null);
});

test("SIGHUP reads users again: permissions change immediately, and removed users are disconnected", async () => {
  using folder = makeFolder();
  const path = join(folder.path, "users.acl");
  writeFileSync(path, "user default off\nuser ann on >a ~* +@all\nuser bob on >b ~* +@all\n");
  await using daemon = await startDaemon(["--resp", "0", "--acl-file", path]);
  const port = await daemon.portOf("Redis clients");

  using ann = await RawClient.open(port);
  using bob = await RawClient.open(port);
  ann.send(lines("AUTH ann a", "SET k 1"));
  bob.send(lines("AUTH bob b", "SET k 2"));
  assert.equal(await ann.read(10), "+OK\r\n+OK\r\n");
  assert.equal(await bob.read(10), "+OK\r\n+OK\r\n");

  writeFileSync(path, "user default off\nuser ann on >a ~* +@read\n");
  daemon.kill("SIGHUP");
  await daemon.logged(({ msg }) => msg === "configuration and keys read again");
  ann.send(lines("SET k 3", "GET k"));
  const denied = "-NOPERM this user has no permissions to run the 'set' command\r\n$1\r\n2\r\n";
  assert.equal(await ann.read(denied.length), denied);
  bob.send(lines("GET k"));
  assert.equal(await bob.rest(), "-NOAUTH Authentication required.\r\n");
  writeFileSync(path, "user ann on +nothing\n");
  daemon.kill("SIGHUP");
  await daemon.logged(({ msg }) => msg.includes("The old configuration stays"));
  ann.send(lines("GET k"));
  assert.equal(await ann.read(7), "$1\r\n2\r\n");
});

test("neither SIGHUP nor a command opens a listener to other machines that a start would not have opened", async () => {
  using folder = makeFolder();
  const path = join(folder.path, "users.acl");
  writeFileSync(path, "user default off\nuser ann on >a ~* +@all\n");
  await using daemon = await startDaemon(["--resp", "0.0.0.0:0", "--acl-file", path]);
  const port = await daemon.portOf("Redis clients");

  writeFileSync(path, "user ann on >b ~* +@all\n");
  daemon.kill("SIGHUP");
  await daemon.logged(({ msg }) =>
    /The old configuration stays in effect: .*can be reached from other machines/.test(msg),
  );

  using client = await RawClient.open(port);
  const opening = ["ACL LOAD", "ACL SETUSER default on nopass", 'CONFIG SET requirepass ""'];
  client.send(
    lines("GET k", "AUTH ann a", "ACL SETUSER default on >p", ...opening, "ACL SETUSER default off", "QUIT"),
  );
  const replies = (await client.rest()).split("\r\n");
  assert.deepEqual(replies.slice(0, 3), ["-NOAUTH Authentication required.", "+OK", "+OK"]);
  for (const refusal of replies.slice(3, 6))
    assert.match(refusal, /^-ERR .*--resp 0\.0\.0\.0 can be reached from other machines/);
  assert.deepEqual(replies.slice(6), ["+OK", "+OK", ""]);

  using other = await RawClient.open(port);
  other.send(lines("GET k", "QUIT"));
  assert.equal(await other.rest(), "-NOAUTH Authentication required.\r\n+OK\r\n");
});

test("on other addresses than loopback each user needs a password, even with TLS, unless --allow-anonymous is set", async () => {
  using folder = makeFolder();
  const { certificate, key } = await writeCertificate(folder.path);
  const tls = ["--tls-cert", certificate, "--tls-key", key];
  const path = join(folder.path, "users.acl");
  writeFileSync(path, "user default off\nuser guest on nopass ~* +get\n", { mode: 0o600 });
  const plain: readonly string[] = [];
  const acl = ["--acl-file", path];

  for (const [flag, more] of [
    ...some(
      USER_LISTENER_NAMES.flatMap((name) => [plain, tls].map((one) => [`--${name}`, one] as const)),
      1,
    ),
    ["--resp", acl] as const,
  ]) {
    // Some listeners need Redis clients.
    const needed = flag === "--resp" ? [] : ["--resp", "0"];
    const args = [flag, "0.0.0.0:0", ...more, ...needed];

    const open = await refusalOf(args);
    assert.equal(open.code, 2, args.join(" "));
    const cures = "can be reached .*--acl-file.*127\\.0\\.0\\.1.*--allow-anonymous";
    assert.match(open.stderr, new RegExp(`${flag} 0\\.0\\.0\\.0 ${cures}`));

    await using daemon = await startDaemonHere([...args, "--allow-anonymous"]);
    await daemon.logged(({ msg }) => /accepts commands from any client/.test(msg));
  }
  assert.match((await refusalOf(["--allow-anonymous"])).stderr, /add one of them/);
});

test("an emptied file does not permit access without a password: SIGHUP and ACL LOAD are refused, the users stay", async () => {
  using folder = makeFolder();
  const path = join(folder.path, "users.acl");
  writeFileSync(path, "user default off\nuser ann on >a ~* +@all\n", { mode: 0o600 });
  await using daemon = await startDaemon(["--resp", "0", "--acl-file", path]);
  const port = await daemon.portOf("Redis clients");

  for (const emptied of ["", "# nobody\n", "user ann on >a ~* +@all\n"]) {
    writeFileSync(path, emptied);
    const before = daemon.log.length;
    daemon.kill("SIGHUP");
    await daemon.logged(
      (line) =>
        daemon.log.indexOf(line) >= before &&
        /The old configuration stays in effect: .*no longer names user default/.test(line.msg),
    );
    assert.match(await exchange(port, lines("GET k", "AUTH ann a", "ACL LOAD", "QUIT")), REFUSED_LOAD);
  }

  writeFileSync(path, "user default on nopass ~* +@all\n");
  daemon.kill("SIGHUP");
  await daemon.logged(({ msg }) => msg === "configuration and keys read again");
  assert.equal(
    await exchange(port, lines("GET k", "QUIT")),
    "$-1\r\n+OK\r\n",
    "the rule is explicit, so it is intended",
  );
});

const REFUSED_LOAD =
  /^-NOAUTH [^\r]*\r\n\+OK\r\n-ERR --acl-file [^\r]* no longer names user default[^\r]*\r\n\+OK\r\n$/;

test("a warning is logged if other users can read the users file or the daemon's key", async () => {
  using folder = makeFolder();
  const path = join(folder.path, "users.acl");
  writeFileSync(path, "user default off\n");
  chmodSync(path, 0o644);

  const data = join(folder.path, "data");
  const pair = makeKeyPair();
  const args = ["-s", pair.file, "--data", data, "--resp", "0", "--acl-file", path];

  const first = await startDaemon(args);
  await first.logged(({ msg }) => msg.includes("users.acl can be read by all users"));

  chmodSync(path, 0o640);
  const before = first.log.length;
  first.kill("SIGHUP");
  await first.logged(({ msg }) => msg === "configuration and keys read again");
  assert.ok(!first.log.slice(before).some(({ msg }) => msg.includes("can be read")));
  assert.ok(!first.log.some(({ msg }) => msg.includes("daemon.pem")));

  await first.stop();
  chmodSync(join(data, "daemon.pem"), 0o644);
  await using second = await startDaemon(args);
  await second.logged(({ level, msg }) => level === "warn" && msg.includes("daemon.pem"));
  assert.ok(!second.log.some(({ msg }) => msg.includes("users.acl can be read")));
});

test("contradictory options for users are refused with an error that names the remedy", async () => {
  const cases = [
    [["--resp", "0", "-d", "redis:127.0.0.1:1"], /--resp serves the database in this daemon's memory/],
    [["--acl-file", "users.acl"], /add one of them/],
    [["--resp", "x"], /Expected a port/],
    [["--resp", "7001", "-p", "7001"], /--resp and -p both use port 7001 of 127\.0\.0\.1/],
    [["--resp", "7001", "--admin", "7001"], /--admin and --resp both use port 7001/],
    [["--resp", "0.0.0.0:0", "--check-config"], /--resp 0\.0\.0\.0 can be reached/],
  ] as const;
  for (const [args, expected] of some(cases, 2)) {
    const ended = await refusalOf(args);
    assert.equal(ended.code, 2);
    assert.match(ended.stderr, expected);
  }
  const absent = await refusalOf(["--resp", "0", "--acl-file", "nowhere.acl", "--check-config"]);
  assert.match(absent.stderr, /nowhere\.acl does not exist/);
});

test("a user name that is too long for an envelope is refused", () => {
  for (const [length, isTaken] of [
    [256, true],
    [257, false],
  ] as const) {
    const read = () => withFile([`user ${"n".repeat(length)} on nopass`], (file) => new Users(file));
    if (isTaken) read();
    else assert.throws(read, /name of 257 bytes, above 256/);
  }
});
