/** ACL at the listener, beside redis-server where the answers are the same. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Users } from "../../../daemon/users.js";
import { startDaemon } from "../../support/daemon-process.js";
import { RawClient } from "../../support/raw-client.js";
import { skipWithout } from "../../support/requirements.js";
import { makeFolder } from "../replicas.js";
import { answers, BesideRedis, lines } from "./beside-redis.js";
import { startResp } from "./scene.js";

const conversations: readonly (readonly string[])[] = [
  ["ACL WHOAMI", "ACL USERS", "ACL CAT foo", "ACL CAT a b", "ACL GETUSER nobody", "ACL"],
  ["ACL DELUSER default", "ACL DELUSER foo", "ACL DRYRUN nobody get a", "ACL DRYRUN default get a"],
  ["ACL DRYRUN default foo", "ACL DRYRUN default get", "ACL GENPASS x", "ACL GENPASS 0", "ACL GENPASS 5000"],
  ["ACL LOG RESET", "ACL LOG", "ACL LOG x", "ACL SETUSER ann on >pw ~a* +get +set +echo", "ACL USERS"],
  ["ACL DRYRUN ann del a", "ACL DRYRUN ann get ab", "AUTH ann no", "AUTH ann pw"],
  ["AUTH ann pw", "SET ab 1", "SET b 1", "ACL WHOAMI", "DEL ab"],
  ["ACL SETUSER ann nopass +acl|whoami", "AUTH ann x", "ACL WHOAMI", "MULTI", "DEL a", "EXEC"],
  ["ACL SETUSER ann off", "AUTH ann x", "ACL DELUSER ann bob", "ACL USERS", "AUTH ann x"],
];

test("users are made, tried, changed and removed as in Redis", {
  skip: skipWithout("redis-server"),
}, async () => {
  await using beside = await BesideRedis.start();
  for (const conversation of conversations) await beside.assertSame(lines(...conversation));
});

test("ACL LOG tells what was denied, ACL CAT what there is", async () => {
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

test("ACL SAVE writes a file that says the same, and ACL LOAD reads it", async () => {
  using folder = makeFolder();
  const file = join(folder.path, "users.acl");
  writeFileSync(file, "user default on nopass ~* +@all\n");
  await using daemon = await startDaemon(["--resp", "0", "--acl-file", file]);
  const served = await daemon.logged(({ msg }) => msg === "serving Redis clients");
  const port = served["port"] as number;
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
