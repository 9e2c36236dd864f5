/**
 * Checks the decisions of the members: each is about a unit that a client has signed, each unit and each slot has one
 * decision, and every acknowledged decision is part of the final state with its outcome. A member that lies can make two
 * decisions of one slot, but no other contradiction. Source: docs/consistency.md "Conditional writes".
 */
import { hasFailedCondition } from "../../client/shared/outcome.js";
import type { EnvelopeAnswer } from "../../daemon/engine/answers/request.js";
import { type Entry, orderKeyOf, writeOrderKey } from "../../daemon/timeline/entries/entry.js";
import { type ByteString, bytesOf } from "../../protocol/byte-string.js";
import { RespReader } from "../../protocol/resp/resp-reader.js";
import { readDecision } from "../../protocol/version-2/decision-body.js";
import { type Decided, signedBytes } from "../../protocol/version-2/envelope.js";
import { sha256, shortId } from "./cast.js";

type Word = Decided["outcome"];

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
  readonly #bySlot = new Map<number, ByteString>();
  /** The outcomes that daemons have answered, by the ids of the clients' envelopes. */
  readonly #acknowledged = new Map<ByteString, Word>();
  /** The contradictions that a lying member can cause. */
  readonly #contradictions: string[] = [];

  /** The number of acknowledged decisions. */
  get acknowledged(): number {
    return this.#acknowledged.size;
  }

  /** Whether the members have made contradictory decisions, as one that lies can cause. */
  get isContradictory(): boolean {
    return this.#contradictions.length > 0;
  }

  /** Returns the acknowledged outcome of a client's envelope, or null if there is none. */
  wordOn(id: ByteString): Word | null {
    return this.#acknowledged.get(id) ?? null;
  }

  /** Records the decisions among entries that have become part of a daemon's state. */
  folded(entries: readonly Entry[], ledger: Recording): void {
    for (const entry of entries) {
      const { decided } = entry.envelope;
      if (decided === null || ledger.sent.has(entry.id)) continue;
      ledger.sent.set(entry.id, { entry, isRead: false, outcomes: [] });
      const other = this.#bySlot.get(decided.slot);
      if (other !== undefined)
        this.#contradictions.push(
          `${shortId(entry.id)} and ${shortId(other)} are decisions of slot ${decided.slot}`,
        );
      this.#bySlot.set(decided.slot, entry.id);
      const { unit } = readDecision(entry.body);
      if (unit === null) continue;
      const id = sha256(signedBytes(unit.body));
      if (!ledger.sent.has(id))
        ledger.violate(`${shortId(entry.id)} decides on a unit that no client has signed`);
      this.#noteUnit(id, entry);
    }
  }

  #noteUnit(id: ByteString, decision: Entry): void {
    const decisions = this.#byUnit.get(id);
    if (decisions === undefined) this.#byUnit.set(id, [decision]);
    else {
      decisions.push(decision);
      this.#contradictions.push(`${shortId(id)} was decided twice`);
    }
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
    const before = this.#acknowledged.get(id) ?? word;
    if (before !== word)
      this.#contradictions.push(`${shortId(id)} was acknowledged as ${before} and as ${word}`);
    this.#acknowledged.set(id, word);
    return word;
  }

  /**
   * Returns the acknowledged decisions that the final state contradicts.
   * @param isLost  whether faults destroyed an entry
   * @param hasLiar  whether a member lies
   */
  broken(
    entries: readonly Entry[],
    { isLost, hasLiar }: { isLost: (orderKey: ByteString) => boolean; hasLiar: boolean },
  ): string[] {
    const ids = new Set(entries.map(({ id }) => id));
    const broken = [...this.#acknowledged].flatMap(([id, word]) => {
      const decisions = this.#byUnit.get(id) ?? [];
      if (decisions.length === 0) return [`${shortId(id)} was acknowledged, but is not decided`];
      if (decisions.some((decision) => isLost(bytesOf(writeOrderKey(orderKeyOf(decision)))))) return [];
      const found = decisions.filter((decision) => ids.has(decision.id));
      if (found.length === 0) return [`the acknowledged decision on ${shortId(id)} is missing`];
      const isSame = found.some(({ envelope }) => envelope.decided?.outcome === word);
      return isSame ? [] : [`${shortId(id)} was acknowledged as ${word}, but is not`];
    });
    return hasLiar ? broken : [...this.#contradictions, ...broken];
  }
}
