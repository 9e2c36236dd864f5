/**
 * The void units of a fold: writes to decided keys on which the members have not decided. Whether a unit is void may
 * change until its date is final; then it becomes a dead letter. Source: docs/decisions/0081-decided-keys.md.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { OrderKey } from "../entries/entry.js";
import type { FoldUnit } from "./fold-unit.js";

/** The void units of an entry. */
export interface VoidEntry {
  readonly orderKey: OrderKey;
  /** The indexes of the first commands of these units, in ascending order. */
  readonly units: readonly number[];
}

interface Found {
  readonly orderKey: OrderKey;
  readonly units: Set<number>;
}

export class VoidUnits {
  /** By the ids of the entries. */
  readonly #entries = new Map<ByteString, Found>();
  readonly #baseAt: number;

  /** @param baseAt  the date of the state from which the fold begins */
  constructor(baseAt: number) {
    this.#baseAt = baseAt;
  }

  /** Adds a unit that was just applied. */
  add({ orderKey, index }: FoldUnit): void {
    this.#add(orderKey, [index]);
  }

  /** Forgets a unit, void or not, that is undone. */
  forgetUnit({ entryId, index }: FoldUnit): void {
    const found = this.#entries.get(entryId);
    if (found?.units.delete(index) && found.units.size === 0) this.#entries.delete(entryId);
  }

  /** The date of the first void unit; infinity: there is none. */
  get firstAt(): number {
    let first = Number.POSITIVE_INFINITY;
    for (const { orderKey } of this.#entries.values()) first = Math.min(first, orderKey.at);
    return first;
  }

  /** Returns the entries with void units that are dated at or before a date. */
  upTo(at: number): readonly VoidEntry[] {
    const found = [...this.#entries.values()].filter(({ orderKey }) => orderKey.at <= at);
    return found.map(({ orderKey, units }) => ({ orderKey, units: [...units].sort((a, b) => a - b) }));
  }

  /** Forgets the void units that are dated at or before a date. */
  drop(at: number): void {
    for (const [id, { orderKey }] of this.#entries) if (orderKey.at <= at) this.#entries.delete(id);
  }

  /** Adds those of another fold that are part of the state from which this fold begins. */
  inherit(other: VoidUnits): void {
    for (const { orderKey, units } of other.upTo(this.#baseAt)) this.#add(orderKey, units);
  }

  #add(orderKey: OrderKey, units: readonly number[]): void {
    const found = this.#entries.get(orderKey.id) ?? { orderKey, units: new Set() };
    for (const unit of units) found.units.add(unit);
    this.#entries.set(orderKey.id, found);
  }
}
