/**
 * A connected member that floods the others with messages about decisions, and never waits for its disk. The run
 * measures how long the others take to decide.
 */
import {
  ATTEMPT_MAX,
  type Ballot,
  type DecisionMessage,
  type Evidence,
  proposalBytes,
  ROUND_MAX,
  voteBytes,
} from "../../../../../protocol/members/decision-messages.js";
import { SLOT_MAX } from "../../../../../protocol/version-2/decision-body.js";
import { CLUSTER, idOf, idOfBody, listOf, type Member, signedBy, World } from "./simulated-members.js";

const NAMES = ["a", "b", "c", "d"];
const LIAR = "liar";
const KEY = "key of liar";
/**
 * Milliseconds between two units of the clients; with an eager liar, which decides many of them; and until it expires.
 */
const UNIT_EVERY_MS = 100;
const EAGER_UNIT_EVERY_MS = 20;
export const WINDOW_MS = 30_000;
const ACTS_EVERY_MS = 20;

type Promised = DecisionMessage & { readonly kind: "promise" };

const NO_DECISION = { slot: 0, orderKey: null, list: 0 };

/** What the liar sees and does. */
export class Flood {
  readonly world: World;
  readonly honest: readonly Member[];
  readonly liar: Member;
  /** The latest ballot that a message named. */
  latest: Ballot;
  /** Counts the messages of the liar. */
  sent = 0;
  count = 0;
  /** Whether clients also send units on a key to the liar. */
  receives: (key: string) => boolean = () => false;
  unitEveryMs = UNIT_EVERY_MS;

  constructor(world: World, honest: readonly Member[], liar: Member) {
    this.world = world;
    this.honest = honest;
    this.liar = liar;
    const { hash: listHash, number: list } = liar.lists[0] as (typeof liar.lists)[0];
    this.latest = { list, listHash, round: 0, member: liar.id, attempt: 0 };
  }

  /** Returns a ballot of the liar. */
  ballot(fields: Partial<Ballot> = {}): Ballot {
    return { ...this.latest, member: this.liar.id, attempt: 0, ...fields };
  }

  /** The last round that another member accepts. */
  get lastRound(): number {
    return this.liar.clock + WINDOW_MS;
  }

  /** Sends a message without a delay, so that it arrives before all others. */
  send(to: readonly Member[], message: DecisionMessage): void {
    for (const member of to) {
      this.sent++;
      this.world.scheduler.after(0, null, () => member.receive(this.liar.id, message));
    }
  }

  all(message: DecisionMessage): void {
    this.send(this.honest, message);
  }

  sender(from: string): Member[] {
    return this.honest.filter(({ id }) => id === from);
  }

  /** Returns a proposal in a ballot, which the liar has signed. */
  proposal(ballot: Ballot, at: number, evidence: Evidence | null = null): DecisionMessage {
    const [first] = this.honest as [Member];
    const { slot: last, orderKey: previous } = first.decisions?.last ?? NO_DECISION;
    const slot = last + 1;
    const decision = { slot, index: 0, count: 1, previous, at, cas: null, isApplied: false };
    const body = Buffer.from(JSON.stringify(decision), "latin1");
    const signed = { ballot, slot, count: 1, root: idOfBody(body) };
    const signature = signedBy(KEY, proposalBytes(CLUSTER, signed));
    return { kind: "propose", ballot, bodies: [body], signed: { spki: KEY, signature }, evidence };
  }

  vote(ballot: Ballot, slot: number, root: string): DecisionMessage {
    const vote = { ballot, slot, count: 1, root };
    const signature = signedBy(KEY, voteBytes(CLUSTER, vote));
    return { kind: "vote", vote: { ...vote, spki: KEY, signature } };
  }

  promise(ballot: Ballot, fields: Partial<Promised> = {}): Promised {
    return {
      kind: "promise",
      ballot,
      last: NO_DECISION,
      accepted: null,
      notBefore: 0,
      objected: [],
      ...fields,
    };
  }
}

/** How a liar disturbs the others. */
export interface Strategy {
  readonly act?: (flood: Flood) => void;
  readonly receive?: (flood: Flood, from: string, message: DecisionMessage) => void;
  /** Whether the liar also takes part in decisions, as an honest member does. */
  readonly isMember?: boolean;
  /** A key whose units the liar never proposes as the keeper, although it proposes all others. */
  readonly withheld?: string;
  /** Whether it becomes the keeper again whenever another member is. */
  readonly isEager?: boolean;
}

const next = ({ attempt, ...ballot }: Ballot): Ballot => ({ ...ballot, attempt: attempt + 1 });

export const STRATEGIES: Readonly<Record<string, Strategy>> = {
  "2,100 requests with the maximum round": {
    act: (flood) => {
      if (flood.count++ > 0) return;
      const ballot = flood.ballot({ round: ROUND_MAX });
      for (let request = 0; request < 2_100; request++) flood.all({ kind: "promise-request", ballot });
    },
  },
  "requests with the last accepted round": {
    act: (flood) => flood.all({ kind: "promise-request", ballot: flood.ballot({ round: flood.lastRound }) }),
  },
  "requests with the last accepted round, to one member": {
    act: (flood) => {
      const ballot = flood.ballot({ round: flood.lastRound });
      flood.send(flood.honest.slice(0, 1), { kind: "promise-request", ballot });
    },
  },
  "requests with the next round": {
    act: (flood) =>
      flood.all({ kind: "promise-request", ballot: flood.ballot({ round: flood.latest.round + 1 }) }),
  },
  "a request with the next round in answer to each message": {
    receive: (flood, _from, message) => {
      const { kind } = message;
      if (kind === "promise-request" || kind === "propose" || kind === "vote")
        flood.all({ kind: "promise-request", ballot: flood.ballot({ round: flood.latest.round + 1 }) });
    },
  },
  "attempts without end in one round": {
    act: (flood) =>
      flood.all({ kind: "promise-request", ballot: flood.ballot({ round: 1, attempt: flood.count++ }) }),
  },
  "attempts without end in the latest round": {
    act: (flood) =>
      flood.all({
        kind: "promise-request",
        ballot: flood.ballot({
          round: flood.latest.round + (flood.count % 50 === 0 ? 1 : 0),
          attempt: flood.count++,
        }),
      }),
  },
  "alternating rounds at different members": {
    act: (flood) => {
      const [one, ...others] = flood.honest as [Member, ...Member[]];
      const ballots = [1, 2].map((more) => flood.ballot({ round: flood.latest.round + more }));
      const [first, second] = (flood.count++ % 2 === 0 ? ballots : ballots.reverse()) as [Ballot, Ballot];
      flood.send([one], { kind: "promise-request", ballot: first });
      flood.send(others, { kind: "promise-request", ballot: second });
    },
  },
  "an objection to each proposal": {
    receive: (flood, from, message) => {
      if (message.kind === "propose") flood.send(flood.sender(from), flood.promise(next(message.ballot)));
    },
  },
  "an objection with the last date to each proposal": {
    receive: (flood, from, message) => {
      const notBefore = Number.MAX_SAFE_INTEGER;
      if (message.kind === "propose")
        flood.send(flood.sender(from), flood.promise(next(message.ballot), { notBefore }));
    },
  },
  "outvoted by the last accepted round, in answer to each message": {
    receive: (flood, from) => {
      for (const round of [flood.lastRound, ROUND_MAX])
        flood.send(flood.sender(from), { kind: "outvoted", ballot: flood.ballot({ round }) });
    },
  },
  "outvoted by ballots of other members": {
    act: (flood) => {
      for (const { id: member } of flood.honest)
        for (const attempt of [0, ATTEMPT_MAX])
          flood.all({ kind: "outvoted", ballot: flood.ballot({ round: flood.lastRound, member, attempt }) });
    },
  },
  "proposals with the last accepted round": {
    act: (flood) =>
      flood.all(flood.proposal(flood.ballot({ round: flood.lastRound }), flood.liar.clock + 1_000)),
  },
  "proposals with the last date and attempt": {
    act: (flood) => {
      const round = flood.latest.round + 1;
      const at = flood.liar.clock + 365 * 86_400_000;
      flood.all(flood.proposal(flood.ballot({ round, attempt: ATTEMPT_MAX }), at));
      flood.all(flood.proposal(flood.ballot({ round }), at));
    },
  },
  "decisions with the last accepted date": {
    isMember: true,
    act: (flood) => {
      const ballot = flood.ballot({ round: flood.latest.round + 1 });
      flood.all({ kind: "promise-request", ballot });
      flood.all(flood.proposal(ballot, flood.lastRound - 200));
      const ballots = { ...flood.latest };
      if (ballots.member === flood.liar.id) flood.all(flood.proposal(ballots, flood.lastRound - 200));
    },
  },
  "promises with a later decision": {
    receive: (flood, from, message) => {
      if (message.kind !== "promise-request") return;
      for (const slot of [1_000, SLOT_MAX - 1]) {
        const last = { slot, orderKey: { at: flood.liar.clock, seq: 0, id: "i".repeat(32) }, list: 1 };
        flood.send(flood.sender(from), flood.promise(message.ballot, { last }));
      }
    },
  },
  "votes for everything": {
    act: (flood) => {
      const { slot } = flood.honest[0]?.decisions?.last ?? NO_DECISION;
      for (let vote = 0; vote < 40; vote++)
        flood.all(
          flood.vote(flood.ballot({ round: flood.count }), slot + 1, String(flood.count++).padEnd(32)),
        );
    },
  },
  "turns without a proposal, and silence": {
    receive: (flood, _from, { kind }) => {
      if (kind === "vote")
        flood.all({ kind: "promise-request", ballot: flood.ballot({ round: flood.latest.round + 1 }) });
    },
  },
  "a mixture of everything": {
    act: (flood) => {
      const others = Object.values(STRATEGIES).filter(({ act }) => act !== undefined);
      flood.world.pick(others)?.act?.(flood);
    },
    receive: (flood, from, message) => {
      const others = Object.values(STRATEGIES).filter(({ receive }) => receive !== undefined);
      flood.world.pick(others)?.receive?.(flood, from, message);
    },
  },
  "proposals for which no member votes": {
    act: (flood) => {
      const at = flood.liar.clock + 365 * 86_400_000;
      flood.all(flood.proposal(flood.ballot({ round: flood.latest.round + 1 }), at));
    },
  },
  "proposals of an earlier ballot, in answer to each proposal, with its own votes": {
    receive: (flood, _from, message) => {
      if (message.kind !== "propose") return;
      for (let proposal = 0; proposal < 9; proposal++) {
        const propose = flood.proposal(
          flood.ballot({ round: 0, attempt: flood.count }),
          flood.liar.clock + flood.count++,
        );
        if (propose.kind !== "propose") return;
        const [body] = propose.bodies as [Buffer];
        const { slot } = JSON.parse(body.toString("latin1"));
        flood.all(flood.vote(propose.ballot, slot, idOfBody(body)));
        flood.all(propose);
      }
    },
  },
  "decisions on all units but those on one key": { isMember: true, withheld: "key 0" },
  "decisions on all units but those on one key, and turns whenever it can": {
    isMember: true,
    isEager: true,
    withheld: "key 0",
  },
  "turns with one decision each": {
    isMember: true,
    act: (flood) => {
      if (flood.count++ % 10 === 0)
        flood.all({ kind: "promise-request", ballot: flood.ballot({ round: flood.latest.round + 1 }) });
    },
  },
};

/** Begins to act and to answer by a strategy in place of a member. */
function infiltrate(flood: Flood, { act, receive, isMember, withheld }: Strategy): { stop(): void } {
  const { world, liar } = flood;
  const own = liar.receive.bind(liar);
  let isActive = true;

  const note = (message: DecisionMessage): void => {
    const ballot =
      message.kind === "vote" ? message.vote.ballot : "ballot" in message ? message.ballot : null;
    if (ballot !== null && ballot.round >= flood.latest.round) flood.latest = ballot;
  };

  liar.receive = (from, message) => {
    note(message);
    const isWithheld =
      message.kind === "unit" && JSON.parse(message.body.toString("latin1")).key === withheld;
    if (isMember === true && !isWithheld) own(from, message);
    if (isActive) receive?.(flood, from, message);
  };

  const repeat = (): void => {
    if (!isActive) return;
    act?.(flood);
    world.scheduler.after(ACTS_EVERY_MS, null, repeat);
  };

  repeat();
  return {
    stop: () => {
      isActive = false;
    },
  };
}

/** Lets the liar behave as if no other member were connected, so that it becomes the keeper whenever another one is. */
function overreach(flood: Flood, { withheld }: Strategy): void {
  const { world, liar } = flood;
  const { isConnected, send } = world;
  world.isConnected = (one, other) => one !== liar.id && isConnected.call(world, one, other);
  world.send = (from, to, message) => {
    if (from === liar.id) flood.send(flood.sender(to), message);
    else send.call(world, from, to, message);
  };
  flood.receives = (key) => key !== withheld;
  flood.unitEveryMs = EAGER_UNIT_EVERY_MS;
}

/** Starts the members of a list of which one will lie. */
export function worldWithLiar(seed: number, size: number): Flood {
  const world = new World(seed);
  const names = [...NAMES.slice(0, size - 1), LIAR];
  const members = names.map((name) => world.add(name));
  for (const member of members) {
    member.lists = [listOf(1, names)];
    member.clockOffset = world.random.below(400) - 200;
    member.start();
  }
  const liar = world.members.get(idOf(LIAR)) as Member;
  return new Flood(
    world,
    members.filter((member) => member !== liar),
    liar,
  );
}

export interface Measured {
  /** The number of units, and of those that were decided while their clients waited. */
  readonly units: number;
  readonly decided: number;
  /** The maximum time from a unit to its decision; milliseconds. */
  readonly longestMs: number;
}

/** Sends units for a time, each to all honest members, and waits for the last ones. */
export async function measure(
  { world, honest, liar, receives, unitEveryMs }: Flood,
  milliseconds: number,
): Promise<Measured> {
  const sent = new Map<string, number>();
  const took: number[] = [];
  const end = world.scheduler.time + milliseconds;

  const look = (): void => {
    for (const [id, at] of sent) {
      if (!world.decidedUnits.has(id)) continue;
      took.push(world.scheduler.time - at);
      sent.delete(id);
    }
  };

  let units = 0;
  while (world.scheduler.time < end || (sent.size > 0 && world.scheduler.time < end + WINDOW_MS)) {
    if (
      world.scheduler.time < end &&
      world.scheduler.time + unitEveryMs > end - milliseconds + units * unitEveryMs
    ) {
      const key = `key ${units++ % 5}`;
      const cas = world.submit(honest[0] as Member, receives(key) ? [...honest, liar] : honest, key);
      sent.set(cas.id, world.scheduler.time);
    }

    await world.scheduler.runUntil(world.scheduler.time + 10);
    look();
    if (world.chance(0.05)) world.exchange();
  }

  return { units, decided: took.length, longestMs: Math.max(0, ...took) };
}

/** Measures with the liar, without it, and after all other members were restarted with what they have stored. */
export async function flooded(
  flood: Flood,
  strategy: Strategy,
  milliseconds: number,
): Promise<Record<"during" | "after" | "restarted", Measured>> {
  const { world, honest, liar } = flood;
  const actor = infiltrate(flood, strategy);
  if (strategy.isEager === true) overreach(flood, strategy);
  if (strategy.withheld !== undefined) {
    // It becomes the keeper, because no other member has a unit.
    world.submit(liar, [liar], "first");
    await world.scheduler.runUntil(1_000);
  }

  const during = await measure(flood, milliseconds);
  actor.stop();
  liar.stop();
  const after = await measure(flood, 2_000);

  for (const member of honest) {
    member.stop();
    member.start();
  }
  await world.scheduler.runUntil(world.scheduler.time + 100);
  return { during, after, restarted: await measure(flood, 2_000) };
}
