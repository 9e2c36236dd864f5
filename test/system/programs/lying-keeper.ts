/**
 * Runs dbsyncd as a member whose keeper lies about units that name certain keys. It has its real key, and lies in what
 * it sends to the other members. `LIES` contains the names of the keys.
 */
import { createHash } from "node:crypto";
import { MemberConnection } from "../../../daemon/cluster/peers/connections/member-connection.js";
import { Decisions } from "../../../daemon/cluster/peers/decisions/decisions.js";
import { Voter } from "../../../daemon/cluster/peers/decisions/voter.js";
import { SighupHandler } from "../../../daemon/net/process/sighup.js";
import { BUILD } from "../../../daemon/program/installed-faces.js";
import { main } from "../../../daemon/program/program.js";
import { type ByteString, bytesOf } from "../../../protocol/byte-string.js";
import {
  type DecisionMessage,
  readDecisionMessage,
  type Vote,
  writeDecisionMessage,
} from "../../../protocol/members/decision-messages.js";
import { type Decision, readDecision, writeDecision } from "../../../protocol/version-2/decision-body.js";
import { signedBytes } from "../../../protocol/version-2/envelope.js";
import { rootOf } from "../../../protocol/version-2/hash-tree.js";
import { LIES } from "./lies.js";

type Propose = Extract<DecisionMessage, { kind: "propose" }>;
type Proposal = Parameters<Voter["propose"]>[1];

const hash = (bytes: Buffer): ByteString => bytesOf(createHash("sha256").update(bytes).digest());
const names = (bytes: Buffer, key: string): boolean => bytes.includes(key);

/** The voter of this daemon, which signs for it. */
let voter: Voter | null = null;
const { propose } = Voter.prototype;
Voter.prototype.propose = function (...args) {
  voter = this;
  return propose.apply(this, args);
};

/** Two units of which each is proposed to one other member. */
class Pair {
  readonly key: string;
  /** The units that this daemon holds back until there are two, by id. */
  readonly held = new Map<ByteString, () => void>();
  /** What each member receives as the only proposal for a slot, and this daemon's vote for it. */
  readonly halves: { readonly receiver: MemberConnection; readonly sent: Propose; vote: Vote | null }[] = [];

  constructor(key: string) {
    this.key = key;
  }
}

const pairs = new Map<string, Pair>();
const PAIR_KEY = new RegExp(`(?:${LIES.twice}|${LIES.apart}):[0-9]+`);

/** Returns the pair that bytes name; null: none. */
function pairIn(bytes: Buffer): Pair | null {
  const [key] = PAIR_KEY.exec(bytes.toString("latin1")) ?? [];
  if (key === undefined) return null;
  const pair = pairs.get(key) ?? new Pair(key);
  pairs.set(key, pair);
  return pair;
}

const { submit } = Decisions.prototype;
Decisions.prototype.submit = function (...args) {
  const [unit] = args;
  const held = pairIn(unit.body)?.held;
  if (held === undefined || held.size === 2) return submit.apply(this, args);
  held.set(unit.id, () => submit.apply(this, args));
  if (held.size === 2) for (const pass of held.values()) pass();
};

const { send } = MemberConnection.prototype;
MemberConnection.prototype.send = function (message) {
  const decision = message.kind === "decision" ? readDecisionMessage(message.message) : null;
  const sent = decision?.kind === "propose" ? liesFor(this, decision) : null;
  if (sent === null) return send.call(this, message);
  for (const each of sent) send.call(this, { kind: "decision", message: writeDecisionMessage(each) });
};

/** Returns what a member receives in place of a proposal; null: the proposal. */
function liesFor(receiver: MemberConnection, proposal: Propose): readonly DecisionMessage[] | null {
  const { bodies } = proposal;
  const [pair] = bodies.flatMap((body) => pairIn(body) ?? []);
  if (pair !== undefined) return oneOfTwo(pair, receiver, proposal);
  if (bodies.some((body) => names(body, LIES.effects)))
    return [
      signed(
        proposal,
        bodies.map((body) => withUnit(body, (unit) => replaced(unit, "owner", "thief"))),
      ),
    ];
  if (bodies.some((body) => names(body, LIES.outcome)))
    return [signed(proposal, bodies.map(withOtherOutcomes))];
  return null;
}

/** Proposes each of two units to one member as the only one, after both votes, of which its own is the first. */
function oneOfTwo(pair: Pair, receiver: MemberConnection, proposal: Propose): readonly DecisionMessage[] {
  const { halves } = pair;
  if (halves.some((half) => half.receiver === receiver) || proposal.bodies.length < 2) return [];
  const [first = Buffer.alloc(0)] = proposal.bodies;
  const { unit, outcomes } = readDecision(proposal.bodies[halves.length] ?? first);
  const applied: Decision["outcomes"] = outcomes.map(() => "applied" as const);
  const sent = signed(proposal, [
    writeDecision({ ...readDecision(first), count: 1, unit, outcomes: applied }),
  ]);

  halves.push({ receiver, sent, vote: null });
  if (halves.length === 2)
    for (const half of halves)
      voter?.vote(sent.ballot, parsed(half.sent.bodies), half.sent.signed, null, (vote) => {
        half.vote = vote;
        sendHalves(pair);
      });
  return [];
}

function sendHalves({ key, halves }: Pair): void {
  const votes = halves.flatMap(({ vote }) => vote ?? []);
  if (votes.length < 2) return;
  for (const { receiver, sent, vote } of halves)
    for (const message of votes
      .filter((each) => key.startsWith(LIES.twice) || each === vote)
      .sort((one, other) => Number(other === vote) - Number(one === vote))
      .map((each): DecisionMessage => ({ kind: "vote", vote: each }))
      .concat(sent))
      send.call(receiver, { kind: "decision", message: writeDecisionMessage(message) });
}

function signed(proposal: Propose, bodies: readonly Buffer[]): Propose {
  if (voter === null) throw new Error("nothing was proposed");
  return { ...proposal, bodies, signed: propose.call(voter, proposal.ballot, parsed(bodies)) };
}

function parsed(bodies: readonly Buffer[]): Proposal {
  const decisions = bodies.map((body) => {
    const { unit, ...rest } = readDecision(body);
    return { ...rest, id: hash(signedBytes(body)), unit: unit && hash(signedBytes(unit.body)), body };
  });
  const [first, ...others] = decisions;
  if (first === undefined) throw new Error("a proposal has at least one decision");
  const root = rootOf(
    decisions.map(({ id }) => id),
    hash,
  );
  return { slot: first.slot, decisions: [first, ...others], root };
}

function withUnit(body: Buffer, change: (unit: Buffer) => Buffer): Buffer {
  const decision = readDecision(body);
  const { unit } = decision;
  return writeDecision({ ...decision, unit: unit && { ...unit, body: change(unit.body) } });
}

/** @param to  as long as `from` */
function replaced(bytes: Buffer, from: string, to: string): Buffer {
  return Buffer.from(bytes.toString("latin1").replaceAll(from, to), "latin1");
}

function withOtherOutcomes(body: Buffer): Buffer {
  const decision = readDecision(body);
  const isNamed = names(body, LIES.outcome);
  const outcomes = decision.outcomes.map((each) => (each === "applied" ? "unmet" : "applied"));
  return isNamed ? writeDecision({ ...decision, outcomes }) : body;
}

await main(new SighupHandler(), BUILD);
