/** Tests listed members: whose reports count for finality, and when an added daemon has joined. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { MemberLists } from "../../../../daemon/cluster/members/member-lists.js";
import { CLOSE_REASONS } from "../../../../protocol/figures/close-reasons.js";
import type { UnlistedCause } from "../../../../protocol/figures/unlisted-causes.js";
import {
  NO_PROMISES,
  writeCertificate,
  writeStoredPromises,
} from "../../../../protocol/members/decision-messages.js";
import { writeDecision } from "../../../../protocol/version-2/decision-body.js";
import { EPOCH, entryOf, keyOf } from "./entries.js";
import { World } from "./support.js";

/** The lists of one daemon, as a test sets them. */
class Lists {
  durable: {
    readonly hash: string;
    readonly lists: readonly {
      readonly body: Buffer;
      readonly signature: Buffer;
      readonly list: { readonly parents: readonly string[] };
    }[];
  };
  others: ReadonlySet<string> | null;
  removed: ReadonlySet<string> = new Set();
  isSettled = true;
  isOutside = false;
  refusal: string | null = null;
  refusalCause: UnlistedCause | null = null;
  isJoining = false;
  isReporting = true;
  /** The lists of these tests are signed by an administrator. */
  readonly isFoundedByMembers = false;
  readonly signedText = null;
  readonly order = null;
  agreementWaitsFor: string | null = null;
  heads: readonly object[] = [];
  membership: { readonly inForce: { readonly hash: string } | null } = { inForce: null };
  readonly history = {
    missing: new Set<string>(),
    isProved: () => true,
    isPrefixProved: () => true,
    find: (hash: string) => this.earlier.get(hash) ?? null,
    before: () => ({ lists: [], unknown: new Set<string>() }),
  };
  /** Replaced lists by hash. */
  readonly earlier = new Map<string, { readonly body: Buffer; readonly signature: Buffer }>();
  readonly given: Buffer[] = [];
  readonly givenEarlier: string[] = [];
  readonly vouched: [string, number][] = [];

  constructor(name: string, hash: string, members: readonly string[]) {
    const body = Buffer.from(`list ${hash[0]}`);
    this.durable = { hash, lists: [{ body, signature: Buffer.from("s"), list: { parents: [] } }] };
    this.others = new Set(members.filter((one) => one !== name).map((one) => keyOf(one).id));
  }

  get real(): MemberLists {
    return this as unknown as MemberLists;
  }

  mayAcceptFrom(): boolean {
    return !this.isOutside;
  }

  joined(): void {
    this.isJoining = false;
    this.isReporting = true;
  }

  take(body: Buffer): ReturnType<MemberLists["take"]> {
    this.given.push(body);
    return "old";
  }

  takeEarlier(body: Buffer): void {
    this.givenEarlier.push(String(body));
    this.history.missing.clear();
  }

  takeVouched(body: Buffer, _signature: Buffer, peers: number): ReturnType<MemberLists["take"]> {
    this.vouched.push([String(body), peers]);
    return { saved: Promise.resolve() };
  }
}

const HASH = "L".repeat(32);
const NAMES = ["a", "b", "c"];

function start(world: World, name: string, lists: Lists | null) {
  const peers = NAMES.filter((other) => other !== name);
  return world.add(name, { peers, ...(lists === null ? {} : { parts: { lists: lists.real } }) });
}

test("a position is final when all listed members agree, and no other daemon counts", () => {
  const world = new World();
  const [a] = ["a", "b"].map((name) => start(world, name, new Lists(name, HASH, ["a", "b"])));
  world.run(20_000);
  assert.ok((a?.peering.stablePoint ?? 0) > EPOCH);
  const other = new World();
  const [without] = ["a", "b"].map((name) => start(other, name, null));
  other.run(20_000);
  assert.equal(without?.peering.stablePoint, 0);
});

test("a member does not report while its open vote is dated before the watermark that it has published", () => {
  const world = new World();
  const [of, at] = [new Lists("a", HASH, ["a", "b"]), new Lists("b", "M".repeat(32), ["a", "b"])];
  const a = start(world, "a", of);
  const b = start(world, "b", at);
  let openDate = EPOCH + 3_000;
  // Each tick would set the date again.
  Object.defineProperty(b.timeline.decided, "openDate", { get: () => openDate, set: () => {} });
  world.run(20_000);
  assert.ok(b.timeline.published > openDate);

  // A list has removed the member that had voted first.
  at.durable = of.durable;
  b.peering.listsChanged();
  world.run(20_000);
  assert.ok(a.peering.stablePoint <= openDate, "the decision may be made with this date");

  openDate = Number.POSITIVE_INFINITY;
  world.run(10_000);
  assert.ok(a.peering.stablePoint > EPOCH + 30_000);
});

test("a daemon can join a member whose open vote is dated early, because its votes may be needed for that decision", () => {
  const world = new World();
  const [of, at] = [new Lists("a", HASH, ["a", "b"]), new Lists("b", HASH, ["a", "b"])];
  const [list] = of.durable.lists as [Lists["durable"]["lists"][number]];
  of.durable = at.durable = { hash: HASH, lists: [{ ...list, list: { parents: ["an earlier list"] } }] };
  [of.isJoining, of.isReporting] = [true, false];
  const a = start(world, "a", of);
  const b = start(world, "b", at);
  const openDate = EPOCH + 1_000;
  Object.defineProperty(b.timeline.decided, "openDate", { get: () => openDate, set: () => {} });
  world.run(20_000);
  assert.ok(!of.isJoining);
  assert.ok(a.timeline.raisedTo > openDate);
  assert.ok(a.peering.stablePoint <= openDate, "it reports, but its watermark does not count");
});

test("a member that may report again after a restart knows its open vote before", () => {
  const world = new World();
  const [of, at] = [new Lists("a", HASH, ["a", "b"]), new Lists("b", HASH, ["a", "b"])];
  const a = start(world, "a", of);
  const b = start(world, "b", at);

  const ballot = { list: 1, listHash: HASH, round: 1, member: keyOf("a").id, attempt: 0 };
  const signed = { spki: "spki", signature: "signature" };
  const openDate = EPOCH + 3_000;
  const body = writeDecision({
    slot: 1,
    index: 0,
    count: 1,
    previous: null,
    at: openDate,
    seq: 0,
    outcomes: ["unmet"],
    unit: null,
  });
  const vote = { ...signed, ballot, slot: 1, count: 1, root: "d".repeat(32) };
  b.timeline.decided.promises = writeStoredPromises({
    ...NO_PROMISES,
    promised: ballot,
    accepted: { bodies: [body], evidence: { vote, proposal: signed } },
  });

  const members = new Set(["a", "b"].map((name) => keyOf(name).id));
  at.heads = [{ hash: HASH, list: { number: 1, members } }];
  // Until another list replaces two concurrent ones, it does not vote.
  at.isReporting = false;
  world.run(20_000);
  assert.ok(b.timeline.published > openDate);

  at.isReporting = true;
  at.membership = { inForce: { hash: HASH } };
  b.peering.listsChanged();
  world.run(500);
  assert.equal(b.timeline.decided.openDate, openDate);
  assert.equal(a.peering.finalityDelay?.cause, "list", "it has not announced that it reports");

  world.run(20_000);
  assert.ok(a.peering.stablePoint <= openDate, "the decision may be made with this date");
});

test("a report under another list does not count, and members send each other their lists", () => {
  const world = new World();
  const [of, at] = [new Lists("a", HASH, ["a", "b"]), new Lists("b", "M".repeat(32), ["a", "b"])];
  const a = start(world, "a", of);
  const b = start(world, "b", at);
  world.run(20_000);
  assert.deepEqual([a.peering.stablePoint, b.peering.stablePoint], [0, 0]);
  assert.deepEqual([String(of.given[0]), String(at.given[0])], ["list M", "list L"]);
  at.durable = of.durable;
  b.peering.listsChanged();
  world.run(10_000);
  assert.ok(a.peering.stablePoint > EPOCH && b.peering.stablePoint > EPOCH);
});

test("an added daemon accepts nothing before another daemon has reported under the list", () => {
  const world = new World();
  const [one, two, three] = NAMES.map((name) => new Lists(name, HASH, NAMES)) as [Lists, Lists, Lists];
  const a = start(world, "a", one);
  start(world, "b", two);
  world.run(5000);

  [three.isJoining, three.isReporting] = [true, false];
  const { durable } = one;
  one.durable = two.durable = { hash: "K".repeat(32), lists: [] };
  const c = start(world, "c", three);
  world.run(20_000);
  assert.equal(c.peering.state, "catching-up");
  assert.ok(three.isJoining);

  one.durable = durable;
  world.runUntil(() => c.peering.state === "live");
  assert.ok(!three.isJoining && c.timeline.raisedTo > EPOCH);

  two.durable = durable;
  world.run(10_000);
  assert.ok(a.peering.stablePoint > EPOCH);
});

test("an added daemon has not joined while it waits for the list of a decision that a member has sent", () => {
  const world = new World();
  const [one, two] = [new Lists("a", HASH, ["a", "b"]), new Lists("b", HASH, ["a", "b"])];
  const a = start(world, "a", one);
  const ballot = { list: 1, listHash: "E".repeat(32), round: 1, member: "a".repeat(32), attempt: 0 };
  const decision = { ...entryOf(0), signature: writeCertificate({ ballot, path: [], votes: [] }) };
  a.timeline.accept(decision);
  world.run(5000);

  [two.isJoining, two.isReporting] = [true, false];
  const checkEntry = () => (two.earlier.has(ballot.listHash) ? decision : "unknown-list");
  const b = world.add("b", { peers: ["a"], parts: { lists: two.real, checkEntry } });
  world.run(20_000);
  assert.deepEqual(b.peering.quarantined("unknown-list"), { waiting: 1, dropped: 0 });
  assert.equal(b.peering.members[0]?.connection, "connected");
  assert.ok(two.isJoining);

  two.earlier.set(ballot.listHash, { body: Buffer.from("earlier"), signature: Buffer.from("s") });
  world.runUntil(() => !two.isJoining);
  assert.equal(b.timeline.index.total("data").count, 1);
});

test("a list that checks decisions is requested from members, and never used as a current list", () => {
  const world = new World();
  const [of, at] = [new Lists("a", HASH, ["a", "b"]), new Lists("b", HASH, ["a", "b"])];
  const hash = "E".repeat(32);
  at.earlier.set(hash, { body: Buffer.from("earlier"), signature: Buffer.from("s") });
  of.history.missing.add(hash);
  start(world, "a", of);
  start(world, "b", at);
  world.run(5000);
  assert.deepEqual([of.givenEarlier, of.given, at.givenEarlier], [["earlier"], [], []]);
});

test("a daemon that no list names receives only lists", () => {
  const world = new World();
  const lists = new Lists("b", HASH, ["a"]);
  lists.isOutside = true;
  lists.isReporting = false;
  const a = start(world, "a", new Lists("a", "M".repeat(32), ["a", "b"]));
  const b = start(world, "b", lists);
  a.timeline.accept(entryOf(-1000));
  world.run(10_000);
  assert.deepEqual([lists.given.length > 0, b.timeline.index.total("data").count], [true, 0]);
});

test("a daemon keeps a member whose list it refuses, since the list's signer may have been revoked", () => {
  const world = new World();
  const lists = new Lists("b", HASH, ["a", "b"]);
  const take = (body: Buffer) => {
    lists.given.push(body);
    return { refused: "this key was revoked" };
  };
  Object.assign(lists, { take });
  const a = start(world, "a", new Lists("a", "M".repeat(32), ["a", "b"]));
  const b = world.add("b", { peers: ["a"], limits: { maxRefusals: 5 }, parts: { lists: lists.real } });
  world.runUntil(() => lists.given.length > 10);
  const seen = b.peering.members.find(({ id }) => id === a.key.id);
  assert.deepEqual([seen?.connection, seen?.refusals], ["connected", 0]);
  assert.equal(b.lines.filter(({ text }) => text.includes("this daemon refuses the member list")).length, 1);
});

for (const opener of ["member", "evicted"])
  test(`a daemon that was left out while it was away receives the list before it is disconnected, with ${opener} as the opener`, () => {
    const world = new World();
    const of = new Lists("a", "M".repeat(32), ["a"]);
    // The maximum size of a list.
    const body = Buffer.alloc(262_144, "m");
    of.durable = {
      hash: of.durable.hash,
      lists: [{ body, signature: Buffer.from("s"), list: { parents: [] } }],
    };
    const at = new Lists("b", HASH, ["a", "b"]);
    const refusal = (id: string) => (id === keyOf("b").id ? ("left-out" as const) : null);
    world.add("a", { peers: opener === "member" ? ["b"] : [], parts: { lists: of.real, refusal } });
    const b = world.add("b", { peers: opener === "member" ? [] : ["a"], parts: { lists: at.real } });
    world.runUntil(() => at.given.length > 0);
    assert.ok(at.given[0]?.equals(body));
    assert.equal(b.peering.removalReport?.code, "left-out");
  });

test("a daemon logs that no list names it", () => {
  const world = new World();
  const lists = new Lists("b", HASH, ["a", "b"]);
  const b = start(world, "b", lists);
  const isLogged = () =>
    b.lines.some(({ text }) => /^no writes are accepted: left out; run .* dbsync members add/.test(text));
  assert.ok(!isLogged());
  [lists.isOutside, lists.refusal, lists.refusalCause] = [true, "left out", "left-out"];
  b.peering.listsChanged();
  assert.ok(isLogged());
});

test("a daemon that no list names logs a peer's problem once, however often it connects, and a later problem again", () => {
  const world = new World();
  const listed = new Lists("a", HASH, ["a"]);
  let isListed = false;
  const refusal = (id: string) => (id === keyOf("b").id && !isListed ? ("not-listed" as const) : null);
  const a = world.add("a", { peers: [], parts: { lists: listed.real, refusal } });
  const own = new Lists("b", "", []);
  [own.others, own.durable] = [null, { hash: "", lists: [] }];
  const b = world.add("b", { peers: ["a"], parts: { lists: own.real } });
  const connections = () => world.seen.filter(({ from, kind }) => from === "b" && kind === "proof").length;
  const reports = () => b.lines.filter(({ text }) => text === CLOSE_REASONS["not-listed"]).length;

  world.runUntil(() => connections() >= 6);
  assert.equal(reports(), 1);

  isListed = true;
  world.runUntil(() => a.peering.members.some(({ connection }) => connection === "connected"));
  world.run(5000);
  isListed = false;
  a.peering.listsChanged();
  world.runUntil(() => reports() > 1);
});

test("a listed member that does not answer is away although another one connects from an unknown address", () => {
  const world = new World();
  const members = ["a", "b", "c"];
  const a = world.add("a", { peers: ["b"], parts: { lists: new Lists("a", HASH, members).real } });
  world.add("c", { peers: ["a"], parts: { lists: new Lists("c", HASH, members).real } });
  world.run(20_000);
  const statuses = a.peering.members.map(({ address, connection, awayFor }) => ({
    address,
    connection,
    awayFor,
  }));
  assert.deepEqual(
    statuses.map(({ connection }) => connection),
    ["waiting", "connected"],
  );
  assert.deepEqual(statuses[0], { address: "b:1", connection: "waiting", awayFor: 20_000 });
});

test("a list with an unknown signer is accepted once most of the configured peers use it", () => {
  const world = new World();
  const lists = new Lists("c", "", NAMES);
  lists.others = null;
  lists.durable = { hash: "", lists: [] };
  lists.take = (body: Buffer) => {
    lists.given.push(body);
    return "unknown-signer";
  };

  start(world, "a", new Lists("a", HASH, ["a", "b"]));
  const c = start(world, "c", lists);
  // The --peer options of c do not name this peer.
  world.add("x", { peers: ["c"], parts: { lists: new Lists("x", HASH, ["a", "b"]).real } });
  world.run(20_000);
  assert.ok(lists.given.length > 1);
  assert.deepEqual(lists.vouched, []);

  start(world, "b", new Lists("b", HASH, ["a", "b"]));
  world.runUntil(() => lists.vouched.length > 0);
  assert.deepEqual(lists.vouched[0], ["list L", 2]);
  assert.ok(c.lines.some(({ text }) => /most of its configured peers use it/.test(text)));
});

test("peers vouch for one list that its members have signed, although they have different signatures", () => {
  const world = new World();
  const lists = new Lists("c", "", NAMES);
  lists.others = null;
  lists.durable = { hash: "", lists: [] };
  lists.take = () => "unknown-signer";
  for (const name of ["a", "b"]) {
    const listed = new Lists(name, HASH, ["a", "b"]);
    const [list] = listed.durable.lists as [Lists["durable"]["lists"][number]];
    const body = Buffer.from("dbsync members 1\n");
    listed.durable = { hash: HASH, lists: [{ ...list, body, signature: Buffer.from(`by ${name}`) }] };
    start(world, name, listed);
  }
  start(world, "c", lists);
  world.run(20_000);
  assert.deepEqual(lists.vouched[0], ["dbsync members 1\n", 2]);
});

test("daemons do not begin without the data of the list before one that members have signed", () => {
  const world = new World();
  const joining = ["a", "b"].map((name) => {
    const lists = new Lists(name, HASH, ["a", "b"]);
    const [list] = lists.durable.lists as [Lists["durable"]["lists"][number]];
    const body = Buffer.from("dbsync members 1\n");
    lists.durable = { hash: HASH, lists: [{ ...list, body, list: { parents: ["an earlier list"] } }] };
    [lists.isJoining, lists.isReporting] = [true, false];
    start(world, name, lists);
    return lists;
  });
  world.run(20_000);
  assert.ok(joining.every(({ isJoining }) => isJoining));
});

test("a peer excluded by the list does not count for the majority, but an unnamed peer does", () => {
  for (const isLeftOut of [false, true]) {
    const world = new World();
    const lists = new Lists("c", "K".repeat(32), NAMES);
    lists.others = new Set([keyOf("a").id]);
    if (isLeftOut) lists.removed = new Set([keyOf("b").id]);
    lists.take = () => "unknown-signer";
    start(world, "a", new Lists("a", HASH, ["a", "c"]));
    start(world, "b", new Lists("b", "M".repeat(32), ["b", "c"]));
    start(world, "c", lists);
    world.run(20_000);
    const [first] = lists.vouched;
    assert.deepEqual(first ?? null, isLeftOut ? ["list L", 1] : null);
    assert.ok(lists.vouched.every(([list]) => list === "list L"));
  }
});

for (const isInOnePiece of [false, true])
  test(`a peer that refuses an unlisted daemon vouches for its list ${isInOnePiece ? "with" : "after"} its proof`, () => {
    const world = new World();
    world.isInOnePiece = isInOnePiece;
    const at = new Lists("b", "", []);
    at.others = null;
    at.durable = { hash: "", lists: [] };
    at.take = () => "unknown-signer";
    const refusal = (id: string) => (id === keyOf("b").id ? ("not-listed" as const) : null);
    world.add("a", { parts: { lists: new Lists("a", HASH, ["a"]).real, refusal } });
    world.add("b", { peers: ["a"], parts: { lists: at.real } });
    world.runUntil(() => at.vouched.length > 0);
    assert.deepEqual(at.vouched[0], ["list L", 1]);
  });

test("a listed member without a known address is shown as disconnected, with that reason", () => {
  const world = new World();
  const lists = new Lists("a", HASH, ["a", "b", "c"]);
  const a = world.add("a", { peers: ["b"], parts: { lists: lists.real } });
  world.add("b", { peers: ["a"], parts: { lists: new Lists("b", HASH, ["a", "b", "c"]).real } });
  world.runUntil(() => a.peering.members.some(({ connection }) => connection === "connected"));

  const shown = a.peering.members.map(({ id, address, connection }) => [id, address !== "", connection]);
  assert.deepEqual(shown, [
    [keyOf("b").id, true, "connected"],
    [keyOf("c").id, false, "waiting"],
  ]);

  // With a reason it is a problem from the start: a member without one may only be starting.
  assert.deepEqual(
    a.peering.members.map(({ closeCode, closedBy }) => [closeCode, closedBy]),
    [
      [null, null],
      ["no-address", "daemon"],
    ],
  );

  // As after a restart, a does not know the daemon at the other address yet. That daemon may be c.
  const other = new World().add("a", {
    peers: ["b", "c"],
    parts: { lists: new Lists("a", HASH, ["a", "b", "c"]).real },
  });
  assert.equal(other.peering.members.length, 2);
});

test("a daemon that no list names logs that once, however often members dial it", () => {
  const world = new World();
  const at = new Lists("b", HASH, ["a"]);
  [at.isOutside, at.refusal] = [true, "does not name it"];
  const refusal = (id: string) => (id === keyOf("b").id ? ("not-listed" as const) : null);
  for (const name of ["a", "c"])
    world.add(name, { peers: ["b"], parts: { lists: new Lists(name, HASH, ["a", "c"]).real, refusal } });
  const b = world.add("b", { peers: ["a", "c"], parts: { lists: at.real } });

  let dials = 0;
  world.isLost = ({ to, kind }) => {
    if (to === "b" && kind === "bye") dials++;
    return false;
  };
  world.runUntil(() => dials > 8);

  assert.equal(
    b.lines.filter(({ text }) => text.startsWith("a member reports that the member list")).length,
    1,
  );
});
