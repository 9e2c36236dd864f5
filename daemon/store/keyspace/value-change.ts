/**
 * The undo record of a change to a value of a face. The basic types have records of their own in undo.ts; a face has only a
 * table of inverses, beside its mutators.
 */

/** Approximate bytes of an element of a list, of a member of a set, or of a field of a hash. */
export const ELEMENT_BYTES = 64;
export const ARRAY_SLOT_BYTES = 8;

/** How one kind of change is undone. */
export interface Inverse<Changed = unknown, Old = unknown> {
  /** Restores a value, or a part of it, from what its mutator recorded. */
  undo(changed: Changed, old: Old): void;
  /** Returns the approximate bytes that the recorded data keeps in memory. */
  bytes(old: Old): number;
}

/** The `bytes` of an inverse that records no old data. */
export const NO_BYTES = (): number => 0;

export class ValueChange<Changed = unknown, Old = unknown> {
  readonly mutator = "value";
  readonly inverse: Inverse<Changed, Old>;
  readonly changed: Changed;
  readonly old: Old;

  constructor(inverse: Inverse<Changed, Old>, changed: Changed, old: Old) {
    this.inverse = inverse;
    this.changed = changed;
    this.old = old;
  }

  undo(): void {
    this.inverse.undo(this.changed, this.old);
  }

  get bytes(): number {
    return this.inverse.bytes(this.old);
  }

  /** Whether this is a change of the given kind. */
  isOf<OfChanged, OfOld>(inverse: Inverse<OfChanged, OfOld>): this is ValueChange<OfChanged, OfOld> {
    return (this.inverse as Inverse) === (inverse as Inverse);
  }
}
