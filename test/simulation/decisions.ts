/**
 * Checks the decisions of the members: each is about an envelope that a client has signed and has an outcome for each
 * of its units, each envelope and each slot has one decision, and every acknowledged outcome of a unit is that of a
 * decision in the final state. A member that lies can make two decisions of one slot, but no other contradiction. If
 * lists have removed so many members of an earlier one that the others can be missing its decisions, what only the
 * removed members decided is lost, and may be decided again. Source: docs/consistency.md "What a decision guarantees".
 */
import { hasFailedCondition } from "../../client/shared/outcome.js";
import type { EnvelopeAnswer } from "../../daemon/engine/answers/request.js";
import { type Entry, orderKeyOf, writeOrderKey } from "../../daemon/timeline/entries/entry.js";
import { type ByteString, bytesOf } from "../../protocol/byte-string.js";
import { implicitCondition } from "../../protocol/implicit-condition.js";
import { readCertificate } from "../../protocol/members/decision-messages.js";
import type { Reply } from "../../protocol/reply.js";
import { RespReader } from "../../protocol/resp/resp-reader.js";
import { writeReply } from "../../protocol/resp/resp-writer.js";
import { readDecision } from "../../protocol/version-2/decision-body.js";
import { type DecidedOutcome, type Envelope, signedBytes } from "../../protocol/version-2/envelope.js";
import { unitId } from "../../protocol/version-2/unit-names.js";
import { shortId } from "./cast.js";
import { sha256 } from "./signatures.js";

export type Word = DecidedOutcome;

/** A unit of a client's envelope. */
export interface UnitOfEnvelope {
  /** The id of the client's envelope. */
  readonly id: ByteString;
  readonly index: number;
}

/** What the end of a run shows. */
export interface Outcomes {
  /** The ids of the final entries. */
  readonly ids: ReadonlySet<ByteString>;
  /** Whether faults have destroyed an entry, or lists have removed all daemons that have it. */
  readonly isLost: (orderKey: ByteString) => boolean;
}

/** Two decisions of which there should be only one. */
interface Contradiction {
  readonly text: string;
  readonly one: Entry;
  readonly other: Entry;
}

/** The part of the run's ledger in which decisions are recorded. */
interface Recording {
  readonly sent: {
    has(id: ByteString): boolean;
    set(id: ByteString, sent: { entry: Entry; isRead: boolean; outcomes: never[] }): unknown;
  };
  violate(text: string): void;
}

export class DecisionLedger {
  /** Decisions by the ids of the clients' envelopes. An envelope has several only if a member lies. */
  readonly #byEnvelope = new Map<ByteString, Entry[]>();
  readonly #bySlot = new Map<number, Entry>();
  /** The outcomes that daemons have answered, by the ids of the units of the clients' envelopes. */
  readonly #acknowledged = new Map<ByteString, UnitOfEnvelope & { readonly word: Word }>();
  /** The contradictions that a lying member can cause, or the removal of most members. */
  readonly #contradictions: Contradiction[] = [];
  /** The units that were acknowledged with both outcomes, by their ids. */
  readonly #inBothWays = new Map<ByteString, UnitOfEnvelope>();
  /** The daemons that have refused an envelope of their own as not applied, by its id. */
  readonly #refused = new Map<ByteString, string>();
  /** The acknowledged answers to envelopes that were only placed, by the ids of the envelopes. */
  readonly placed = new Map<ByteString, PlacedAnswer>();
  /** The members of each signed list, by its hash. */
  readonly members = new Map<ByteString, readonly ByteString[]>();

  /** The number of acknowledged outcomes. */
  get acknowledged(): number {
    return this.#acknowledged.size;
  }

  /** Whether the members have made contradictory decisions, as one that lies can cause. */
  get isContradictory(): boolean {
    return this.#contradictions.length > 0 || this.#inBothWays.size > 0;
  }

  /** How often the members have decided that a pattern of decided keys has begun. */
  get begun(): number {
    const calls = [...this.#bySlot.values()].flatMap(({ envelope }) => envelope.commands);
    return calls.filter(([, word]) => word === "DECIDED").length;
  }

  /** Returns the acknowledged outcome of a unit, or null if there is none. */
  wordOn({ id, index }: UnitOfEnvelope): Word | null {
    return this.#acknowledged.get(unitId(id, index))?.word ?? null;
  }

  /** Whether the members have decided on a client's envelope. */
  isDecided(id: ByteString): boolean {
    return this.#byEnvelope.has(id);
  }

  /** Returns the decisions on a client's envelope. */
  on(id: ByteString): readonly Entry[] {
    return this.#byEnvelope.get(id) ?? [];
  }

  /** Records the decisions among entries that have become part of a daemon's state. */
  folded(entries: readonly Entry[], ledger: Recording): void {
    for (const entry of entries) {
      const { decided } = entry.envelope;
      if (decided === null || ledger.sent.has(entry.id)) continue;
      ledger.sent.set(entry.id, { entry, isRead: false, outcomes: [] });
      const other = this.#bySlot.get(decided.slot);
      if (other !== undefined) {
        const text = `${shortId(entry.id)} and ${shortId(other.id)} are decisions of slot ${decided.slot}`;
        this.#contradictions.push({ text, one: other, other: entry });
      }
      this.#bySlot.set(decided.slot, entry);
      const { unit } = readDecision(entry.body);
      if (unit === null) continue;
      const id = sha256(signedBytes(unit.body));
      if (!ledger.sent.has(id))
        ledger.violate(`${shortId(entry.id)} decides on an envelope that no client has signed`);
      const [found, expected] = [decided.outcomes.length, unitsOf(entry.envelope)];
      if (found !== expected)
        ledger.violate(`${shortId(entry.id)} has ${found} outcomes for ${expected} units`);
      this.#noteEnvelope(id, entry);
    }
  }

  #noteEnvelope(id: ByteString, decision: Entry): void {
    const decisions = this.on(id);
    this.#byEnvelope.set(id, [...decisions, decision]);
    const text = `${shortId(id)} was decided twice`;
    for (const one of decisions) this.#contradictions.push({ text, one, other: decision });
  }

  /**
   * Records a daemon's answer to an envelope that requests a decision.
   * @returns the outcome of each unit, or null for a unit of which the answer contains none
   */
  answered({ id, envelope }: Entry, answer: EnvelopeAnswer & { readonly kind: "result" }): (Word | null)[] {
    const reader = new RespReader(Buffer.from(answer.replies, "latin1"));
    return Array.from({ length: unitsOf(envelope) }, (_, index) => {
      const word = wordIn(envelope, index, reader.readReply(), reader.readBulk());
      if (word !== null) this.#acknowledge({ id, index }, word);
      return word;
    });
  }

  #acknowledge({ id, index }: UnitOfEnvelope, word: Word): void {
    const unit = unitId(id, index);
    if ((this.#acknowledged.get(unit)?.word ?? word) !== word) this.#inBothWays.set(unit, { id, index });
    this.#acknowledged.set(unit, { id, index, word });
  }

  /** Records the answer to an envelope that was only placed. @returns how it differs from an earlier one, or null */
  answeredPlaced(id: ByteString, replies: readonly Reply[], host: string): string | null {
    const texts = replies.map(shownPlaced);
    const before = this.placed.get(id);
    this.placed.set(id, { texts, host });
    if (before === undefined || before.texts.join() === texts.join()) return null;
    return `${shortId(id)} was answered with ${before.texts} by ${before.host}, and with ${texts} by ${host}`;
  }

  /** Records that a daemon has answered that an envelope that it has signed is never applied. */
  refused(id: ByteString, host: string): void {
    this.#refused.set(id, host);
  }

  /** Returns the refused envelopes that the members have decided to apply. */
  #appliedThough(): string[] {
    return [...this.#refused].flatMap(([id, host]) => {
      const isApplied = this.on(id).some(({ envelope }) => envelope.decided?.outcomes.includes("applied"));
      return isApplied ? [`${host} has refused ${shortId(id)} as not applied, but it was decided`] : [];
    });
  }

  /** Whether the decision that was acknowledged on a unit is lost, so that its effect is missing. */
  isLost({ id, index }: UnitOfEnvelope, outcomes: Outcomes): boolean {
    const [decisions, word] = [this.on(id), this.wordOn({ id, index })];
    const isKept = decisions.some(
      (decision) => outcomes.ids.has(decision.id) && decision.envelope.decided?.outcomes[index] === word,
    );
    return !isKept && decisions.some((decision) => isLostDecision(decision, outcomes));
  }

  /**
   * Returns the acknowledged decisions that the final state contradicts.
   * @param hasLiar  whether a member lies
   */
  broken(outcomes: Outcomes, hasLiar: boolean): string[] {
    const broken = [...this.#acknowledged.values()].flatMap(({ id, index, word }) => {
      const decisions = this.on(id);
      const name = `unit ${index} of ${shortId(id)}`;
      if (decisions.length === 0) return [`${name} was acknowledged, but is not decided`];
      if (this.isLost({ id, index }, outcomes)) return [];
      const found = decisions.filter((decision) => outcomes.ids.has(decision.id));
      if (found.length === 0) return [`the acknowledged decision on ${name} is missing`];
      const isSame = found.some(({ envelope }) => envelope.decided?.outcomes[index] === word);
      return isSame ? [] : [`${name} was acknowledged as ${word}, but is not`];
    });
    const wrong = [...broken, ...this.#appliedThough()];
    return hasLiar ? wrong : [...this.#contradicting(outcomes), ...wrong];
  }

  /** Returns the contradictions that the removal of members does not explain. */
  #contradicting(outcomes: Outcomes): string[] {
    const isExcused = ({ one, other }: Contradiction): boolean =>
      this.#isUnknownTo(one, other, outcomes) || this.#isUnknownTo(other, one, outcomes);
    const inBothWays = [...this.#inBothWays.values()].filter(({ id }) => {
      const decisions = this.on(id);
      const pairs = decisions.flatMap((one) => decisions.map((other) => ({ text: "", one, other })));
      return !pairs.some(isExcused);
    });
    return [
      ...this.#contradictions.filter((found) => !isExcused(found)).map(({ text }) => text),
      ...inBothWays.map(
        ({ id, index }) => `unit ${index} of ${shortId(id)} was acknowledged as applied and as unmet`,
      ),
    ];
  }

  /**
   * Whether a decision is lost with the removed members, and those of the list that made another decision could not
   * know it: too few members of its list had remained for one of them to be in every majority.
   */
  #isUnknownTo(decision: Entry, other: Entry, outcomes: Outcomes): boolean {
    const [members, later] = [this.#electorateOf(decision), this.#electorateOf(other)];
    if (members === null || later === null || !isLostDecision(decision, outcomes)) return false;
    const remaining = members.filter((id) => later.includes(id)).length;
    const majority = Math.floor(members.length / 2) + 1;
    return remaining < members.length - majority + 1;
  }

  /** Returns the members of the list that made a decision, or null if it is not known. */
  #electorateOf({ signature }: Entry): readonly ByteString[] | null {
    return this.members.get(readCertificate(signature)?.ballot.listHash ?? "") ?? null;
  }
}

const isLostDecision = (decision: Entry, { ids, isLost }: Outcomes): boolean =>
  !ids.has(decision.id) && isLost(bytesOf(writeOrderKey(orderKeyOf(decision))));

/** Returns the number of an envelope's outcomes on which members decide: one if it is only placed. */
const unitsOf = ({ multi, if: conditions, commands, decide }: Envelope): number =>
  multi || conditions !== null || !decide ? 1 : commands.length;

/** Returns the outcome of a unit according to a daemon's answer, or null if the answer contains none. */
function wordIn(envelope: Envelope, index: number, reply: Reply, flags: string): Word | null {
  // The key ring may not permit the unit, before or after the decision.
  if (reply.kind === "error" || !flags.split(" ").includes("decided")) return null;
  if (hasFailedCondition(flags)) return "unmet";
  const isPlain = envelope.if === null && !envelope.ifs?.has(index) && !envelope.multi;
  const implicit = isPlain ? implicitCondition(envelope.commands[index] ?? []) : null;
  return implicit !== null && shownReply(reply) === shownReply(implicit.unmet) ? "unmet" : "applied";
}

/** An answer to an envelope that was only placed. */
export interface PlacedAnswer {
  /** The replies to its units, as texts. */
  readonly texts: readonly string[];
  readonly host: string;
}

/** Returns a reply as a text, in which numbers have one form. */
export const shownPlaced = (reply: Reply): string => writeReply(reply);

/** Returns the replies in an answer, and their flags. */
export function repliesIn({ replies, units }: EnvelopeAnswer & { readonly kind: "result" }): {
  readonly replies: readonly Reply[];
  readonly flags: readonly string[];
} {
  const reader = new RespReader(Buffer.from(replies, "latin1"));
  const pairs = Array.from({ length: units }, () => [reader.readReply(), reader.readBulk()] as const);
  return { replies: pairs.map(([reply]) => reply), flags: pairs.map(([, flags]) => flags) };
}

/** Returns the reply of a command with an implicit condition for a comparison. */
const shownReply = (reply: Reply): string =>
  reply.kind === "integer" ? `:${Number(reply.value)}` : reply.kind;
