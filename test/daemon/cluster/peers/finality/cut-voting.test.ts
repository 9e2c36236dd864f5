/** Tests members' signed votes for states: which votes count, and that no member signs twice for one date. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { CommonDate } from "../../../../../daemon/cluster/peers/finality/common-date.js";
import { CutVoting, PROOFS_MAX } from "../../../../../daemon/cluster/peers/finality/cut-voting.js";
import type {
  ClusterState,
  ConnectedMember,
} from "../../../../../daemon/cluster/peers/shared/cluster-state.js";
import type { Electorate } from "../../../../../daemon/cluster/peers/shared/electorate.js";
import { PEERING_LIMITS } from "../../../../../daemon/cluster/peers/shared/peering-limits.js";
import type { Cut } from "../../../../../daemon/timeline/snapshots/snapshot-schedule.js";
import type { Timeline } from "../../../../../daemon/timeline/timeline.js";
import type { ByteString } from "../../../../../protocol/byte-string.js";
import { bytesOf } from "../../../../../protocol/byte-string.js";
import { type CutVote, cutVoteBytes, readCutVotes } from "../../../../../protocol/members/cut-votes.js";
import type { OwnMessage, StatusMessage } from "../../../../../protocol/members/member-messages.js";
import type { DaemonState } from "../../../../../protocol/version-2/messages-v2.js";
import { isSignedBy, sha256, signatureOf } from "../../../../simulation/signatures.js";
import { double } from "../../../../support/double.js";
import { CLUSTER, EPOCH } from "../entries.js";
import { addressesOf } from "../support.js";

const spkiOf = (name: string): ByteString => `key of ${name}`;
const idOf = (name: string): ByteString => sha256(spkiOf(name));

const cutOf = (at: number, state = "state"): Cut => ({ at, bytes: 100, seal: sha256(`${state} at ${at}`) });

function voteOf(name: string, cut: Cut, cluster = CLUSTER): CutVote {
  const spki = spkiOf(name);
  return { ...cut, spki, signature: bytesOf(signatureOf(spki, cutVoteBytes(cluster, cut))) };
}

class Scene {
  cuts: Cut[] = [];
  votes: Buffer | null = null;
  readonly certified: number[] = [];
  readonly sent: OwnMessage[] = [];
  readonly guilty: ByteString[] = [];
  readonly errors: string[] = [];
  state: DaemonState = "live";
  commonDate = EPOCH;
  prunedTo = -1;
  isCatchingUp = false;
  electorate: Electorate = { ids: new Set(["b", "c"].map(idOf)), others: 2 };
  now = 0;
  checks = 0;
  wanted = 0;
  /** The date after which the last snapshot was requested. */
  wantedAfter = 0;
  save = (kept: () => void): void => kept();
  readonly voting: CutVoting;

  constructor(votes: Buffer | null = null) {
    const scene = this;
    this.votes = votes;
    const handover = {
      get cuts() {
        return scene.cuts;
      },
      get votes() {
        return scene.votes;
      },
      storeVotes: (votes: Buffer, kept: () => void) => {
        scene.votes = votes;
        scene.save(kept);
      },
      certify: (at: number) => void scene.certified.push(at),
      want: (after: number) => {
        scene.wanted++;
        scene.wantedAfter = after;
      },
    } as unknown as Timeline["handover"];
    const timeline = {
      handover,
      published: Number.POSITIVE_INFINITY,
      get prunedTo() {
        return scene.prunedTo;
      },
    } as unknown as Timeline;

    const note = (_: object, text: string) => void this.errors.push(text);
    const member: ConnectedMember = {
      id: idOf("b"),
      bit: 1,
      connection: {
        remote: "b",
        unsentBytes: 0,
        send: (message) => void this.sent.push(message),
      },
      status: {} as StatusMessage,
      roundTrip: null,
      snapshotPart: null,
      compared: null,
      get isCatchingUp() {
        return scene.isCatchingUp;
      },
    };

    const cluster = double<ClusterState>({
      timeline,
      cluster: CLUSTER,
      hash: sha256,
      limits: PEERING_LIMITS,
      uptime: () => this.now,
      identity: { id: idOf("a"), spki: spkiOf("a"), sign: (bytes) => signatureOf(spkiOf("a"), bytes) },
      verifySignature: (...args) => {
        this.checks++;
        return isSignedBy(...args);
      },
      log: { info: note, warn: note, error: note },
      members: new Map([[member.id, member]]),
      get addresses() {
        const { ids, others } = scene.electorate;
        return addressesOf(ids, others - ids.size);
      },
      get state() {
        return scene.state;
      },
    });
    const common = double<CommonDate>({
      get value() {
        return scene.commonDate;
      },
    });

    this.voting = new CutVoting(cluster, common, (id) => void this.guilty.push(id));
    this.voting.start();
  }

  pass(): void {
    this.now += PEERING_LIMITS.reportEveryMs;
    this.voting.tick(this.now);
  }

  receiveVotes(...votes: readonly CutVote[]): void {
    this.voting.receiveVotes(idOf("b"), votes);
  }
}

const AT = EPOCH - 5000;

/** Returns a vote, or null if none is known. */
const signedBy = ({ voting }: Scene, name: string, at: number): CutVote | null =>
  voting.from(idOf(name), at).find((vote) => vote.at === at) ?? null;

test("a cut is signed once all connected members have the same entries up to it, and is sent when it is on the disk", () => {
  const scene = new Scene();
  scene.cuts = [cutOf(AT), cutOf(EPOCH)];
  scene.pass();
  assert.deepEqual(
    scene.sent.flatMap((message) => (message.kind === "cuts" ? message.votes.map(({ at }) => at) : [])),
    [AT],
  );
  assert.deepEqual(
    readCutVotes(scene.votes ?? assert.fail())?.map(({ at }) => at),
    [AT],
  );
  assert.equal(signedBy(scene, "a", EPOCH), null);
});

test("a daemon that is catching up signs nothing, and an isolated one signs cuts of pruned entries", () => {
  const scene = new Scene();
  scene.state = "catching-up";
  scene.commonDate = 0;
  scene.cuts = [cutOf(AT), cutOf(EPOCH)];
  scene.prunedTo = AT;
  scene.pass();
  assert.equal(signedBy(scene, "a", AT), null);
  scene.state = "isolated";
  scene.pass();
  assert.notEqual(signedBy(scene, "a", AT), null);
  assert.equal(signedBy(scene, "a", EPOCH), null);
});

test("a daemon signs no date twice, even if its state changes or it is restarted", () => {
  const scene = new Scene();
  scene.cuts = [cutOf(AT)];
  scene.pass();
  const first = signedBy(scene, "a", AT);
  scene.cuts = [cutOf(AT, "another")];
  scene.pass();
  assert.deepEqual(signedBy(scene, "a", AT), first);
  const again = new Scene(scene.votes);
  again.cuts = [cutOf(AT, "another"), cutOf(AT - 1)];
  again.pass();
  assert.deepEqual(signedBy(again, "a", AT), first);
  assert.equal(signedBy(again, "a", AT - 1), null);
});

test("more than half of the other members must have signed the same state; a daemon that prunes counts itself as one of them", () => {
  const scene = new Scene();
  scene.cuts = [cutOf(AT)];
  scene.pass();
  assert.deepEqual([scene.voting.agreedOn(AT), scene.certified], [null, []]);
  scene.receiveVotes(voteOf("b", cutOf(AT)));
  scene.pass();
  assert.equal(scene.voting.agreedOn(AT), null);
  assert.deepEqual(scene.certified, [AT]);
  scene.receiveVotes(voteOf("c", cutOf(AT, "another")));
  assert.equal(scene.voting.agreedOn(AT), null);
  const other = new Scene();
  other.receiveVotes(voteOf("b", cutOf(AT)), voteOf("c", cutOf(AT)));
  assert.equal(other.voting.agreedOn(AT)?.seal, cutOf(AT).seal);
});

test("votes by non-voters, forged votes and votes for another cluster are not counted, however many there are", () => {
  const scene = new Scene();
  const nonVoters = Array.from({ length: 100 }, (_, i) => voteOf(`stranger${i}`, cutOf(AT)));
  scene.receiveVotes(...nonVoters);
  assert.equal(scene.checks, 0, "their signatures are not even checked");
  scene.receiveVotes({ ...voteOf("b", cutOf(AT)), seal: cutOf(AT, "another").seal });
  scene.receiveVotes(voteOf("c", cutOf(AT), "d".repeat(32)));
  assert.deepEqual(
    ["b", "c"].map((name) => signedBy(scene, name, AT)),
    [null, null],
  );
});

test("only a limited number of a member's forged votes is checked per second", () => {
  const scene = new Scene();
  const forged = (at: number) => ({ ...voteOf("b", cutOf(at)), signature: "x" });
  for (let i = 0; i < 20; i++)
    scene.receiveVotes(...Array.from({ length: 256 }, (_, j) => forged(AT - 256 * i - j)));
  assert.ok(scene.checks <= 64, `${scene.checks}`);
  scene.now += 1000;
  scene.receiveVotes(voteOf("c", cutOf(AT)));
  assert.notEqual(signedBy(scene, "c", AT), null);
});

test("a member that signs two states of one date has proved its guilt; a forger has proved nothing", () => {
  const scene = new Scene();
  scene.receiveVotes(voteOf("b", cutOf(AT)), voteOf("b", cutOf(AT)));
  scene.receiveVotes({ ...voteOf("b", cutOf(AT)), seal: cutOf(AT, "another").seal });
  assert.deepEqual(scene.guilty, []);
  scene.receiveVotes(voteOf("b", cutOf(AT, "another")));
  assert.deepEqual(scene.guilty, [idOf("b")]);
  scene.receiveVotes(voteOf("b", cutOf(AT + 1)), voteOf("b", cutOf(AT)));
  assert.deepEqual(scene.voting.from(idOf("b"), 0), [], "its votes are worthless");
  assert.match(scene.errors[0] as string, /two states of one date/);
});

test("proofs of guilt are stored together with votes, survive a restart, and are limited in number", () => {
  const scene = new Scene();
  scene.cuts = [cutOf(AT)];
  scene.receiveVotes(voteOf("b", cutOf(AT)), voteOf("c", cutOf(AT)), voteOf("b", cutOf(AT, "another")));
  scene.pass();

  const again = new Scene(scene.votes);
  assert.deepEqual(again.guilty, [idOf("b")]);
  assert.notEqual(signedBy(again, "c", AT), null);
  again.receiveVotes(voteOf("b", cutOf(AT)));
  assert.equal(signedBy(again, "b", AT), null);

  const names = Array.from({ length: 100 }, (_, i) => `liar${i}`);
  again.electorate = { ids: new Set(names.map(idOf)), others: names.length };
  for (const name of names) {
    again.now += 1000;
    again.receiveVotes(voteOf(name, cutOf(AT)), voteOf(name, cutOf(AT, "another")));
  }

  again.pass();
  const last = new Scene(again.votes);
  assert.deepEqual(last.guilty, names.slice(-PROOFS_MAX).map(idOf));
});

test("the votes of members that return with a new id each time are forgotten", () => {
  const scene = new Scene();
  const isKnown = (name: string) => signedBy(scene, name, AT) !== null;
  for (let i = 0; i < 50; i++) {
    scene.electorate = { ids: new Set([idOf(`b${i}`)]), others: 2 };
    scene.receiveVotes(voteOf(`b${i}`, cutOf(AT)));
    scene.pass();
  }
  const known = Array.from({ length: 50 }, (_, i) => `b${i}`).filter(isKnown);
  assert.deepEqual(known, ["b48", "b49"], "one of them may be the unknown daemon at an address");
  scene.electorate = { ids: new Set([idOf("b49"), idOf("c")]), others: 2 };
  scene.pass();
  assert.deepEqual([isKnown("b48"), isKnown("b49")], [false, true]);
});

test("a daemon requests snapshots for a member that remains out of date at growing intervals", () => {
  const scene = new Scene();
  scene.isCatchingUp = true;
  const wantedIn = (ms: number) => {
    const before = scene.wanted;
    for (const end = scene.now + ms; scene.now < end; ) scene.pass();
    return scene.wanted - before;
  };

  assert.equal(wantedIn(PEERING_LIMITS.catchUpStuckMs), 0);
  assert.equal(wantedIn(4000), 1);
  assert.equal(wantedIn(2 * PEERING_LIMITS.catchUpStuckMs + 4000), 1);
  assert.ok(wantedIn(3_600_000) <= 12);

  // A member that reconnects repeatedly does not cause more snapshots.
  for (let i = 0; i < 10; i++) {
    scene.isCatchingUp = i % 2 > 0;
    scene.pass();
  }
  assert.equal(wantedIn(60_000), 0);
});

test("a snapshot requested for a member that remains out of date has a date that can still be signed", () => {
  const wantedAfter = (scene: Scene) => {
    scene.isCatchingUp = true;
    for (const end = scene.now + PEERING_LIMITS.catchUpStuckMs + 4000; scene.now < end; ) scene.pass();
    return scene.wantedAfter;
  };

  const own = new Scene();
  own.cuts = [cutOf(AT)];
  own.pass();
  own.cuts = [];
  assert.equal(wantedAfter(own), AT, "the date is after those that were signed here");
  assert.equal(wantedAfter(new Scene(own.votes)), AT, "a restart does not change this");
  assert.equal(wantedAfter(new Scene()), -1);

  const others = new Scene();
  others.receiveVotes(voteOf("b", cutOf(AT)), voteOf("c", cutOf(AT)), voteOf("c", cutOf(AT + 1)));
  assert.equal(
    wantedAfter(others),
    AT,
    "the date is after those that most others have signed, but not after a single member's",
  );
});

test("other members' votes for held snapshots are sent to a member that connects, and repeatedly to one that is catching up", () => {
  const scene = new Scene();
  scene.cuts = [cutOf(AT)];
  scene.receiveVotes(voteOf("c", cutOf(AT)), voteOf("c", cutOf(AT - 1)));
  scene.pass();
  scene.sent.length = 0;
  scene.isCatchingUp = true;
  scene.pass();
  const votes = scene.sent.flatMap((message) => (message.kind === "cuts" ? message.votes : []));
  assert.deepEqual(
    votes.map(({ spki, at }) => [spki, at]),
    [
      [spkiOf("c"), AT],
      [spkiOf("a"), AT],
    ],
  );
});

test("the number of stored votes of a member is bounded, and those for held snapshots are kept first", () => {
  const scene = new Scene();
  scene.cuts = [cutOf(AT - 1000)];
  for (let i = 0; i < 200; i++) {
    scene.now += 1000;
    scene.receiveVotes(voteOf("b", cutOf(AT - 1000 + i)));
  }
  assert.notEqual(signedBy(scene, "b", AT - 1000), null);
  assert.equal(signedBy(scene, "b", AT - 999), null);
  assert.notEqual(signedBy(scene, "b", AT - 801), null);
});

test("a daemon does not certify its state if most other members have signed a different one", () => {
  const scene = new Scene();
  scene.cuts = [cutOf(AT, "own")];
  scene.receiveVotes(voteOf("b", cutOf(AT)), voteOf("c", cutOf(AT)));
  scene.pass();
  scene.pass();
  assert.deepEqual([scene.errors, scene.certified], [[], []]);
});

test("a vote is neither sent nor counted before it is on the disk", () => {
  const scene = new Scene();
  let saved = () => {};
  scene.save = (kept) => void (saved = kept);
  scene.cuts = [cutOf(AT)];
  scene.isCatchingUp = true;
  scene.pass();
  scene.pass();
  assert.deepEqual([scene.sent, signedBy(scene, "a", AT)], [[], null]);
  saved();
  scene.pass();
  assert.ok(scene.sent.length > 0);
});

test("a vote remains stored if another vote is stored before the first one is on the disk", () => {
  const scene = new Scene();
  const saved: (() => void)[] = [];
  scene.save = (kept) => void saved.push(kept);
  scene.cuts = [cutOf(AT)];
  scene.pass();
  scene.receiveVotes(voteOf("b", cutOf(AT)));
  scene.pass();
  assert.equal(saved.length, 2);
  for (const kept of saved) kept();
  const restarted = new Scene(scene.votes);
  assert.deepEqual(signedBy(restarted, "a", AT)?.seal, cutOf(AT).seal);
});
