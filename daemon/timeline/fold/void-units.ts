/**
 * Void units: writes to decided keys on which the members have not decided. They have no effect, although a client may
 * have received another answer. Source: docs/decisions/0081-decided-keys.md.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { error } from "../../../protocol/reply.js";
import type { DecidedPatterns } from "../../store/rights/decided-patterns.js";
import type { OrderKey } from "../entries/entry.js";
import type { FoldUnit, UnitAnswer } from "./fold-unit.js";

/** The answer of a void unit whose signer was permitted to run it. */
export const VOID = error(
  "NOPERM this write is void: the members decide on its keys, and have not decided on it (CLUSTER DECIDE)",
);

/**
 * Whether a unit writes a decided key without a decision. Daemons send no such unit: this one is from before a folder
 * was restored, or from a member that lies.
 */
export function isVoid({ envelope, commands, table }: FoldUnit, { begun }: DecidedPatterns): boolean {
  if (begun.isEmpty || envelope.decided !== null) return false;
  return begun.findIn({ commands, db: envelope.db }, { table }) !== null;
}

export const isVoidAnswer = ({ reply }: UnitAnswer): boolean => reply === VOID;

/** The maximum number of entries and units that a fold knows, each counted as one: about 30 MB. */
const SIZE_MAX = 200_000;
/** What remains when there is no room: forgetting them one by one would take long. */
const SIZE_KEPT = 180_000;

/** The void units of an entry. */
export interface VoidEntry {
  readonly orderKey: OrderKey;
  /** The indexes of the first commands of these units, in ascending order. */
  readonly units: readonly number[];
}

/** The void units of a fold. If there is no room, it forgets those that it found first. */
export class VoidUnits {
  /** A date before which there are no void units; milliseconds since 1970. Infinity: there are none. */
  firstAt = Number.POSITIVE_INFINITY;
  /** The latest date of an entry that was forgotten because there was no room. */
  forgottenTo = Number.NEGATIVE_INFINITY;
  /** By the ids of the entries. */
  readonly #entries = new Map<ByteString, { readonly orderKey: OrderKey; readonly units: Set<number> }>();
  #size = 0;

  /** Adds a unit that was just applied. */
  add({ orderKey, index }: FoldUnit): void {
    const known = this.#entries.get(orderKey.id);
    const units = known?.units ?? new Set();
    this.#size += (known === undefined ? 1 : 0) + (units.has(index) ? 0 : 1);
    units.add(index);
    if (known === undefined) this.#entries.set(orderKey.id, { orderKey, units });
    this.firstAt = Math.min(this.firstAt, orderKey.at);

    if (this.#size <= SIZE_MAX) return;
    for (const [id, { orderKey: first }] of this.#entries) {
      if (this.#size <= SIZE_KEPT) break;
      this.forgottenTo = Math.max(this.forgottenTo, first.at);
      this.#delete(id);
    }
  }

  /** Removes a unit, void or not, that is undone. */
  remove({ entryId, index }: FoldUnit): void {
    const units = this.#entries.get(entryId)?.units;
    if (units === undefined || !units.delete(index)) return;
    this.#size--;
    if (units.size === 0) this.#delete(entryId);
  }

  /** Yields the entries with void units that are dated at or before a date. */
  *upTo(at: number): Generator<VoidEntry> {
    for (const { orderKey, units } of this.#entries.values())
      if (orderKey.at <= at) yield { orderKey, units: [...units].sort((a, b) => a - b) };
  }

  /** Removes the void units that are dated at or before a date. */
  drop(at: number): void {
    if (this.firstAt > at) return;
    // Entries that were forgotten are found again by a fold that begins before them.
    this.firstAt = this.forgottenTo > at ? at + 1 : Number.POSITIVE_INFINITY;
    for (const [id, { orderKey }] of this.#entries)
      if (orderKey.at <= at) this.#delete(id);
      else this.firstAt = Math.min(this.firstAt, orderKey.at);
  }

  #delete(id: ByteString): void {
    this.#size -= 1 + (this.#entries.get(id)?.units.size ?? 0);
    this.#entries.delete(id);
  }
}
