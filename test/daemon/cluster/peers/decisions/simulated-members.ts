/**
 * Members that decide conditional units in simulated time: messages are lost, repeated and reordered, members stop and
 * return with or without their disks, and the member list changes. The run checks that no two decisions contradict each
 * other.
 */
import assert from "node:assert/strict";
import type {
  DateBounds,
  DecisionPorts,
  Objection,
  Proposal,
  ProposedDecision,
  Servable,
  VoterState,
  Votes,
  VotingList,
  WaitingUnit,
} from "../../../../../daemon/cluster/peers/decisions/decision-types.js";
import { Decisions } from "../../../../../daemon/cluster/peers/decisions/decisions.js";
import { compareOrderKeys, type OrderKey } from "../../../../../daemon/timeline/entries/entry.js";
import {
  type Ballot,
  type DecisionMessage,
  readBallot,
  voteBytes,
  writeBallot,
} from "../../../../../protocol/members/decision-messages.js";
import { rootOf } from "../../../../../protocol/version-2/hash-tree.js";
import { type Processor, Scheduler } from "../../../../simulation/scheduler.js";
import { sha256 } from "../../../../simulation/signatures.js";
import { SeededRandom } from "../../../../support/seeded-random.js";
import { until } from "../../../../support/until.js";

const EPOCH = 1_700_000_000_000;
export const CLUSTER = "c".repeat(32);
const WINDOW_MS = 30_000;
const TICK_MS = 25;
/**
 * Milliseconds since which a member that starts has noted the decisions, in addition to those for which it has voted
 * last. Its state includes the earlier ones, too.
 */
const NOTED_MS = 1_000;

/** A signature that only the simulation could forge. */
export const signedBy = (spki: string, bytes: Buffer): string =>
  sha256(`${spki}|${bytes.toString("latin1")}`);
export const idOf = (name: string): string => sha256(`key of ${name}`);

/** Returns the id of the decision with a body. */
export const idOfBody = (body: Buffer): string => sha256(body.toString("latin1"));

/** A unit that writes a key if the key's last writer is `expects`. */
interface Cas {
  readonly id: string;
  readonly key: string;
  /** The key that has signed it. */
  readonly caller: string;
  readonly expects: string;
  /** The date that its client has signed. */
  readonly at: number;
}

interface Decision {
  readonly slot: number;
  readonly index: number;
  readonly count: number;
  readonly previous: OrderKey | null;
  readonly at: number;
  readonly cas: Cas | null;
  readonly isApplied: boolean;
}

/** An entry: a decision, or a plain write of a key. */
type Entry = OrderKey & {
  readonly key: string | null;
  readonly decision: Decision | null;
  /** The number of the member list that made the decision. */
  readonly list: number;
};

export interface Faults {
  /** Probabilities of a message's loss and repetition. */
  readonly loss: number;
  readonly repeat: number;
  readonly delayMs: number;
}

export const readDecision: (body: Buffer) => Decision = onceEach((body) =>
  JSON.parse(body.toString("latin1")),
);
export const casIn: (body: Buffer) => Cas = onceEach((body) => JSON.parse(body.toString("latin1")));

/** Returns a function that computes each result once, because all members receive the same objects. */
function onceEach<From extends object, To>(compute: (from: From) => To): (from: From) => To {
  const results = new WeakMap<From, { readonly result: To }>();
  return (from) => {
    let known = results.get(from);
    if (known === undefined) {
      known = { result: compute(from) };
      results.set(from, known);
    }
    return known.result;
  };
}

/** The signature of a unit that is not valid. Each other one is. */
export const INVALID = Buffer.from("invalid");

const proposedOf = onceEach((decision: Decision): ProposedDecision => {
  const text = JSON.stringify(decision);
  const { slot, index, count, previous, at, cas } = decision;
  const body = Buffer.from(text, "latin1");
  return { slot, index, count, previous, at, seq: 0, id: sha256(text), unit: cas?.id ?? null, body };
});

const bodyOf = onceEach((cas: Cas): Buffer => Buffer.from(JSON.stringify(cas), "latin1"));

function proposalOf(decisions: readonly Decision[]): Proposal {
  const [first, ...others] = decisions.map(proposedOf);
  assert.ok(first !== undefined);
  const ids = [first, ...others].map(({ id }) => id);
  return { slot: first.slot, decisions: [first, ...others], root: rootOf(ids, sha256) };
}

export class Member {
  readonly id: string;
  decisions: Decisions | null = null;
  /** What is on its disk. */
  stored: VoterState | null = { promised: null, accepted: null, last: { slot: 0, orderKey: null, list: 0 } };
  lists: VotingList[] = [];
  /** The numbers of the lists among them that it has never received. */
  readonly unknownLists = new Set<number>();
  entries = new Map<string, Entry>();
  /** The entries that are on its disk. A member that stops forgets the others. */
  readonly #onDisk = new Map<string, Entry>();
  /** When the last write to its disk ends: writes end in their order. */
  #writesUntil = 0;
  clockOffset = 0;
  /** The date up to which its log has no entries any longer. They remain part of its state. */
  prunedTo = 0;
  /** Runs its ticks, and what it does when a message arrives or its disk has stored something. */
  readonly processor: Processor = { busyUntil: 0 };
  /** Units to which it objects, whatever their outcome. */
  readonly objectsTo = new Set<string>();
  /** When a majority of the members was last heard, in milliseconds of the run; null: now. */
  heardAt: number | null = null;
  #life = 0;
  readonly #world: World;
  readonly name: string;

  constructor(world: World, name: string) {
    this.#world = world;
    this.name = name;
    this.id = idOf(name);
  }

  get isUp(): boolean {
    return this.decisions !== null;
  }

  get clock(): number {
    return EPOCH + Math.floor(this.#world.scheduler.time) + this.clockOffset;
  }

  start(): void {
    const life = ++this.#life;
    const ports = this.#ports(life);
    this.decisions = new Decisions(ports, this.stored);
    const voted = new Set(this.stored?.accepted?.proposal.decisions.map(({ id }) => id));
    for (const { id, decision, at, list } of this.entries.values())
      if (decision !== null && at > this.prunedTo && (at > this.clock - NOTED_MS || voted.has(id)))
        this.decisions.folded([{ decision: proposedOf(decision), list }]);
    this.#tick(life);
  }

  stop(): void {
    this.#life++;
    this.decisions = null;
    this.entries = new Map(this.#onDisk);
  }

  loseDisk(): void {
    this.stored = null;
    this.entries.clear();
    this.#onDisk.clear();
  }

  #write(written: () => void): void {
    const life = this.#life;
    const { scheduler } = this.#world;
    this.#writesUntil = Math.max(this.#writesUntil, scheduler.time + this.#world.savingMs(this));
    scheduler.after(this.#writesUntil - scheduler.time, this.processor, () => {
      if (life === this.#life) written();
    });
  }

  receive(from: string, message: DecisionMessage): void {
    this.decisions?.receive(from, message);
  }

  /** Adds an entry to the log and the state. */
  add(entry: Entry): void {
    if (this.entries.has(entry.id) || entry.at <= this.prunedTo) return;
    this.entries.set(entry.id, entry);
    this.#write(() => this.#onDisk.set(entry.id, entry));
    if (entry.decision !== null)
      this.decisions?.folded([{ decision: proposedOf(entry.decision), list: entry.list }]);
  }

  /** Returns the last writer of a key before a position. */
  writerOf(key: string, before: OrderKey | null = null): string {
    let last: Entry | null = null;
    for (const entry of this.entries.values()) {
      const writes =
        entry.decision === null
          ? entry.key === key
          : entry.decision.isApplied && entry.decision.cas?.key === key;
      if (!writes || (before !== null && compareOrderKeys(entry, before) >= 0)) continue;
      if (last === null || compareOrderKeys(entry, last) > 0) last = entry;
    }
    return last?.id ?? "";
  }

  newestOn(key: string): number {
    const writer = this.entries.get(this.writerOf(key));
    return writer?.at ?? 0;
  }

  decisionOn(unit: string): Entry | null {
    for (const entry of this.entries.values()) if (entry.decision?.cas?.id === unit) return entry;
    return null;
  }

  #tick(life: number): void {
    this.#world.scheduler.after(TICK_MS, this.processor, () => {
      if (life !== this.#life) return;
      this.decisions?.tick();
      this.#tick(life);
    });
  }

  #ports(life: number): DecisionPorts {
    const world = this.#world;
    const spki = `key of ${this.name}`;
    const isAlive = (): boolean => life === this.#life;

    return {
      own: { id: this.id, spki },
      cluster: CLUSTER,
      sign: (bytes) => signedBy(spki, bytes),
      verify: (by, bytes, signature) => {
        world.verified++;
        return signedBy(by, bytes) === signature;
      },
      hash: sha256,
      uptime: () => world.scheduler.time,
      random: () => world.random.below(1000) / 1000,
      nextTurn: (step) =>
        world.scheduler.after(0, this.processor, () => {
          if (isAlive()) step();
        }),
      lists: (since) => {
        const [current, ...others] = this.lists.toReversed();
        if (current?.members.has(this.id) !== true) return null;
        const earlier: VotingList[] = [];
        let follower = current;
        for (const list of others) {
          if (follower.number <= since) break;
          // It names the list before it, but not those before that list.
          if (this.unknownLists.has(list.number)) return { current, earlier, unknown: follower.members };
          if (list.number >= since) earlier.push(list);
          follower = list;
        }
        return { current, earlier, unknown: new Set() };
      },
      isConnected: (id) => world.isConnected(this.id, id),
      majorityHeardAt: () => this.heardAt ?? world.scheduler.time,
      silentAfterMs: SILENT_AFTER_MS,
      isReady: (id) => world.isReady(this.id, id),
      roundTrip: (id) => (world.isConnected(this.id, id) ? world.roundTripMs(this, id) : null),
      send: (to, message) => {
        if (isAlive()) world.send(this.id, to, message);
      },
      save: (state, then) => {
        this.#write(() => {
          for (const ballot of [state.promised, state.accepted?.evidence.vote.ballot ?? null])
            assert.ok(ballot === null || readBallot(writeBallot(ballot)) !== null, "it can be read again");
          this.stored = world.rules.forgetsVotes ? { ...state, accepted: null } : state;
          then();
        });
      },
      isPart: (unit) => this.decisionOn(unit) !== null,
      latestDate: () => this.clock + WINDOW_MS,
      findDecision: (orderKey) => {
        const { decision, list = 0 } = this.entries.get(orderKey.id) ?? {};
        if (decision == null || orderKey.at <= this.prunedTo) return null;
        const { slot, index, count, previous } = decision;
        return { slot, previous, endSlot: slot - index + count - 1, list };
      },
      areLevel: (upTo) => this.#areLevel(upTo),
      prunedTo: () => this.prunedTo,
      propose: (units, last, bounds) => this.#propose(units, last, bounds),
      judge: (proposal) => this.#judge(proposal),
      read: (bodies) => proposalOf(bodies.map(readDecision)),
      proposableTo: () => this.clock,
      unitHead: (body) => casIn(body),
      readUnit: (body, signature) => {
        world.verified++;
        if (signature.equals(INVALID)) return null;
        return world.unitOf(casIn(body), Buffer.from(signature));
      },
      decided: (proposal, votes) => world.decided(this, proposal, votes),
      contradicted: (id) => {
        world.contradicted.add(id);
        world.contradictions++;
      },
    };
  }

  #areLevel(upTo: number): boolean {
    const others = [...(this.lists.at(-1)?.members ?? [])].filter((id) => id !== this.id);
    const idsOf = (member: Member): string =>
      [...member.entries.values()]
        .filter(({ at }) => at <= upTo)
        .map(({ id }) => id)
        .sort()
        .join("");
    return others.every((id) => {
      const member = this.#world.isConnected(this.id, id) ? this.#world.members.get(id) : undefined;
      return member !== undefined && idsOf(member) === idsOf(this);
    });
  }

  #propose(
    units: Servable | null,
    last: VoterState["last"],
    { notBefore, clock }: DateBounds,
  ): Proposal | null {
    const now = Math.min(this.clock, clock);
    const chosen = units === null ? [null] : this.#chosen(units);
    const lastAt = last.orderKey?.at ?? 0;
    const known = chosen.map((cas) => (cas === null ? 0 : this.newestOn(cas.key)));
    const at = Math.max(now, lastAt + 1, 1 + Math.max(...known), notBefore);
    if (chosen.length === 0 || at + chosen.length > now + this.#world.aheadMs) return null;
    const decisions: Decision[] = [];
    for (const [index, cas] of chosen.entries()) {
      const previous =
        decisions.length === 0 ? last.orderKey : keyOf(proposedOf(decisions.at(-1) as Decision));
      const place = { slot: last.slot + 1 + index, index, count: chosen.length, previous };
      const isApplied = cas !== null && this.#holds(cas, decisions);
      decisions.push({ ...place, at: at + index, cas, isApplied });
    }
    return proposalOf(decisions);
  }

  #chosen(units: Servable): Cas[] {
    const chosen: Cas[] = [];
    const { overtaken } = this.#world;
    const hasToWait = ({ id, body }: WaitingUnit): boolean =>
      casIn(body).at < this.clock - WINDOW_MS || overtaken.has(id);
    for (const { body } of units(hasToWait)) {
      if (chosen.length === this.#world.together) break;
      chosen.push(casIn(body));
    }
    return chosen;
  }

  /** Whether a condition holds on the state, after the decisions before it in the same proposal. */
  #holds(cas: Cas, before: readonly Decision[], at: OrderKey | null = null): boolean {
    const wrote = before.findLast((decision) => decision.isApplied && decision.cas?.key === cas.key);
    return (wrote === undefined ? this.writerOf(cas.key, at) : proposedOf(wrote).id) === cas.expects;
  }

  #judge({ decisions: proposed }: Proposal): ReturnType<DecisionPorts["judge"]> {
    const later: Objection = { notBefore: 0, objected: [] };
    for (const decision of proposed)
      if (decision.previous !== null && compareOrderKeys(decision, decision.previous) <= 0) return later;
    if (proposed.some(({ at }) => at > this.clock + this.#world.aheadMs))
      return { notBefore: this.clock, objected: [] };

    const decisions = proposed.map(({ body }) => readDecision(body));
    if (decisions[0]?.cas === null) return "yes";
    const [first] = proposed;
    const objected = (isObjected: (cas: Cas, index: number) => boolean): number[] =>
      decisions.flatMap(({ cas }, index) => (cas !== null && !isObjected(cas, index) ? [] : [index]));
    const wrong = objected(
      (cas) =>
        this.objectsTo.has(cas.id) || this.decisionOn(cas.id) !== null || cas.at < this.clock - 2 * WINDOW_MS,
    );
    if (wrong.length > 0) return { notBefore: 0, objected: wrong };

    const newest = (cas: Cas): number => this.newestOn(cas.key);
    const changed = objected((cas) => newest(cas) >= first.at);
    if (changed.length > 0) {
      const dates = changed.map((index) => newest(decisions[index]?.cas as Cas));
      return { notBefore: 1 + Math.max(...dates), objected: changed };
    }

    const other = objected(
      (cas, index) => this.#holds(cas, decisions.slice(0, index), first) !== decisions[index]?.isApplied,
    );
    return other.length === 0 ? "yes" : { notBefore: 0, objected: other };
  }
}

const keyOf = ({ at, seq, id }: OrderKey): OrderKey => ({ at, seq, id });

/** Milliseconds without a message after which a member counts as silent. */
export const SILENT_AFTER_MS = 5_000;

/** Rules that a test breaks, to show that the run finds it. */
export interface Rules {
  forgetsVotes: boolean;
}

export class World {
  readonly scheduler = new Scheduler();
  readonly random: SeededRandom;
  readonly members = new Map<string, Member>();
  readonly rules: Rules = { forgetsVotes: false };
  readonly contradicted = new Set<string>();
  contradictions = 0;
  /** The number of signatures that were verified. */
  verified = 0;
  /** Called for each message, for debugging. */
  trace: ((from: string, to: string, message: DecisionMessage) => void) | null = null;
  faults: Faults = { loss: 0, repeat: 0, delayMs: 3 };
  /** The maximum number of units that one proposal decides. */
  together = 3;
  /** The maximum number of milliseconds by which a decision is dated ahead of a member's clock. */
  aheadMs = WINDOW_MS;
  /** Milliseconds between two syncs of each disk; 0: it syncs after each write. */
  syncEveryMs = 0;
  /** Milliseconds that each message needs in addition to `faults.delayMs`. */
  latencyMs = 0;
  /** The ids of members that are connected, and have not sent their first status yet: messages to them are lost. */
  readonly unready = new Set<string>();
  /** Pairs of members without a connection. */
  readonly cut = new Set<string>();
  /** The ids of units that have to wait, because later entries have changed their keys. */
  readonly overtaken = new Set<string>();
  /** All units by id, and their decisions. */
  readonly units = new Map<string, Cas>();
  readonly #bySlot = new Map<number, Decision>();
  /** The keepers that have made decisions, one for each turn. */
  readonly keepers: string[] = [];
  #lastTurn = "";
  readonly decidedUnits = new Map<string, Decision>();
  #count = 0;

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
  }

  add(name: string): Member {
    const member = new Member(this, name);
    this.members.set(member.id, member);
    return member;
  }

  get up(): Member[] {
    return [...this.members.values()].filter(({ isUp }) => isUp);
  }

  get decided(): (member: Member, proposal: Proposal, votes: Votes) => void {
    return (member, proposal, votes) => this.#decided(member, proposal, votes);
  }

  /** Returns the milliseconds until what a member stores now is on its disk. The disks sync at different times. */
  savingMs(member: Member): number {
    if (this.syncEveryMs === 0) return this.random.below(4);
    const number = [...this.members.values()].indexOf(member);
    const since = this.scheduler.time + (number * this.syncEveryMs) / this.members.size;
    return this.syncEveryMs - (since % this.syncEveryMs);
  }

  isConnected(one: string, other: string): boolean {
    return this.members.get(other)?.isUp === true && !this.isCut(one, other);
  }

  /** Whether messages between two members arrive. */
  isReady(one: string, other: string): boolean {
    return this.isConnected(one, other) && !this.unready.has(one) && !this.unready.has(other);
  }

  isCut(one: string, other: string): boolean {
    return this.cut.size > 0 && this.cut.has(pair(one, other));
  }

  send(from: string, to: string, message: DecisionMessage): void {
    const { loss, repeat } = this.faults;
    if (!this.isReady(from, to) || this.chance(loss)) return;
    this.trace?.(from, to, message);
    const receiver = this.members.get(to);
    for (let copies = this.chance(repeat) ? 2 : 1; copies > 0; copies--)
      this.scheduler.after(this.#delay(1), receiver?.processor ?? null, () => {
        if (!this.isCut(from, to)) receiver?.receive(from, message);
      });
  }

  /** Returns the milliseconds of the last round trip of a member's status. */
  roundTripMs(_member: Member, _other: string): number {
    return 2 * (this.latencyMs + this.faults.delayMs);
  }

  #delay(times: number): number {
    return this.latencyMs + 1 + this.random.below(times * this.faults.delayMs);
  }

  chance(probability: number): boolean {
    return this.random.below(10_000) < probability * 10_000;
  }

  unitOf(cas: Cas, signature = Buffer.alloc(0)): WaitingUnit {
    const body = bodyOf(cas);
    const until = this.scheduler.time + WINDOW_MS;
    return { id: cas.id, caller: cas.caller, body, signature, earliest: 0, until };
  }

  /** A client reads a key at one member, and signs a unit on it. Each key has a client of its own by default. */
  casOf(at: Member, key: string, caller = key): Cas {
    const id = sha256(`unit ${++this.#count}`);
    const cas = { id, key, caller, expects: at.writerOf(key), at: at.clock };
    this.units.set(id, cas);
    return cas;
  }

  /** A client reads a key at one member, and sends a unit on it to some members. */
  submit(at: Member, to: readonly Member[], key: string, caller = key): Cas {
    const cas = this.casOf(at, key, caller);
    for (const member of to)
      if (member.processor.busyUntil <= this.scheduler.time) member.decisions?.submit(this.unitOf(cas));
      else this.scheduler.after(0, member.processor, () => member.decisions?.submit(this.unitOf(cas)));
    return cas;
  }

  /** A plain write at one member, which spreads. */
  write(at: Member, key: string): void {
    const id = sha256(`write ${++this.#count}`);
    this.#spread(at, { at: at.clock, seq: 0, id, key, decision: null, list: 0 });
  }

  /**
   * Members compare their entries from time to time.
   * @param share  the share of the entries that arrive; the others are still to be sent when the connection is lost
   */
  exchange(share = 1): void {
    const [one, other] = [this.pick(this.up), this.pick(this.up)];
    if (one === undefined || other === undefined || !this.isConnected(one.id, other.id)) return;
    for (const entry of one.entries.values())
      if (entry.at > one.prunedTo && this.chance(share)) other.add(entry);
  }

  pick<Item>(items: readonly Item[]): Item | undefined {
    return items[this.random.below(Math.max(1, items.length))];
  }

  #spread(from: Member, entry: Entry): void {
    from.add(entry);
    for (const member of this.members.values())
      if (member !== from && this.isConnected(from.id, member.id) && !this.chance(this.faults.loss))
        this.scheduler.after(this.#delay(2), member.processor, () => {
          if (member.isUp) member.add(entry);
        });
  }

  #decided(member: Member, { slot, decisions, root }: Proposal, { ballot, votes }: Votes): void {
    const list = member.lists.find(({ hash }) => hash === ballot.listHash);
    assert.ok(list !== undefined);
    const bytes = voteBytes(CLUSTER, { ballot, slot, count: decisions.length, root });
    const voters = new Set(votes.map(({ spki }) => sha256(spki)));
    for (const { spki, signature } of votes) assert.equal(signedBy(spki, bytes), signature);
    assert.ok(voters.size * 2 > list.members.size && [...voters].every((id) => list.members.has(id)));
    if (!this.#bySlot.has(slot)) this.#noteKeeper(ballot);
    for (const { at, seq, id, body } of decisions) {
      const decision = readDecision(body);
      this.#check(decision);
      if (!member.entries.has(id))
        this.#spread(member, { at, seq, id, key: null, decision, list: ballot.list });
    }
  }

  #noteKeeper({ round, member }: Ballot): void {
    const turn = `${round} ${member}`;
    if (turn !== this.#lastTurn) this.keepers.push(member);
    this.#lastTurn = turn;
  }

  /** Checks that a decision does not contradict an earlier one. */
  #check(decision: Decision): void {
    const text = JSON.stringify(decision);
    const { slot, cas } = decision;
    const same = this.#bySlot.get(slot);
    assert.equal(text, same === undefined ? text : JSON.stringify(same), `two decisions in slot ${slot}`);
    if (same !== undefined) return;
    this.#bySlot.set(slot, decision);
    const before = this.#bySlot.get(slot - 1);
    if (before !== undefined) assert.ok(decision.at > before.at, "the positions follow the slots");
    if (cas === null) return;
    assert.ok(!this.decidedUnits.has(cas.id), "a unit is decided once");
    this.decidedUnits.set(cas.id, decision);
    if (!decision.isApplied) return;
    for (const [id, other] of this.decidedUnits)
      if (other.isApplied && id !== cas.id && other.cas?.key === cas.key)
        assert.notEqual(other.cas.expects, cas.expects, "two units that exclude each other are applied");
  }
}

const pair = (one: string, other: string): string => (one < other ? `${one}${other}` : `${other}${one}`);

export const listOf = (number: number, names: readonly string[]): VotingList => ({
  number,
  hash: sha256(`list ${number}`),
  members: new Set(names.map(idOf)),
});

/**
 * Starts three members on one list, of which the first one is the keeper.
 * @param together  the maximum number of units that one proposal decides
 */
export async function startThree(
  seed: number,
  together: number,
): Promise<{ world: World; members: readonly [Member, Member, Member] }> {
  const world = new World(seed);
  world.together = together;
  const names = ["a", "b", "c"];
  const members = names.map((name) => world.add(name)) as [Member, Member, Member];
  for (const member of members) {
    member.lists = [listOf(1, names)];
    member.start();
  }

  const first = world.submit(members[0], [members[0]], "first");
  await runUntil(world, "the first unit is decided everywhere", () =>
    members.every((member) => member.decisionOn(first.id) !== null && member.decisions?.waiting === 0),
  );
  return { world, members };
}

/** Runs in steps of a millisecond until a condition holds. */
export const runUntil = (world: World, what: string, holds: () => boolean): Promise<unknown> =>
  until(what, holds, { pause: () => world.scheduler.runUntil(world.scheduler.time + 1) });
