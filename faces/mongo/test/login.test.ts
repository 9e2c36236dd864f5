/** Tests logins with MongoDB's driver: which are accepted, and with which mechanisms. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { MongoServerError } from "mongodb";
import { type ByteString, bytesOfText } from "../../../protocol/byte-string.js";
import { RawClient } from "../../../test/support/raw-client.js";
import { binary, documentBytes, elements, int32, text, textOf } from "../bytes/bson-documents.js";
import { command } from "./bytes/messages.js";
import { clientOf, startMongo } from "./scene.js";

const sha256 = (password: string) => createHash("sha256").update(password).digest("hex");
const USERS = [
  "user default off",
  "user ann on >secret ~* +@all",
  "user two on >first >second ~* +@all",
  bytesOfText("user zoé on >pä\u00a0sswörd ~* +@all"),
  "user gone off >secret ~* +@all",
  `user hashed on #${sha256("secret")} ~* +@all`,
];

/** Logs in. @returns the user that is logged in, or the code of the refusal */
async function replaceAll(port: number, credentials: string): Promise<string | number> {
  await using client = clientOf(port, credentials);
  try {
    const { authInfo } = await client.db("admin").command({ connectionStatus: 1 });
    return authInfo.authenticatedUsers[0]?.user ?? "";
  } catch (problem) {
    if (problem instanceof MongoServerError) return problem.code ?? 0;
    throw problem;
  }
}

const PLAIN = "authMechanism=PLAIN&authSource=$external";

test("users of the file log in with SCRAM-SHA-256 and any of their passwords, and other logins fail", async () => {
  await using scene = await startMongo({ users: USERS });
  const logins = [
    "ann:secret?authSource=admin",
    "ann:secret?authMechanism=SCRAM-SHA-256",
    "two:first",
    "two:second",
    `${encodeURIComponent("zoé")}:${encodeURIComponent("pä\u00a0sswörd")}`,
    "ann:wrong",
    "nobody:secret",
    "gone:secret",
    "ann:secret?authMechanism=SCRAM-SHA-1",
    "",
  ];
  assert.deepEqual(await Promise.all(logins.map((credentials) => replaceAll(scene.port, credentials))), [
    "ann",
    "ann",
    "two",
    "two",
    "zoé",
    18,
    18,
    18,
    334,
    13,
  ]);
});

test("a user with only a password hash needs PLAIN once, and can use SCRAM from then on", async () => {
  await using scene = await startMongo({ users: USERS });
  assert.equal(await replaceAll(scene.port, "hashed:secret"), 18);
  assert.equal(await replaceAll(scene.port, `hashed:wrong?${PLAIN}`), 18);
  assert.equal(await replaceAll(scene.port, `hashed:secret?${PLAIN}`), "hashed");
  assert.equal(await replaceAll(scene.port, "hashed:secret"), "hashed");
});

test("where no login is required a driver may still log in", async () => {
  await using scene = await startMongo();
  assert.equal(await replaceAll(scene.port, ""), "");
  await using client = clientOf(scene.port);
  assert.deepEqual(await client.db("a").command({ ping: 1 }), { ok: 1 });
});

/** Sends a hand-made command. @returns the text in the answer's document */
async function send(client: RawClient, document: ByteString): Promise<string> {
  client.send(command(document));
  const head = await client.read(4);
  return client.read(Buffer.from(head, "latin1").readInt32LE(0) - 4);
}

const start = (payload: string, mechanism = "SCRAM-SHA-256") =>
  documentBytes(
    elements({
      saslStart: int32(1),
      mechanism: text(mechanism),
      payload: binary(0, payload),
      $db: text("admin"),
    }),
  );
const proof = (payload: string) =>
  documentBytes(
    elements({
      saslContinue: int32(1),
      conversationId: int32(1),
      payload: binary(0, payload),
      $db: text("admin"),
    }),
  );

test("an unknown user receives the same challenge as a known user, and a proof is valid only for its own login", async () => {
  await using scene = await startMongo({ users: USERS });
  using client = await RawClient.open(scene.port);

  const salts = new Set<string>();
  for (const name of ["nobody", "nobody", "ann", "ann"]) {
    const challenge = await send(client, start(`n,,n=${name},r=abc`));
    const [, nonce, salt] = /r=(abc[^,]{20,}),s=([^,]{38,}),i=15000/.exec(challenge) ?? [];
    assert.ok(nonce !== undefined && salt !== undefined, challenge);
    salts.add(salt);
  }
  assert.equal(salts.size, 2);

  for (const payload of ["", "c=biws,r=abc,p=AAAA", `c=biws,r=abc,p=${"A".repeat(43)}=`, "x".repeat(9000)]) {
    await send(client, start("n,,n=ann,r=abc"));
    assert.match(await send(client, proof(payload)), /Authentication failed/);
    assert.match(await send(client, proof(payload)), /No SASL session state/);
  }

  for (const payload of ["", "n,,", "p=tls-unique,,n=ann,r=a", "n,,n=ann", "n,,n=ann,r=", "\0ann\0secret"])
    assert.match(await send(client, start(payload)), /Authentication failed/);
  for (const payload of ["", "ann", "\0ann", "\0ann\0wrong", "\0ann\0secret\0more"])
    assert.match(await send(client, start(payload, "PLAIN")), /Authentication failed/);
  assert.match(await send(client, documentBytes(elements({ ping: int32(1) }))), /\x01ok\0\0\0\0\0\0\0\xf0\?/);
});

test("an unauthenticated client's commands are refused, and long commands end the connection", async () => {
  await using scene = await startMongo({ users: USERS });
  using client = await RawClient.open(scene.port);
  for (const name of ["find", "insert", "listDatabases", "whatsmyuri", "getMore"])
    assert.match(
      await send(client, documentBytes(elements({ [name]: textOf("a"), $db: text("a") }))),
      /requires authentication|no such command/,
    );
  client.send(command(documentBytes(elements({ find: text("x".repeat(17_000)) }))));
  assert.equal(await client.rest(), "");
});

test("getCmdLineOpts returns whether clients must log in, after a login if they must", async () => {
  const optionsOf = async (port: number, login: string) => {
    await using client = clientOf(port, login);
    const { argv, parsed } = await client.db("admin").command({ getCmdLineOpts: 1 });
    return { argv, parsed };
  };
  const answer = (authorization: string) => ({ argv: ["dbsyncd"], parsed: { security: { authorization } } });
  await using open = await startMongo();
  assert.deepEqual(await optionsOf(open.port, ""), answer("disabled"));
  await using closed = await startMongo({ users: USERS });
  assert.deepEqual(await optionsOf(closed.port, "ann:secret"), answer("enabled"));
  await assert.rejects(optionsOf(closed.port, ""), { code: 13 });
});

test("getParameter returns the version, by its name and for all parameters", async () => {
  await using scene = await startMongo();
  await using client = clientOf(scene.port);
  const admin = client.db("admin");
  const known = { featureCompatibilityVersion: { version: "7.0" } };
  const named = await admin.command({ getParameter: 1, featureCompatibilityVersion: 1 });
  assert.deepEqual(named, { ...known, ok: 1 });
  const all = await admin.command({ getParameter: "*" });
  assert.deepEqual(all, { ...known, enableTestCommands: false, ok: 1 });
  for (const none of [1, "all"]) await assert.rejects(admin.command({ getParameter: none }), { code: 72 });
});

test("a user that is disabled is logged out at the next command", async () => {
  await using scene = await startMongo({ users: USERS });
  await using client = clientOf(scene.port, "ann:secret");
  const admin = client.db("admin");
  await admin.command({ connectionStatus: 1 });
  scene.users.replaceAll(scene.users.changed("ann", ["off"]));
  await assert.rejects(admin.command({ connectionStatus: 1 }), { code: 13 });
  assert.equal(await replaceAll(scene.port, "ann:secret"), 18);
  scene.users.replaceAll(scene.users.changed("ann", ["on", ">other", "<secret"]));
  assert.equal(await replaceAll(scene.port, "ann:secret"), 18);
  assert.equal(await replaceAll(scene.port, "ann:other"), "ann");
});
