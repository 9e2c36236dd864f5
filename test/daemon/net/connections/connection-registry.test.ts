/**
 * Tests with real daemons that unauthenticated connections are closed first if there are too many bytes or too many
 * connections.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { amount } from "../../../support/amount.js";
import { startDaemonHere } from "../../../support/daemon-here.js";
import { EnvelopeClient, makeKeyPair } from "../../../support/envelope-client.js";
import { RawClient } from "../../../support/raw-client.js";
import { until } from "../../../support/until.js";
import { makeFolder } from "../../program/replicas.js";

const KIB = 1024;
const MIB = 1024 * KIB;
const pair = makeKeyPair();
const connection = makeKeyPair();

const open = (port: number, count: number) =>
  Promise.all(Array.from({ length: count }, () => RawClient.open(port)));

test("incomplete requests of unauthenticated clients do not interrupt large signed requests", async () => {
  const most = amount(2, 8);
  const bounds = ["--max-request-bytes", `${most}MiB`, "--max-buffered-bytes", `${2 * most}MiB`];
  await using daemon = await startDaemonHere(["-s", pair.file, ...bounds]);
  using known = await EnvelopeClient.open(daemon.port, pair);
  await known.replies([["SET", "known", "1"]]);

  const { frame } = known.sign([["SET", "large", "x".repeat((3 / 4) * most * MIB)]]);
  known.raw.send(frame.slice(0, -1));

  const half = `ds2:${most * MIB}:${"x".repeat(300 * KIB)}`;
  const attackers = await open(daemon.port, amount(30, 100));
  for (const one of attackers) one.send(half);
  await daemon.logged(({ reason }) => reason === "too-much-buffered");

  using fresh = await EnvelopeClient.open(daemon.port, pair);
  assert.deepEqual(await fresh.replies([["STRLEN", "large"]]), [{ kind: "integer", value: 0 }]);
  using first = await EnvelopeClient.open(daemon.port, pair);
  const [reply] = await first.replies([["SET", "other", "x".repeat((3 / 4) * most * MIB)]]);
  assert.equal(reply?.kind, "status");

  known.raw.send(frame.slice(-1));
  const said = await known.next();
  assert.equal(said?.kind, "result");
  for (const one of attackers) one.socket.destroy();
});

test("unauthenticated clients use at most --max-unproven-bytes of the limit for all clients", async () => {
  const bounds = [
    "--max-request-bytes",
    "1MiB",
    "--max-buffered-bytes",
    "64MiB",
    "--max-unproven-bytes",
    "4MiB",
  ];
  await using daemon = await startDaemonHere(["-s", pair.file, ...bounds]);
  const attackers = await open(daemon.port, 30);
  for (const one of attackers) one.send(`ds2:${MIB}:${"x".repeat(300 * KIB)}`);
  await until("half of the attackers are cut off", () => attackers.filter(({ ended }) => ended).length >= 15);
  const line = await daemon.logged(({ reason }) => reason === "too-much-buffered");
  assert.match(String(line["detail"]), /of unauthenticated clients$/);
  for (const one of attackers) one.socket.destroy();
});

test("at --max-connections, every listener closes only unauthenticated clients", async () => {
  using folder = makeFolder();
  const users = join(folder.path, "users.acl");
  writeFileSync(users, "user default off\nuser ann on >pw ~* +@all\n", { mode: 0o600 });
  const args = ["--resp", "0", "--json", "0", "--acl-file", users, "--max-connections", "4"];
  await using daemon = await startDaemonHere(["-s", pair.file, ...args]);
  const [resp, json] = [await daemon.portOf("Redis clients"), await daemon.portOf("JSON clients")];
  const login = { resp: "AUTH ann pw\r\n", json: '{"action":"auth","user":"ann","password":"pw"}\n' };

  /** Logs in and waits for the answer. */
  const enter = async (port: number, bytes: string, answer: RegExp) => {
    const client = await RawClient.open(port);
    client.send(bytes);
    await until("the login is answered", () => answer.test(client.received) || client.ended);
    assert.match(client.received, answer);
    return client;
  };

  const listeners = [
    [resp, login.resp, /\+OK/, "PING\r\n"],
    [json, login.json, /"status":"success"/, login.json],
  ] as const;
  for (const [port, bytes, answer, again] of listeners) {
    using known = await enter(port, bytes, answer);
    const silent = await open(port, 3);
    using late = await enter(port, bytes, answer);
    assert.equal(await silent[0]?.rest(), "", "the first silent client was closed");
    await open(port, 4).then((more) => Promise.all(more.slice(0, 2).map((one) => one.rest())));
    for (const one of [known, late]) {
      const before = one.received.length;
      one.send(again);
      await until("the client is answered", () => one.received.length > before || one.ended);
      assert.equal(one.ended, false);
    }
  }
});

test("clients that have only sent a hello, an unknown key or a bad signature count as unauthenticated", async () => {
  await using daemon = await startDaemonHere(["-s", pair.file, "--max-connections", "4"]);
  using known = await EnvelopeClient.open(daemon.port, pair);
  await known.replies([["PING"]]);

  using greeted = await EnvelopeClient.open(daemon.port, pair);
  using foreign = await EnvelopeClient.open(daemon.port, connection);
  assert.equal((await foreign.ask([["PING"]])).kind, "refused");
  using forger = await EnvelopeClient.open(daemon.port, pair);
  const { frame } = forger.sign([["PING"]]);
  const said = await forger.exchange(`${frame.slice(0, -3)}${frame.at(-3) === "x" ? "y" : "x"}\r\n`);
  assert.equal(said.kind === "refused" && said.code, "bad-signature");

  const late: EnvelopeClient[] = [];
  for (let i = 0; i < 3; i++) {
    const client = await EnvelopeClient.open(daemon.port, pair);
    await client.replies([["PING"]]);
    late.push(client);
  }

  for (const one of [greeted, foreign, forger]) assert.equal(await one.next(), null);
  for (const one of [known, ...late]) assert.equal((await one.ask([["PING"]])).kind, "result");

  using refused = await RawClient.open(daemon.port);
  assert.equal(await refused.rest(), "", "the new client is closed: all other clients are authenticated");
  for (const one of late) one[Symbol.dispose]();
});
