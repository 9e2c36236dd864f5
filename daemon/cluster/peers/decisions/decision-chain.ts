/**
 * The decisions that are part of the state, but follow one that is not known to be. A decision covers the earlier ones
 * only if that of each slot since the last known decision is part of the state, or was removed from the log. An entry
 * names the position of the previous decision, so that those of before a restart are found without a search. What is
 * stored here grows with the number of gaps, not with that of decisions.
 */
import type { LastDecision } from "../../../../protocol/members/decision-messages.js";
import { SLOT_MAX } from "../../../../protocol/version-2/decision-body.js";
import type { OrderKey } from "../../../timeline/entries/entry.js";
import type { DecisionPorts, FoldedDecision } from "./decision-types.js";

/** The maximum difference between the dates of two decisions of a proposal, which has few positions in a row. */
const PROPOSAL_MS_MAX = 1;
/** The maximum number of entries that one call reads. Later calls read the next ones. */
const READS_MAX = 128;

/** The decisions of consecutive slots, which are all part of the state. */
interface Run {
  first: number;
  /** The position of the decision before the first one. */
  previous: OrderKey | null;
  top: LastDecision;
  /** The slot of the last decision of the proposal of `top`. */
  endSlot: number;
  /** The latest of them that is the last one of its proposal; null: none is. */
  end: LastDecision | null;
}

type ChainPorts = Pick<DecisionPorts, "findDecision" | "prunedTo">;

export class DecisionChain {
  readonly #ports: ChainPorts;
  /** In the order of their slots. */
  readonly #runs: Run[] = [];
  /** The latest date of the decisions that the last call of `advance` missed; null: it has missed none. */
  missingUpTo: number | null = null;

  constructor(ports: ChainPorts) {
    this.#ports = ports;
  }

  /**
   * Whether decisions after the last one are part of the state, but earlier ones, or further ones of the same proposal,
   * are missing. All slots up to these are decided, so that no other proposal can be made in them.
   */
  get isIncomplete(): boolean {
    return this.#runs.length > 0;
  }

  /** Whether a decision after the last one, and each one between them, is part of the state. */
  continues(last: LastDecision, slot: number): boolean {
    const [first] = this.#runs;
    return first !== undefined && first.first <= last.slot + 1 && slot <= first.top.slot;
  }

  /** Adds a decision that is part of the state. */
  add(decision: FoldedDecision, orderKey: OrderKey): void {
    const { slot, previous, list, endSlot } = decision;
    const at = this.#runAfter(slot);
    const [before, after] = [this.#runs[at - 1], this.#runs[at]];
    if (before !== undefined && slot <= before.top.slot) return;

    const { at: date, seq, id } = orderKey;
    const top: LastDecision = { slot, list, orderKey: { at: date, seq, id } };
    const end = slot === endSlot ? top : null;
    const followsRun = before?.top.slot === slot - 1;
    const precedesRun = after?.first === slot + 1;
    if (followsRun && precedesRun) {
      before.top = after.top;
      before.endSlot = after.endSlot;
      before.end = after.end ?? end ?? before.end;
      this.#runs.splice(at, 1);
    } else if (followsRun) {
      before.top = top;
      before.endSlot = endSlot;
      before.end = end ?? before.end;
    } else if (precedesRun) Object.assign(after, { first: slot, previous, end: after.end ?? end });
    else this.#runs.splice(at, 0, { first: slot, previous, top, endSlot, end });
  }

  /**
   * Returns the last decision of a proposal up to which all are known to be part of the state. Members vote for the
   * decisions of a proposal together, so no other proposal can begin between them.
   * @param last  the last one so far
   * @param known  a decision that another member has; null: none
   */
  advance(last: LastDecision, known: LastDecision | null): LastDecision {
    let found = last;
    this.missingUpTo = null;
    if (known !== null && known.slot > last.slot && known.orderKey !== null) {
      // The number of the list is not known to be right. With an earlier one, more members have to promise.
      if (this.#isRemoved(known.slot, known.orderKey, last)) found = { ...known, list: last.list };
      else if (!this.#contains(known.slot)) this.#addIfFolded(known.slot, known.orderKey);
    }

    for (let reads = 0; ; ) {
      while ((this.#runs[0]?.top.slot ?? Number.POSITIVE_INFINITY) <= found.slot) this.#runs.shift();
      // If the last decisions of a proposal are missing, the first run ends within it, and the next run follows.
      const [first, second] = this.#runs;
      if (first === undefined) return found;
      const isNext = first.first <= found.slot + 1 || this.#isRemoved(first.first - 1, first.previous, found);
      if (isNext && first.end !== null && first.end.slot > found.slot) {
        found = first.end;
        continue;
      }
      const gap = isNext ? second : first;
      if (gap === undefined) {
        this.missingUpTo = (first.top.orderKey?.at ?? 0) + PROPOSAL_MS_MAX;
        return found;
      }

      if (gap.previous === null || reads++ === READS_MAX) return found;
      if (!this.#addIfFolded(gap.first - 1, gap.previous)) {
        this.missingUpTo = gap.previous.at;
        return found;
      }
    }
  }

  /** Returns the last decision if those that the last call of `advance` missed are lost. */
  skip(last: LastDecision): LastDecision {
    const run = this.#runs.find(({ first }) => first > last.slot + 1);
    if (run !== undefined) return { slot: run.first - 1, orderKey: run.previous, list: last.list };
    const rest = this.#runs.at(-1);
    // The next proposal does not begin in a slot that was decided.
    return rest === undefined ? last : { ...rest.top, slot: rest.endSlot };
  }

  /** Whether two positions are of decisions that were removed, so that neither can be compared with its entry. */
  areRemoved(one: OrderKey | null, other: OrderKey | null): boolean {
    return Math.max(one?.at ?? 0, other?.at ?? 0) <= this.#ports.prunedTo();
  }

  /**
   * Whether a decision was removed, so that its entry cannot be checked. This is plausible only if the last known one
   * was, too. A liar may have invented it: it leaves slots for all later decisions.
   */
  #isRemoved(slot: number, orderKey: OrderKey | null, last: LastDecision): boolean {
    return orderKey !== null && slot < SLOT_MAX / 2 && this.areRemoved(orderKey, last.orderKey);
  }

  #addIfFolded(slot: number, orderKey: OrderKey): boolean {
    const decision = this.#ports.findDecision(orderKey);
    if (decision?.slot !== slot) return false;
    this.add(decision, orderKey);
    return true;
  }

  #contains(slot: number): boolean {
    const before = this.#runs[this.#runAfter(slot) - 1];
    return before !== undefined && slot <= before.top.slot;
  }

  /** Returns the index of the first run that begins after a slot. */
  #runAfter(slot: number): number {
    let [low, high] = [0, this.#runs.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#runs[middle] as Run).first <= slot) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
