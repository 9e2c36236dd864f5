/**
 * Tests that no port of a daemon bypasses its users: while clients have to log in, or have limited rights, the main
 * port executes no unsigned commands, and the ports of all listeners for users require a login.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createClient } from "../../client/dbsync-send.js";
import { DbsyncError } from "../../client/shared/errors.js";
import { makeFolder, startReplica } from "../daemon/program/replicas.js";
import { clientsOf, LISTENER_CASES } from "../support/all-listener-cases.js";
import { some } from "../support/amount.js";
import { type DaemonHere, startDaemonHere } from "../support/daemon-here.js";
import { makeKeyPair } from "../support/envelope-client.js";
import { USER_LISTENER_NAMES } from "../support/installed-options.js";
import { RawClient } from "../support/raw-client.js";

const LOGIN = "AUTH ann secret\r\n";
const FIRST_LISTENERS = ["--resp", "0", "--acl-file"];

/** Returns the port of a listener for users. */
async function portOf(daemon: DaemonHere, clients: RegExp): Promise<number> {
  const line = await daemon.logged(({ msg }) => clients.test(msg));
  return Number(line["port"]);
}

/** The listeners for users, with the text that the log contains when they serve. */
const LISTENERS = LISTENER_CASES.filter(({ option }) => isUserListener(option)).map((cases) => {
  const { option, users } = cases;
  assert.ok(users !== null, `--${option}: its ListenerCases have no users`);
  return { option, users, serving: new RegExp(`^serving ${clientsOf(cases)}`) };
});
const FLAGS = LISTENERS.flatMap(({ option }) => [`--${option}`, "127.0.0.1:0"]);

function isUserListener(option: string): boolean {
  return (USER_LISTENER_NAMES as readonly string[]).includes(option);
}

/** Returns the answers of the main port to unsigned commands of both versions and to a subscription. */
async function unsignedAnswers(port: number): Promise<string[]> {
  const answers = await Promise.all(
    (["1", "2"] as const).map(async (versions) => {
      await using client = createClient({ servers: `127.0.0.1:${port}`, key: false, versions });
      return await client.call(["SET", "k", versions]).then(String, (problem) => {
        assert.ok(problem instanceof DbsyncError);
        const [outcome] = problem.outcomes;
        return outcome?.status === "failed" ? `${outcome.stage} ${outcome.detail}` : "";
      });
    }),
  );
  await using client = createClient({ servers: `127.0.0.1:${port}`, key: false, versions: "2" });
  const events = client.watch({ prefix: "" });
  const first = await events.next().then(
    ({ value }) => (value?.type === "gap" ? value.detail : String(value?.type)),
    (problem: Error) => problem.message,
  );
  await events.return?.();
  return [...answers, first];
}

/** Returns the number of keys, as a user that has logged in sees it. */
async function countKeys(respPort: number): Promise<string> {
  using client = await RawClient.open(respPort);
  client.send(`${LOGIN}DBSIZE\r\n`);
  await client.readTo("\r\n");
  return (await client.readTo("\r\n")).trim();
}

const REFUSED = [/^no-reason/, /^refused login-required: /, /login-required|has users and no keys/];

function assertRefused(answers: readonly string[]): void {
  for (const [at, refused] of REFUSED.entries()) assert.match(answers[at] ?? "", refused);
}

test("no port of a daemon bypasses its users", async () => {
  using folder = makeFolder();
  const file = join(folder.path, "users.acl");
  writeFileSync(file, "user default off\nuser ann on >secret ~* &* +@all\n");
  await using daemon = await startDaemonHere([...FLAGS, "--acl-file", file]);
  for (const { users, serving } of LISTENERS) await users.attempt(await portOf(daemon, serving));
  assertRefused(await unsignedAnswers(daemon.port));
  assert.equal(await countKeys(await portOf(daemon, /serving Redis/)), ":0");
  await daemon.logged(({ msg }) => /executes no commands, .*--allow-unsigned/.test(msg));
});

test("no line of the log contains a password, whatever its level", async () => {
  using folder = makeFolder();
  const file = join(folder.path, "users.acl");
  writeFileSync(file, "user default off\nuser ann on >topsecret ~* &* +@all\n");
  await using replica = await startReplica({ args: [...FLAGS, "--acl-file", file], level: "trace" });
  const { log } = replica;

  for (const { option, users, serving } of LISTENERS) {
    const port = Number(log.find(({ msg }) => serving.test(msg))?.["port"]);
    const before = log.length;
    await users.logIn(port);
    const added = log.slice(before);

    for (const direction of ["received", "sent"])
      assert.ok(
        added.some((line) => line["direction"] === direction && Number(line["length"]) > 0),
        option,
      );
    assert.ok(
      added.some(({ msg }) => msg === "command"),
      option,
    );
  }

  assert.doesNotMatch(JSON.stringify(log), /topsecret/);
  assert.ok(log.some(({ user, command }) => user === "ann" && command === "auth"));
});

/** Rights with a limit for keys, commands or channels. */
const LIMITED_RIGHTS = ["~app:* &* +@all", "~* &* +@read", "~* &app +@all"];

test("a user with limited rights that needs no login closes the main port too", async () => {
  using folder = makeFolder();
  for (const [at, rights] of some(LIMITED_RIGHTS).entries()) {
    const file = join(folder.path, `users-${at}.acl`);
    writeFileSync(file, `user default on nopass ${rights}\n`);
    await using daemon = await startDaemonHere([...FIRST_LISTENERS, file]);
    assertRefused(await unsignedAnswers(daemon.port));
  }
});

test("the main port follows changes of the users", async () => {
  await using daemon = await startDaemonHere(["--resp", "0"]);
  const open = await unsignedAnswers(daemon.port);
  assert.deepEqual(open, ["OK", "OK", "open"]);

  await using client = createClient({ servers: `127.0.0.1:${daemon.port}`, key: false, versions: "2" });
  const events = client.watch("k");
  assert.equal((await events.next()).value?.type, "open");

  using administrator = await RawClient.open(await portOf(daemon, /serving Redis/));
  const succeeds = async (command: string) => {
    administrator.send(`${command}\r\n`);
    assert.equal(await administrator.readTo("\r\n"), "+OK\r\n");
  };

  await succeeds("CONFIG SET requirepass secret");
  assertRefused(await unsignedAnswers(daemon.port));
  await succeeds("SET k later");
  assert.notEqual((await events.next().catch(() => null))?.value?.type, "changed");

  await succeeds("ACL SETUSER default nopass");
  assert.deepEqual(await unsignedAnswers(daemon.port), ["OK", "OK", "open"]);
  await succeeds("ACL SETUSER default -flushall");
  assertRefused(await unsignedAnswers(daemon.port));

  await succeeds("ACL SETUSER app on nopass ~* &* +@all");
  await succeeds("AUTH app x");
  for (const rights of LIMITED_RIGHTS) {
    await succeeds("ACL SETUSER default reset on nopass ~* &* +@all");
    assert.deepEqual(await unsignedAnswers(daemon.port), ["OK", "OK", "open"]);
    await succeeds(`ACL SETUSER default reset on nopass ${rights}`);
    assertRefused(await unsignedAnswers(daemon.port));
  }
});

test("--allow-unsigned executes unsigned commands despite users", async () => {
  using folder = makeFolder();
  const file = join(folder.path, "users.acl");
  writeFileSync(file, "user default off\nuser ann on >secret ~* &* +@all\n");
  await using daemon = await startDaemonHere([...FIRST_LISTENERS, file, "--allow-unsigned"]);
  assert.deepEqual(await unsignedAnswers(daemon.port), ["OK", "OK", "open"]);
});

test("a sidecar signs no unsigned commands past its users", async () => {
  using folder = makeFolder();
  const file = join(folder.path, "users.acl");
  writeFileSync(file, "user default off\nuser ann on >secret ~* &* +@all\n");
  const pair = makeKeyPair();
  const privateFile = join(folder.path, "private.pem");
  const pem = pair.privateKey.export({ type: "pkcs8", format: "pem" });
  writeFileSync(privateFile, pem, { mode: 0o600 });
  await using server = await startDaemonHere(["-s", pair.file]);
  const options = ["-d", `dbsync:127.0.0.1:${server.port}`, "--key", privateFile];
  await using sidecar = await startDaemonHere([...options, ...FIRST_LISTENERS, file]);
  const [first, second] = await unsignedAnswers(sidecar.port);
  assert.match(first ?? "", REFUSED[0] as RegExp);
  assert.match(second ?? "", REFUSED[1] as RegExp);
});
