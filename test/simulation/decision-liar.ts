/**
 * How a byzantine member lies about decisions: it alters its own messages, and sends messages that its state does not
 * justify. It signs with its own key only, so it cannot forge another member's vote or a client's unit.
 */
import { type ByteString, bytesOf } from "../../protocol/byte-string.js";
import { MalformedFrame } from "../../protocol/errors.js";
import {
  ATTEMPT_MAX,
  type Ballot,
  type DecisionMessage,
  type PromiseMessage,
  proposalBytes,
  ROUND_MAX,
  type Vote,
  voteBytes,
} from "../../protocol/members/decision-messages.js";
import type { MemberSignature } from "../../protocol/members/member-signature.js";
import {
  type Decision,
  readDecision,
  SLOT_MAX,
  writeDecision,
} from "../../protocol/version-2/decision-body.js";
import { signedBytes } from "../../protocol/version-2/envelope.js";
import { rootOf } from "../../protocol/version-2/hash-tree.js";
import { randomBytes } from "./cast.js";
import type { DecisionLie } from "./lies.js";
import { GLOBS } from "./patterns.js";
import { sha256, sign, signatureOf } from "./signatures.js";
import type { Host, World } from "./world.js";

/** Maximum number of messages and of decisions that the liar remembers. */
const KEPT_MAX = 40;
const YEAR_MS = 365 * 86_400_000;

type Propose = DecisionMessage & { readonly kind: "propose" };

export class DecisionLiar {
  readonly #world: World;
  readonly #host: Host;
  readonly #lies: (lie: DecisionLie, share: number) => boolean;
  readonly #kept: DecisionMessage[] = [];
  /** The bodies of the decisions of proposals that the liar has made or voted for. */
  readonly #proposals: (readonly Buffer[])[] = [];
  #ballot: Ballot | null = null;

  /** @param lies  whether the liar uses a lie now; the share of the messages in which it does */
  constructor(world: World, host: Host, lies: (lie: DecisionLie, share: number) => boolean) {
    this.#world = world;
    this.#host = host;
    this.#lies = lies;
  }

  /** Returns the messages to send in place of a message. */
  alter(message: DecisionMessage, to: string): readonly DecisionMessage[] {
    const { random } = this.#world;
    this.#note(message);
    const messages = this.#lies("hides-decisions", 0.4) ? [] : this.#altered(message, to);
    if (this.#lies("repeats-decisions", 0.3)) messages.push(random.oneOf(this.#kept));
    return messages;
  }

  /** Returns messages that no member expects. */
  added(): readonly DecisionMessage[] {
    const ballot = this.#ballot;
    if (ballot === null) return [];
    const messages: DecisionMessage[] = [];
    if (this.#lies("invents-ballots", 0.7)) messages.push(...this.#inBallot(this.#invented(ballot)));
    if (this.#lies("takes-turns", 0.7)) messages.push(...this.#turns(ballot));
    if (this.#lies("invents-votes", 0.7)) messages.push({ kind: "vote", vote: this.#inventedVote(ballot) });
    if (this.#lies("false-beginnings", 0.5)) messages.push(this.#falseBeginning());
    return messages;
  }

  /** Returns a unit that declares that a pattern begins, or changes patterns although only administrators may. */
  #falseBeginning(): DecisionMessage {
    const { random, genesis, ledger } = this.#world;
    const glob = random.oneOf([...GLOBS, "unknown:*", "*"]);
    const argv = ["CLUSTER", random.oneOf(["DECIDED", "DECIDED", "DECIDE", "UNDECIDE"]), glob];
    const at = Math.max(0, this.#host.clock() + random.oneOf([0, -2_000, 2_000, YEAR_MS]));
    const header = { cluster: genesis.cluster, nonce: randomBytes(random, 16), at, seq: 0 };
    const commands = random.chance(0.2) ? [argv, ["SET", "t0", "forged"]] : [argv];
    const entry = sign(this.#host.identity, header, commands);
    // The members may decide on it: a pattern begins if it may.
    ledger.sent.set(entry.id, { entry, isRead: false, outcomes: [] });
    return { kind: "unit", body: entry.body, signature: entry.signature };
  }

  /** Returns requests for the next round or attempt, or for as many of the last round as used up the rounds before. */
  #turns(ballot: Ballot): DecisionMessage[] {
    const { random } = this.#world;
    const { id: member } = this.#host.identity;
    const { round, attempt } = ballot;
    const request = (fields: Partial<Ballot>): DecisionMessage => ({
      kind: "promise-request",
      ballot: { ...ballot, member, attempt: 0, ...fields },
    });
    if (random.chance(0.02)) return Array.from({ length: 2_100 }, () => request({ round: ROUND_MAX }));
    return [random.oneOf([request({ round: round + 1 }), request({ attempt: attempt + 1 })])];
  }

  #objection(ballot: Ballot): DecisionMessage {
    const { random } = this.#world;
    const notBefore = this.#host.clock() + random.oneOf([0, 4_000, YEAR_MS]);
    const last = { slot: 0, orderKey: null, list: 0 };
    const next = { ...ballot, attempt: Math.min(ballot.attempt + 1, ATTEMPT_MAX) };
    const objected = random.oneOf([[], [0], [0, 1, 2], [63], [255, 255]]);
    return { kind: "promise", ballot: next, last, accepted: null, notBefore, objected };
  }

  #note(message: DecisionMessage): void {
    if ("ballot" in message) this.#ballot = message.ballot;
    const bodies =
      message.kind === "propose" ? message.bodies : "accepted" in message ? message.accepted?.bodies : null;
    if (bodies != null) this.#keep(this.#proposals, bodies);
    this.#keep(this.#kept, message);
  }

  #keep<Item>(items: Item[], item: Item): void {
    if (items.length < KEPT_MAX) items.push(item);
    else items[this.#world.random.below(KEPT_MAX)] = item;
  }

  #altered(message: DecisionMessage, to: string): DecisionMessage[] {
    switch (message.kind) {
      case "promise":
        return [this.#lies("wrong-last", 0.5) ? this.#promise(message) : message];
      case "propose":
        return this.#lies("votes-twice", 0.7) ? this.#propose(message, to) : [message];
      case "vote":
        if (this.#lies("objects", 0.8)) return [this.#objection(message.vote.ballot)];
        if (!this.#lies("votes-twice", 0.5)) return [message];
        return [message, { kind: "vote", vote: this.#inventedVote(message.vote.ballot) }];
      default:
        return [message];
    }
  }

  /** Proposes different decisions to different members, and votes for each of them. */
  #propose(message: Propose, to: string): DecisionMessage[] {
    const isFirst = to.charCodeAt(1) % 2 === 0;
    const proposed = isFirst ? message : this.#proposalOf(message.ballot, this.#variantOf(message.bodies));
    const vote = this.#voteFor(message.ballot, proposed.bodies);
    return [
      { ...proposed, evidence: this.#evidenceFor(message, proposed.bodies) },
      { kind: "vote", vote },
    ];
  }

  /** Returns evidence that only the liar has signed, in another keeper's ballot or in its own, or the real one. */
  #evidenceFor({ ballot, evidence }: Propose, bodies: readonly Buffer[]): Propose["evidence"] {
    const { random, hosts } = this.#world;
    if (!this.#lies("invents-votes", 0.7)) return evidence;
    const member = random.oneOf(hosts).identity.id;
    const earlier: Ballot = { ...ballot, round: Math.max(0, ballot.round - 1), member };
    const vote = this.#voteFor(earlier, bodies);
    return { vote, proposal: this.#signed(proposalBytes(this.#cluster, vote)) };
  }

  #promise(message: PromiseMessage): PromiseMessage {
    const { random } = this.#world;
    const { slot, orderKey, list } = message.last;
    const [at, id] = [this.#host.clock(), randomBytes(random, 32)];
    return {
      ...message,
      last: {
        slot: random.oneOf([0, slot, slot + 1, slot + 5, SLOT_MAX - 1]),
        orderKey: random.oneOf([null, orderKey, { at: 1, seq: 0, id }, { at, seq: 0, id }]),
        list: random.oneOf([0, list, list + 1, 0xffffffff]),
      },
      accepted: random.chance(0.5) ? null : message.accepted,
      notBefore: random.oneOf([0, at + 1_000, at + YEAR_MS, Number.MAX_SAFE_INTEGER]),
    };
  }

  #inBallot(ballot: Ballot): DecisionMessage[] {
    const { random } = this.#world;
    const kind = random.oneOf(["promise-request", "outvoted", "propose"] as const);
    if (kind !== "propose") return [{ kind, ballot }];
    return this.#proposals.length === 0 ? [] : [this.#proposalOf(ballot, this.#someBodies())];
  }

  /** Returns a ballot with a huge round, an invented list, or another keeper. */
  #invented(ballot: Ballot): Ballot {
    const { random, hosts } = this.#world;
    const { list, listHash, round, attempt } = ballot;
    const isListInvented = random.chance(0.3);
    return {
      list: random.oneOf([list, list, list + 1, 0xffffffff]),
      listHash: isListInvented ? randomBytes(random, 32) : listHash,
      round: random.oneOf([0, round, round + 1, this.#host.clock() + 4_900, ROUND_MAX]),
      member: random.oneOf([this.#host, this.#host, random.oneOf(hosts)]).identity.id,
      attempt: random.oneOf([0, attempt + 1, ATTEMPT_MAX]),
    };
  }

  #inventedVote(ballot: Ballot): Vote {
    const { random } = this.#world;
    const earlier = { ...ballot, round: Math.max(0, ballot.round - random.below(2)) };
    if (this.#proposals.length > 0) return this.#voteFor(earlier, this.#someBodies());
    const [slot, count] = [random.between(1, 20), random.between(1, 3)];
    return this.#vote({ ballot: earlier, slot, count, root: randomBytes(random, 32) });
  }

  #someBodies(): readonly Buffer[] {
    const { random } = this.#world;
    const bodies = random.oneOf(this.#proposals);
    return random.chance(0.5) ? this.#variantOf(bodies) : bodies;
  }

  /** Returns the decisions of a proposal with a change to one of them, or fewer of them. */
  #variantOf(bodies: readonly Buffer[]): Buffer[] {
    const { random } = this.#world;
    const decisions = bodies.map(readDecision);
    const changed = random.below(decisions.length);
    decisions[changed] = this.#changed(decisions[changed] as Decision);
    const [first, ...others] = random.chance(0.2) ? decisions.slice(0, 1 + changed) : decisions;
    const count = 1 + others.length;
    let last = { ...(first as Decision), count };
    const written = [writeDecision(last)];
    for (const [before, { at, ...decision }] of others.entries()) {
      // What it has written may be malformed, so it is not read.
      const previous = { at: last.at, seq: last.seq, id: sha256(signedBytes(written[before] as Buffer)) };
      const place = { slot: last.slot + 1, index: before + 1, previous };
      last = { ...decision, ...place, count, at: Math.max(at, last.at + 1) };
      written.push(writeDecision(last));
    }
    return written;
  }

  /** Returns another decision of the same slot, or of another slot. */
  #changed(decision: Decision): Decision {
    const { slot, at, previous, unit } = decision;
    const { random } = this.#world;
    const id = randomBytes(random, 32);
    const { outcomes } = decision;
    const flipped = outcomes.map((one) => (one === "applied" ? "unmet" : "applied"));
    const one = random.below(outcomes.length);

    const changes: Partial<Decision>[] = [
      { outcomes: flipped },
      {
        outcomes: outcomes.map((outcome, index) =>
          index === one ? (flipped[one] as typeof outcome) : outcome,
        ),
      },
      { outcomes: outcomes.length > 1 ? outcomes.slice(1) : ["too-much"] },
      { outcomes: [...outcomes, random.oneOf(flipped)] },
      { at: at + 1 },
      { at: at + YEAR_MS },
      { outcomes: ["unmet"], unit: null },
      { slot: slot + 3, index: 0, count: 1, previous: previous ?? { at, seq: 0, id } },
      { slot: slot + 1, index: 0, count: 1, previous: { at: at - 1, seq: 0, id } },
      { unit: unit && { ...unit, signature: Buffer.alloc(unit.signature.length) } },
    ];
    return { ...decision, ...this.#world.random.oneOf(changes) };
  }

  #proposalOf(ballot: Ballot, bodies: readonly Buffer[]): Propose {
    const vote = this.#voteFor(ballot, bodies);
    return {
      kind: "propose",
      ballot,
      bodies,
      signed: this.#signed(proposalBytes(this.#cluster, vote)),
      evidence: null,
    };
  }

  #voteFor(ballot: Ballot, bodies: readonly Buffer[]): Vote {
    const slot = slotOf(bodies[0] as Buffer);
    const ids = bodies.map((body) => sha256(signedBytes(body)));
    return this.#vote({ ballot, slot, count: ids.length, root: rootOf(ids, sha256) });
  }

  #vote(vote: Pick<Vote, "ballot" | "slot" | "count" | "root">): Vote {
    return { ...vote, ...this.#signed(voteBytes(this.#cluster, vote)) };
  }

  #signed(bytes: Buffer): MemberSignature {
    const { spki } = this.#host.identity;
    return { spki, signature: bytesOf(signatureOf(spki, bytes)) };
  }

  get #cluster(): ByteString {
    return this.#world.genesis.cluster;
  }
}

/** Returns the slot of a decision, or 1 if this member has made it malformed. */
function slotOf(body: Buffer): number {
  try {
    return readDecision(body).slot;
  } catch (problem) {
    if (problem instanceof MalformedFrame) return 1;
    throw problem;
  }
}
