/**
 * Checks the decisions of the members: each is about a unit that a client has signed, each unit and each slot has one
 * decision, and every acknowledged decision is part of the final state with its outcome. A member that lies can make
 * two decisions of one slot, but no other contradiction. If lists have removed so many members of an earlier one that
 * the others can be missing its decisions, what only the removed members decided is lost, and may be decided again.
 * Source: docs/consistency.md "Conditional writes".
 */
import { hasFailedCondition } from "../../client/shared/outcome.js";
import type { EnvelopeAnswer } from "../../daemon/engine/answers/request.js";
import { type Entry, orderKeyOf, writeOrderKey } from "../../daemon/timeline/entries/entry.js";
import { type ByteString, bytesOf } from "../../protocol/byte-string.js";
import { readCertificate } from "../../protocol/members/decision-messages.js";
import { RespReader } from "../../protocol/resp/resp-reader.js";
import { readDecision } from "../../protocol/version-2/decision-body.js";
import { type DecidedOutcome, signedBytes } from "../../protocol/version-2/envelope.js";
import { shortId } from "./cast.js";
import { sha256 } from "./signatures.js";

type Word = DecidedOutcome;

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
  /** Decisions by the ids of the clients' envelopes. A unit has several only if a member lies. */
  readonly #byUnit = new Map<ByteString, Entry[]>();
  readonly #bySlot = new Map<number, Entry>();
  /** The outcomes that daemons have answered, by the ids of the clients' envelopes. */
  readonly #acknowledged = new Map<ByteString, Word>();
  /** The contradictions that a lying member can cause, or the removal of most members. */
  readonly #contradictions: Contradiction[] = [];
  /** The ids of the clients' envelopes that were acknowledged with both outcomes. */
  readonly #inBothWays = new Set<ByteString>();
  /** The members of each signed list, by its hash. */
  readonly members = new Map<ByteString, readonly ByteString[]>();

  /** The number of acknowledged decisions. */
  get acknowledged(): number {
    return this.#acknowledged.size;
  }

  /** Whether the members have made contradictory decisions, as one that lies can cause. */
  get isContradictory(): boolean {
    return this.#contradictions.length > 0 || this.#inBothWays.size > 0;
  }

  /** Returns the acknowledged outcome of a client's envelope, or null if there is none. */
  wordOn(id: ByteString): Word | null {
    return this.#acknowledged.get(id) ?? null;
  }

  /** Whether the members have decided on a client's envelope. */
  isDecided(id: ByteString): boolean {
    return this.#byUnit.has(id);
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
        ledger.violate(`${shortId(entry.id)} decides on a unit that no client has signed`);
      this.#noteUnit(id, entry);
    }
  }

  #noteUnit(id: ByteString, decision: Entry): void {
    const decisions = this.#byUnit.get(id) ?? [];
    this.#byUnit.set(id, [...decisions, decision]);
    const text = `${shortId(id)} was decided twice`;
    for (const one of decisions) this.#contradictions.push({ text, one, other: decision });
  }

  /**
   * Records a daemon's answer to an envelope that requests a decision.
   * @returns the outcome, or null if the answer contains none
   */
  answered({ id, envelope }: Entry, answer: EnvelopeAnswer & { readonly kind: "result" }): Word | null {
    const reader = new RespReader(Buffer.from(answer.replies, "latin1"));
    const reply = reader.readReply();
    const flags = reader.readBulk();
    // The key ring may not permit the unit, before or after the decision.
    if (reply.kind === "error" || !flags.split(" ").includes("decided")) return null;
    // The reply of SET NX shows whether the key was absent.
    const isUnmet = hasFailedCondition(flags) || (envelope.if === null && reply.kind === "nil");
    const word: Word = isUnmet ? "unmet" : "applied";
    if ((this.#acknowledged.get(id) ?? word) !== word) this.#inBothWays.add(id);
    this.#acknowledged.set(id, word);
    return word;
  }

  /** Whether the decision that was acknowledged on a client's envelope is lost, so that its effect is missing. */
  isLost(id: ByteString, outcomes: Outcomes): boolean {
    const [decisions, word] = [this.#byUnit.get(id) ?? [], this.#acknowledged.get(id)];
    const isKept = decisions.some(
      (decision) => outcomes.ids.has(decision.id) && decision.envelope.decided?.outcomes[0] === word,
    );
    return !isKept && decisions.some((decision) => isLostDecision(decision, outcomes));
  }

  /**
   * Returns the acknowledged decisions that the final state contradicts.
   * @param hasLiar  whether a member lies
   */
  broken(outcomes: Outcomes, hasLiar: boolean): string[] {
    const broken = [...this.#acknowledged].flatMap(([id, word]) => {
      const decisions = this.#byUnit.get(id) ?? [];
      if (decisions.length === 0) return [`${shortId(id)} was acknowledged, but is not decided`];
      if (this.isLost(id, outcomes)) return [];
      const found = decisions.filter((decision) => outcomes.ids.has(decision.id));
      if (found.length === 0) return [`the acknowledged decision on ${shortId(id)} is missing`];
      const isSame = found.some(({ envelope }) => envelope.decided?.outcomes[0] === word);
      return isSame ? [] : [`${shortId(id)} was acknowledged as ${word}, but is not`];
    });
    return hasLiar ? broken : [...this.#contradicting(outcomes), ...broken];
  }

  /** Returns the contradictions that the removal of members does not explain. */
  #contradicting(outcomes: Outcomes): string[] {
    const isExcused = ({ one, other }: Contradiction): boolean =>
      this.#isUnknownTo(one, other, outcomes) || this.#isUnknownTo(other, one, outcomes);
    const inBothWays = [...this.#inBothWays].filter((id) => {
      const decisions = this.#byUnit.get(id) ?? [];
      const pairs = decisions.flatMap((one) => decisions.map((other) => ({ text: "", one, other })));
      return !pairs.some(isExcused);
    });
    return [
      ...this.#contradictions.filter((found) => !isExcused(found)).map(({ text }) => text),
      ...inBothWays.map((id) => `${shortId(id)} was acknowledged as applied and as unmet`),
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
