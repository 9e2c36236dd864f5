/** --json-replica: what one who has all rights to documents can do by the action `replica`, and what he cannot. Source: docs/json-documents.md. */
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test } from "node:test";
import type { MemoryFace } from "../../../engine/memory/memory-limit.js";
import { until } from "../../daemon/replicas.js";
import { freePort, listenAtFreePort } from "../../support/free-port.js";
import { RawClient } from "../../support/raw-client.js";
import { ask, type JsonScene, type SceneOptions, startJson } from "./scene.js";

const DONE = '{"status":"success"}';
const REFUSED = "what somebody says as a server of --json-replica is refused";
const NO_MEMBER = /"error".*Only a server of --json-replica/;
const create = { action: "create", document: "d" };
const insert = { action: "insert", document: "d", data: [{ n: 1 }] };

interface Met {
  readonly id: string;
  readonly claim: { readonly id: string; readonly term: number; readonly place: number };
}

const say = (client: RawClient, does: string, members: object = {}) =>
  ask(client, { action: "replica", does, ...members });
const apply = (client: RawClient, argv: readonly string[], now: unknown = Date.now()) =>
  say(client, "apply", { argv, now });
const stranger = (term: number, id: string) => ({ term, place: term, since: 1, id });

/** Whom a daemon follows, as it tells anybody. */
async function met(port: number): Promise<Met> {
  using client = await RawClient.open(port);
  return JSON.parse(await say(client, "meet", { id: "x", claim: stranger(0, "x"), counts: {} })) as Met;
}

/** Two that have each other in their lists, one level with the other: the one that leads, and the other one. @param leads  what it has besides */
async function startTwo(
  leads: SceneOptions = {},
): Promise<AsyncDisposable & { readonly both: readonly [JsonScene, JsonScene] }> {
  const port = await freePort();
  const first = await startJson({ ...leads, replicas: [port] });
  const second = await startJson({ port, replicas: [first.port] });
  using client = await RawClient.open(port);
  let n = 0;
  await until("they follow each other", async () => {
    const text = await ask(client, { action: "create", document: `made${n++}` });
    return text.includes('"replicated":true') && (await met(port)).claim.id === (await met(first.port)).id;
  });
  await ask(client, create);
  return {
    both: [first, second],
    async [Symbol.asyncDispose]() {
      await second[Symbol.asyncDispose]();
      await first[Symbol.asyncDispose]();
    },
  };
}

test("a write that is told is one of documents, or it is refused and the log says so", async () => {
  await using server = await startJson();
  using client = await RawClient.open(server.port);
  for (const argv of [
    ["FLUSHALL"],
    ["SET", "k", "v"],
    ["set", "k", "v"],
    ["RENAME", "d", "e"],
    ["DOC.GETALL"],
    ["DOC.INDEX", "LIST", "d"],
    ["KEY", "LIST"],
    ["ACL", "SETUSER", "x"],
    ["DOC.NONE", "d"],
    ["CONFIG", "SET", "maxmemory", "1"],
  ])
    assert.match(await apply(client, argv), /^\{"status":"error"/, argv.join(" "));
  assert.equal(server.log.filter(({ msg }) => msg === REFUSED).length, 1);
  assert.equal(await apply(client, ["DOC.CREATE", "d"]), DONE);
  assert.equal(await apply(client, ["doc.insert", "d", '{"n":1}']), DONE);
  assert.match(await ask(client, { action: "getall" }), /"documents":\{"d":\[\{"n":1\}\]\}/);
});

test("who may not do all to all documents is no server of --json-replica", async () => {
  for (const rules of [
    "~* +@all -doc.insert",
    "~* +@read +doc.drop",
    "~pub* +@document",
    "~* +@document -doc.index|create",
    "%R~* %W~pub* +@document",
  ]) {
    await using server = await startJson({ users: [`user default on nopass ${rules}`] });
    using client = await RawClient.open(server.port);
    for (const does of ["list", "apply", "put", "meet", "contents"])
      assert.match(await say(client, does, { name: "d", argv: ["DOC.DROP", "d"], now: 1 }), /NOPERM/, rules);
  }
  await using server = await startJson({ users: ["user default on nopass ~* +@document"] });
  using client = await RawClient.open(server.port);
  assert.equal(await apply(client, ["DOC.CREATE", "d"]), DONE);
});

test("a write that is dated far ahead ends nobody's lifetime, and what is no date is refused", async () => {
  await using server = await startJson();
  using client = await RawClient.open(server.port);
  await ask(client, { ...create });
  await ask(client, { ...insert, ttl: 3600 });
  const inserted = ["DOC.INSERT", "d", '{"n":2}'];
  for (const now of [Date.now() + 7_200_000, 2 ** 52, 2 ** 53, -1, 0.5, "1", null, [1]])
    assert.match(await apply(client, inserted, now), /^\{"status":"error"/, String(now));
  assert.equal(await apply(client, inserted, Date.now() + 1000), DONE);
  assert.match(await ask(client, { action: "count", document: "d" }), /"count":2/);
});

test("names that every object has are no things that a replica does", async () => {
  await using server = await startJson();
  using client = await RawClient.open(server.port);
  for (const does of ["constructor", "__proto__", "toString", "hasOwnProperty", "", "MEET"])
    assert.match(
      await say(client, does),
      /^\{"status":"error","message":"A replica does one of: meet, /,
      does,
    );
  assert.match(await ask(client, { action: "constructor" }), /"error"/);
});

test("nobody deposes a leader, or speaks for it, by what all can know of it", async () => {
  await using two = await startTwo();
  const [leader, follower] = two.both;
  const before = await met(leader.port);
  const other = await met(follower.port);
  const huge = 2 ** 50;
  for (const { port } of two.both)
    for (const id of [before.id, other.id, "stranger"])
      for (const mark of [undefined, "guess"]) {
        using enemy = await RawClient.open(port);
        const claim = stranger(huge, id);
        const said = await say(enemy, "meet", { id, claim, counts: { [id]: 0 }, mark });
        assert.match(said, /"isProven":false/);
        assert.match(said, /"writes":\[\]/);
        assert.match(await say(enemy, "begin", { claim }), NO_MEMBER);
        const led = { leader: id, term: huge, place: huge };
        const level = { ...led, counts: { [before.id]: huge, [other.id]: huge }, recent: [] };
        assert.match(await say(enemy, "level", level), NO_MEMBER);
        const real = { leader: before.id, term: before.claim.term };
        const write = { by: id, number: huge, now: Date.now(), argv: ["DOC.DROP", "d"] };
        const place = (await met(port)).claim.place + 1;
        assert.match(await say(enemy, "apply", { ...real, place, ...write }), NO_MEMBER);
        assert.match(await say(enemy, "lead", real), NO_MEMBER);
        const put = { ...real, name: "d", entries: null };
        assert.match(await say(enemy, "put", put), NO_MEMBER);
        const submitted = { by: id, number: huge, request: { action: "drop", document: "d" } };
        const answer = await say(enemy, "submit", submitted);
        assert.match(answer, port === leader.port ? NO_MEMBER : /"error".*"claim"/);
      }
  assert.deepEqual((await met(leader.port)).claim, before.claim);
  assert.deepEqual((await met(follower.port)).claim, before.claim);
  for (const { port } of two.both) {
    using client = await RawClient.open(port);
    assert.match(await ask(client, insert), /"replicated":true/);
  }
  for (const { port } of two.both) {
    using client = await RawClient.open(port);
    assert.match(await ask(client, { action: "count", document: "d" }), /"count":2/);
  }
});

test("a server of the list whose numbers are out of range is not followed", async () => {
  for (const term of [2 ** 53 - 1, 2 ** 60, -1, 1.5]) {
    let met = 0;
    const server = createServer((socket) => {
      socket
        .on("error", () => {})
        .on("data", (piece) => {
          const isMeeting = String(piece).includes('"meet"');
          if (isMeeting) met++;
          const meeting = { id: "bad", claim: stranger(term, "bad"), counts: {}, isProven: true, writes: [] };
          socket.write(`${JSON.stringify({ status: "success", ...(isMeeting ? meeting : {}) })}\n\r`);
        });
    });
    const replicas = [await listenAtFreePort(server)];
    await using ours = await startJson({ replicas, limits: { jsonReplicaTimeout: 100 } });
    using client = await RawClient.open(ours.port);
    assert.match(await ask(client, create), /has not fetched yet the documents of .*a number from 0/);
    assert.ok(met > 0);
    await new Promise((resolve) => {
      server.close(resolve);
      void ours[Symbol.asyncDispose]();
    });
  }
});

test("parts of a document are counted, and no more of them are held than an answer may have bytes", async () => {
  await using server = await startJson({ limits: { maxOutputBytes: 64 * 1024 } });
  using client = await RawClient.open(server.port);
  const part = (n: number) =>
    say(client, "part", { entries: [`k${n}`, `{"n":"${"x".repeat(10_000)}"}`, null] });
  const put = () => say(client, "put", { name: "d", entries: [], indexes: [], isNew: false });
  for (let n = 0; n < 6; n++) assert.equal(await part(n), DONE);
  for (let n = 6; n < 9; n++) assert.match(await part(n), /longer than this server takes in parts/);
  assert.match(await put(), /longer than this server takes in parts/);
  assert.match(await ask(client, { action: "list" }), /"documents":\[\]/);
  assert.equal(await part(0), DONE);
  assert.equal(await put(), DONE);
  assert.match(await ask(client, { action: "count", document: "d" }), /"count":1/);
});

test("parts that wait take their share of what all connections may hold", async () => {
  await using server = await startJson({ limits: { maxBufferedBytes: 100_000 } });
  using enemy = await RawClient.open(server.port);
  for (let n = 0; n < 20 && !enemy.ended; n++)
    await say(enemy, "part", { entries: [`k${n}`, `{"n":"${"x".repeat(10_000)}"}`, null] });
  assert.ok(enemy.ended);
  using client = await RawClient.open(server.port);
  assert.equal(await ask(client, create), DONE);
});

test("a leader without memory refuses what a follower's client would add", async () => {
  let isFull = false;
  const refuses = (needsMemory: boolean) => isFull && needsMemory;
  const memory: MemoryFace = {
    get isFull() {
      return isFull;
    },
    refuses,
    refusal: () => assert.fail("of signed commands only"),
  };
  await using two = await startTwo({ memory });
  const [, follower] = two.both;
  using client = await RawClient.open(follower.port);
  isFull = true;
  assert.match(await ask(client, insert), /No memory is left/);
  isFull = false;
  assert.match(await ask(client, insert), /"replicated":true/);
});
