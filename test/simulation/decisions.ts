/**
 * Checks the decisions of the members: each unit and each slot has one decision, and every acknowledged decision is part
 * of the final state with its outcome. Source: docs/consistency.md "Conditional writes".
 */
import { hasFailedCondition } from "../../client/shared/outcome.js";
import type { EnvelopeAnswer } from "../../engine/answers/request.js";
import { type ByteString, bytesOf } from "../../protocol/byte-string.js";
import { RespReader } from "../../protocol/resp/resp-reader.js";
import { readDecision } from "../../protocol/version-2/decision-body.js";
import { type Decided, signedBytes } from "../../protocol/version-2/envelope.js";
import { type Entry, orderKeyOf, writeOrderKey } from "../../timeline/entries/entry.js";
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
  /** Decisions by the ids of the clients' envelopes. */
  readonly #byUnit = new Map<ByteString, Entry>();
  readonly #bySlot = new Map<number, ByteString>();
  /** The outcomes that daemons have answered, by the ids of the clients' envelopes. */
  readonly #acknowledged = new Map<ByteString, Word>();

  /** The number of acknowledged decisions. */
  get acknowledged(): number {
    return this.#acknowledged.size;
  }

  /** Records the decisions among entries that have become part of a daemon's state. */
  folded(entries: readonly Entry[], ledger: Recording): void {
    for (const entry of entries) {
      const { decided } = entry.envelope;
      if (decided === null || ledger.sent.has(entry.id)) continue;
      ledger.sent.set(entry.id, { entry, isRead: false, outcomes: [] });
      const other = this.#bySlot.get(decided.slot);
      if (other !== undefined)
        ledger.violate(`${shortId(entry.id)} and ${shortId(other)} are decisions of slot ${decided.slot}`);
      this.#bySlot.set(decided.slot, entry.id);
      const { unit } = readDecision(entry.body);
      if (unit === null) continue;
      const id = sha256(signedBytes(unit.body));
      if (this.#byUnit.has(id)) ledger.violate(`${shortId(id)} was decided twice`);
      this.#byUnit.set(id, entry);
    }
  }

  /** Records a daemon's answer to an envelope that requests a decision. */
  answered({ id }: Entry, answer: EnvelopeAnswer & { readonly kind: "result" }, ledger: Recording): void {
    const reader = new RespReader(Buffer.from(answer.replies, "latin1"));
    const reply = reader.readReply();
    const flags = reader.readBulk();
    // The key ring may not permit the unit, before or after the decision.
    if (reply.kind === "error" || !flags.split(" ").includes("decided")) return;
    const word: Word = hasFailedCondition(flags) ? "unmet" : "applied";
    const before = this.#acknowledged.get(id) ?? word;
    if (before !== word) ledger.violate(`${shortId(id)} was acknowledged as ${before} and as ${word}`);
    this.#acknowledged.set(id, word);
  }

  /** Returns the acknowledged decisions that the final state contradicts. @param isLost  whether faults destroyed an entry */
  broken(entries: readonly Entry[], isLost: (orderKey: ByteString) => boolean): string[] {
    const ids = new Set(entries.map(({ id }) => id));
    return [...this.#acknowledged].flatMap(([id, word]) => {
      const decision = this.#byUnit.get(id);
      if (decision === undefined) return [`${shortId(id)} was acknowledged, but is not decided`];
      if (isLost(bytesOf(writeOrderKey(orderKeyOf(decision))))) return [];
      if (!ids.has(decision.id)) return [`the acknowledged decision on ${shortId(id)} is missing`];
      const { outcome } = decision.envelope.decided as Decided;
      return outcome === word ? [] : [`${shortId(id)} was acknowledged as ${word}, but is ${outcome}`];
    });
  }
}
