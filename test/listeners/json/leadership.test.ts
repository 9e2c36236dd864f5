/** Daemons that list each other with --json-replica: moments between two leaders, each with a member that says what it is told to say. */
import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import { test } from "node:test";
import { Fleet } from "../../../listeners/json/replicas/fleet.js";
import { until } from "../../daemon/replicas.js";
import { freePort, listenAtFreePort } from "../../support/free-port.js";
import { RawClient } from "../../support/raw-client.js";
import { ask, startJson, startJsonAlone } from "./scene.js";

interface Told {
  readonly action: string;
  readonly does?: string;
  readonly claim?: { readonly id: string; readonly term: number; readonly place: number };
}

interface Member extends AsyncDisposable {
  readonly port: number;
  /** What it was asked to do, in order. */
  readonly asked: readonly string[];
  /** As if it had been killed. */
  kill(): void;
}

const DONE = { status: "success" };
const AWAY = Symbol("it closes the connection");
const CLAIM = { term: 5, place: 0, since: 1, id: "leader" };
const LEVEL = { leader: "leader", term: 5, place: 0, counts: {}, recent: [] };
/** Much longer than any test takes. */
const PATIENT = { limits: { jsonReplicaTimeout: 60_000 } };
const MET = {
  ...DONE,
  id: "leader",
  claim: CLAIM,
  counts: {},
  isProven: true,
  isListed: true,
  writes: [],
  hasForgotten: false,
  isLevel: true,
};
const create = { action: "create", document: "d" };

/** It says of every connection that it is its own. @param say  its answer, unless it is `DONE` */
async function startMember(say: (told: Told) => unknown, id = "leader"): Promise<Member> {
  const answerTo = async (told: Told) => {
    if (told.does === undefined) return DONE;
    return told.does === "vouch" ? { ...DONE, id, isMine: true } : ((await say(told)) ?? DONE);
  };
  const sockets = new Set<Socket>();
  const asked: string[] = [];
  const server = createServer((socket) => {
    sockets.add(socket.on("error", () => {}));
    let held = "";
    socket.setEncoding("latin1").on("data", async (piece) => {
      held += piece;
      for (let end = held.indexOf("\n"); end >= 0; end = held.indexOf("\n")) {
        const told = JSON.parse(held.slice(0, end)) as Told;
        held = held.slice(end + 1);
        if (told.does !== undefined) asked.push(told.does);
        const said = await answerTo(told);
        if (said === AWAY) socket.destroy();
        else socket.write(`${JSON.stringify(told.does === "list" ? { ...DONE, names: [] } : said)}\n\r`);
      }
    });
  });
  await listenAtFreePort(server);
  const kill = () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return {
    port: (server.address() as { port: number }).port,
    asked,
    kill,
    async [Symbol.asyncDispose]() {
      kill();
    },
  };
}

/** By a connection of a member. */
async function openAs(id: string, port: number): Promise<RawClient> {
  const client = await RawClient.open(port);
  const claim = { ...CLAIM, term: 0, since: 9e14, id };
  assert.match(await say(client, "meet", { id, claim, counts: {}, mark: id }), /"isProven":true/);
  return client;
}

/** What a member says to a daemon. */
const say = (client: RawClient, does: string, members: object) =>
  ask(client, { action: "replica", does, ...members });

test("a write of which only a leader has it that is gone is done anew, and not said to be replicated", async () => {
  await using leader: Member = await startMember(({ does }) => {
    if (does === "meet") return MET;
    if (does !== "submit") return DONE;
    setImmediate(() => setImmediate(() => leader.kill()));
    return { ...DONE, place: 1, answer: JSON.stringify({ ...DONE, replicated: true }) };
  });
  await using ours = await startJson({ ...PATIENT, replicas: [leader.port] });
  using client = await openAs("leader", ours.port);
  for (const [does, members] of [["begin", { claim: CLAIM }] as const, ["level", LEVEL] as const])
    assert.equal(await say(client, does, members), JSON.stringify(DONE));
  assert.match(await ask(client, create), /"success".*"replicated":false/);
  assert.match(await ask(client, { action: "count", document: "d" }), /"count":0/);
  assert.equal(leader.asked.filter((does) => does === "submit").length, 1);
});

test("a write that its leader does not pass on in time is not said to be replicated", async () => {
  let said: object = { ...DONE, replicated: true };
  await using leader = await startMember(({ does }) =>
    does === "meet" ? MET : { ...DONE, place: 1, answer: JSON.stringify(said) },
  );
  await using ours = await startJson({ limits: { jsonReplicaTimeout: 50 }, replicas: [leader.port] });
  using client = await RawClient.open(ours.port);
  assert.match(await ask(client, create), /"success".*"replicated":false/);
  said = { status: "error", message: "no" };
  assert.equal(await ask(client, create), JSON.stringify(said));
});

test("if nobody has all that the leader had, one of them leads nevertheless", async () => {
  await using leader = await startMember(({ does }) => (does === "meet" ? MET : DONE));
  await using other = await startMember(({ does }) =>
    does === "meet" ? { ...MET, id: "other", isLevel: false } : DONE,
  );
  await using ours = await startJson({ ...PATIENT, replicas: [leader.port, other.port] });
  leader.kill();
  using client = await RawClient.open(ours.port);
  assert.match(await ask(client, create), /"success"/);
});

test("a member that did not know this one when it was asked is asked again, and is level once it has all documents", async () => {
  let port = 0;
  let meetings = 0;
  await using member = await startMember(async ({ does, claim }) => {
    if (does !== "meet") return DONE;
    if (port === 0) return AWAY;
    const own = { ...CLAIM, term: 0, since: Date.now() + 1e6, id: "member" };
    const met = { ...MET, id: "member", claim: own };
    if (++meetings > 1) return { ...met, claim };
    using client = await RawClient.open(port);
    await say(client, "meet", { id: "member", claim: own, counts: {}, mark: "m" });
    return { ...met, isListed: false };
  }, "member");
  await using ours = await startJson({ replicas: [member.port] });
  port = ours.port;
  await until("it is level", async () => member.asked.includes("level"));
  assert.deepEqual(member.asked.slice(member.asked.indexOf("begin")).slice(0, 2), ["begin", "level"]);
});

test("a follower that refuses a write because it lacks one is brought level without another write", async () => {
  let writes = 0;
  await using member = await startMember(({ does, claim }) => {
    if (does === "meet") return { ...MET, id: "member", claim };
    if (does !== "apply" || ++writes !== 2) return DONE;
    return { status: "error", message: "no", claim: { ...CLAIM, term: 0, since: 9e14, id: "member" } };
  }, "member");
  await using ours = await startJson({ replicas: [member.port] });
  using client = await RawClient.open(ours.port);
  const levels = () => member.asked.filter((does) => does === "level").length;
  assert.match(await ask(client, create), /"replicated":true/);
  assert.equal(levels(), 1);
  const insert = { action: "insert", document: "d", data: [{ n: 1 }] };
  assert.match(await ask(client, insert), /"replicated":false/);
  await until("it is level again", async () => levels() === 2);
});

test("a daemon takes a leader's writes only behind those that it has", async () => {
  await using leader = await startMember(({ does }) => (does === "meet" ? MET : DONE));
  await using ours = await startJson({ ...PATIENT, replicas: [leader.port] });
  using client = await openAs("leader", ours.port);
  const apply = (place: number) =>
    say(client, "apply", {
      leader: "leader",
      term: 5,
      place,
      by: "leader",
      number: place,
      now: 1,
      argv: ["DOC.CREATE", `d${place}`],
    });
  assert.match(await apply(1), /"error".*"claim"/);
  await say(client, "begin", { claim: CLAIM });
  assert.match(await apply(1), /"error".*"claim"/);
  await say(client, "level", LEVEL);
  assert.match(await apply(2), /"error".*"claim"/);
  assert.match(await apply(1), /"success"/);
  assert.match(await ask(client, { action: "list" }), /"documents":\["d1"\]/);
});

test("a daemon that follows another one is not given documents before it has handed over what it did", async () => {
  await using leader = await startMember(({ does }) => (does === "meet" ? MET : DONE));
  await using another = await startMember(({ does }) => (does === "meet" ? MET : DONE), "another");
  await using ours = await startJson({ ...PATIENT, replicas: [leader.port, another.port] });
  using client = await openAs("another", ours.port);
  const claim = { ...CLAIM, term: 6, id: "another" };
  assert.match(await say(client, "begin", { claim }), /"error".*"claim"/);
});

test("a write counts as done here once all that its leader had is here", async () => {
  const fleet = new Fleet({ id: "a", since: 2, keptMost: { writes: 10, chars: 1000 } });
  for (let number = 1; number <= 3; number++)
    fleet.record({ by: "a", number, now: 1, argv: ["DOC.CREATE", "d"] });
  const claim = { term: 2, place: 3, since: 1, id: "b" };
  assert.ok(fleet.learn(claim));
  const waited = fleet.whenDone(1, claim, 60_000);
  assert.equal(await Promise.race([waited, "not yet"]), "not yet");
  fleet.level({ counts: new Map([["c", 7]]), place: 4, recent: [{ by: "c", number: 7 }] });
  assert.equal(await waited, "done");
  assert.ok(fleet.has("c", 7));
  assert.ok(!fleet.has("c", 6));
  const next = fleet.whenDone(5, claim, 60_000);
  fleet.takeOver();
  assert.equal(await next, "elsewhere");
  assert.deepEqual(fleet.own.recent.at(0), { by: "c", number: 7 });
});

test("writes beyond what is to be kept go, the oldest first, and who lacks them is told that they are forgotten", async () => {
  const fleet = new Fleet({ id: "a", since: 2, keptMost: { writes: 8, chars: 1000 } });
  const write = (number: number, name = "d") =>
    fleet.record({ by: "a", number, now: 1, argv: ["DOC.CREATE", name] });
  const numbers = () => fleet.lacking(new Map()).map(({ number }) => number);
  for (let number = 1; number <= 8; number++) write(number);
  assert.ok(!fleet.hasForgotten(new Map()));
  write(9);
  assert.deepEqual(numbers(), [4, 5, 6, 7, 8, 9]);
  assert.ok(fleet.hasForgotten(new Map([["a", 2]])));
  assert.ok(!fleet.hasForgotten(new Map([["a", 3]])));
  write(10, "x".repeat(980));
  assert.deepEqual(numbers(), []);
  write(11);
  fleet.keptMost = { writes: 0, chars: 0 };
  assert.deepEqual(numbers(), []);
  assert.ok(fleet.has("a", 11));
});

test("writes that are kept fit an answer, whatever --json-replica-kept-bytes says", async () => {
  await using leader = await startMember(({ does }) => (does === "meet" ? MET : DONE));
  await using ours = await startJson({
    limits: { ...PATIENT.limits, maxOutputBytes: 20_000 },
    replicas: [leader.port],
  });
  using client = await openAs("leader", ours.port);
  await say(client, "begin", { claim: CLAIM });
  await say(client, "level", LEVEL);
  const text = '"'.repeat(500);
  for (let place = 1; place <= 30; place++) {
    const argv = place === 1 ? ["DOC.CREATE", "d"] : ["DOC.INSERT", "d", JSON.stringify({ text })];
    const led = { leader: "leader", term: 5, place, by: "x", number: place, now: 1, argv };
    assert.match(await say(client, "apply", led), /"success"/);
  }
  const claim = { ...CLAIM, term: 5 };
  const told = await say(client, "meet", { id: "leader", claim, counts: {}, mark: "leader" });
  assert.match(told, /"writes":\[\{.*"hasForgotten":true/);
});

test("a leader gives way to one that was asked to lead in its place, and to no other one that has less", async () => {
  for (const after of [undefined, { id: "a", term: 2 }, { id: "b", term: 1 }, { id: "a", term: 1 }]) {
    const fleet = new Fleet({ id: "a", since: 2, keptMost: { writes: 10, chars: 1000 } });
    for (let number = 1; number <= 3; number++)
      fleet.record({ by: "a", number, now: 1, argv: ["DOC.CREATE", "d"] });
    assert.equal(fleet.claim.term, 1);
    assert.ok(fleet.learn({ term: 2, place: 2, since: 3, id: "c", after }));
    assert.equal(fleet.leads, !(after?.id === "a" && after.term === 1));
  }
});

test("who is asked to lead does so in the place of the one that it follows, and of no other one", async () => {
  await using leader = await startMember(({ does }) => (does === "meet" ? MET : DONE));
  await using ours = await startJson({ ...PATIENT, replicas: [leader.port] });
  using client = await openAs("leader", ours.port);
  const lead = (term: number) => say(client, "lead", { leader: "leader", term });
  assert.match(await lead(5), /"error".*"claim"/);
  await say(client, "begin", { claim: CLAIM });
  await say(client, "level", LEVEL);
  assert.match(await lead(4), /"error".*"claim"/);
  assert.equal(await lead(5), JSON.stringify(DONE));
  assert.match(
    await say(client, "meet", { id: "leader", claim: CLAIM, counts: {}, mark: "leader" }),
    /"claim":\{"term":6,[^{]*"after":\{"id":"leader","term":5\}\}/,
  );
});

test("a daemon that is not in the list of one that leads does its own writes, and tells that one", async () => {
  await using leader = await startJsonAlone({ ...PATIENT, replicas: [await freePort()] });
  using other = await RawClient.open(leader.port);
  await ask(other, create);
  await using ours = await startJson({ ...PATIENT, replicas: [leader.port] });
  using client = await RawClient.open(ours.port);
  for (let n = 0; n < 3; n++) {
    const text = await ask(client, { action: "insert", document: "d", data: [{ n }] });
    assert.match(text, /"success".*"replicated":true/);
  }
  for (const one of [client, other])
    assert.match(await ask(one, { action: "getall" }), /\{"d":\[\{"n":0\},\{"n":1\},\{"n":2\}\]\}/);
});
