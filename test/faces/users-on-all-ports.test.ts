/**
 * Tests that no port of a daemon bypasses its users: while clients have to log in, or have limited rights, the main
 * port executes no unsigned commands, and the ports of all listeners for users require a login.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { MongoClient } from "mongodb";
import { createClient } from "../../client/dbsync-send.js";
import { DbsyncError } from "../../client/shared/errors.js";
import type { UserListenerName } from "../../daemon/options/option-table.js";
import { makeFolder, startReplica } from "../daemon/program/replicas.js";
import { some } from "../support/amount.js";
import { type DaemonProcess, startDaemon } from "../support/daemon-process.js";
import { makeKeyPair } from "../support/envelope-client.js";
import { USER_LISTENER_NAMES } from "../support/installed-options.js";
import { RawClient } from "../support/raw-client.js";

const LOGIN = "AUTH ann secret\r\n";
const FIRST_LISTENERS = ["--resp", "0", "--acl-file"];

/** Returns the port of a listener for users. */
async function portOf(daemon: DaemonProcess, clients: RegExp): Promise<number> {
  const line = await daemon.logged(({ msg }) => clients.test(msg));
  return Number(line["port"]);
}

/** Returns the first line of the answer to a request of a client that has not logged in; "" if there is none. */
async function answerTo(port: number, request: string): Promise<string> {
  using client = await RawClient.open(port);
  client.send(request);
  const answer = (await client.readTo("\n")).trim();
  return answer === "RESULT_MESSAGE" ? await client.readTo("\n") : answer;
}

/** Attempts of clients that have not logged in to write with each listener, and the answers that they must receive. */
const ATTEMPTS: Readonly<
  Record<UserListenerName, readonly [clients: RegExp, request: string, answer: RegExp]>
> = {
  resp: [/serving Redis/, "SET k resp\r\n", /^-NOAUTH /],
  sentinel: [/serving sentinel/, "SENTINEL MASTERS\r\n", /^-NOAUTH /],
  json: [/serving JSON/, '{"action":"create","document":"k"}\n', /Authentication required/],
  memcached: [/serving memcached/, "set k 0 0 1\r\n1\r\n", /^(?:CLIENT_ERROR|ERROR) /],
  sql: [/serving SQL/, "create database k;\n", /log|auth/i],
  mongo: [/serving MongoDB/, "", /^$/],
};

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
  const listeners = USER_LISTENER_NAMES.flatMap((name) => [`--${name}`, "127.0.0.1:0"]);
  await using daemon = await startDaemon([...listeners, "--acl-file", file]);
  for (const name of USER_LISTENER_NAMES) {
    const [clients, request, answer] = ATTEMPTS[name];
    const port = await portOf(daemon, clients);
    if (name !== "mongo") assert.match(await answerTo(port, request), answer, name);
    else {
      await using client = new MongoClient(`mongodb://127.0.0.1:${port}/`, {
        serverSelectionTimeoutMS: 10_000,
      });
      await assert.rejects(client.db("k").collection("k").insertOne({ a: 1 }), /auth/i);
    }
  }
  assertRefused(await unsignedAnswers(daemon.port));
  assert.equal(await countKeys(await portOf(daemon, /serving Redis/)), ":0");
  await daemon.logged(({ msg }) => /executes no commands, .*--allow-unsigned/.test(msg));
});

const AUTH = "AUTH ann topsecret\r\nHELLO 3 AUTH ann topsecret\r\nAUHT ann topsecret\r\n";
/** Logins, also mistyped ones. The MongoDB client sends its own. */
const LOGINS: Readonly<Record<UserListenerName, string>> = {
  resp: `${AUTH}ACL DRYRUN ann AUTH ann topsecret\r\nCONFIG SET requirepass topsecret\r\n`,
  sentinel: AUTH,
  json: '{"action":"auth","user":"ann","password":"topsecret"}\n{"action":"atuh","password":"topsecret"}\n',
  memcached: "set k 0 0 13\r\nann topsecret\r\nste k 0 0 13\r\nann topsecret\r\n",
  sql: "login ann topsecret;\nlgoin ann topsecret;\n",
  mongo: "",
};

test("no line of the log contains a password, whatever its level", async () => {
  using folder = makeFolder();
  const file = join(folder.path, "users.acl");
  writeFileSync(file, "user default off\nuser ann on >topsecret ~* &* +@all\n");
  const listeners = USER_LISTENER_NAMES.flatMap((name) => [`--${name}`, "127.0.0.1:0"]);
  await using replica = await startReplica({ args: [...listeners, "--acl-file", file], level: "trace" });
  const { log } = replica;
  for (const name of USER_LISTENER_NAMES) {
    const port = Number(log.find(({ msg }) => ATTEMPTS[name][0].test(msg))?.["port"]);
    const before = log.length;
    if (name === "mongo") {
      await using client = new MongoClient(`mongodb://ann:topsecret@127.0.0.1:${port}/?authMechanism=PLAIN`, {
        serverSelectionTimeoutMS: 10_000,
      });
      await client.db("k").command({ ping: 1 });
    } else await answerTo(port, LOGINS[name]);
    const added = log.slice(before);
    for (const direction of ["received", "sent"])
      assert.ok(
        added.some((line) => line["direction"] === direction && Number(line["length"]) > 0),
        name,
      );
    assert.ok(
      added.some(({ msg }) => msg === "command"),
      name,
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
    await using daemon = await startDaemon([...FIRST_LISTENERS, file]);
    assertRefused(await unsignedAnswers(daemon.port));
  }
});

test("the main port follows changes of the users", async () => {
  await using daemon = await startDaemon(["--resp", "0"]);
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
  await using daemon = await startDaemon([...FIRST_LISTENERS, file, "--allow-unsigned"]);
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
  await using server = await startDaemon(["-s", pair.file]);
  const options = ["-d", `dbsync:127.0.0.1:${server.port}`, "--key", privateFile];
  await using sidecar = await startDaemon([...options, ...FIRST_LISTENERS, file]);
  const [first, second] = await unsignedAnswers(sidecar.port);
  assert.match(first ?? "", REFUSED[0] as RegExp);
  assert.match(second ?? "", REFUSED[1] as RegExp);
});
