/** Units of which the earliest is taken out first: a binary heap. */
import { compareUnits, type FoldUnit } from "./unit.js";

export class UnitHeap {
  readonly #units: FoldUnit[] = [];

  get first(): FoldUnit | null {
    return this.#units[0] ?? null;
  }

  push(unit: FoldUnit): void {
    const units = this.#units;
    let at = units.length;
    units.push(unit);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (compareUnits(units[parent] as FoldUnit, unit) <= 0) break;
      units[at] = units[parent] as FoldUnit;
      at = parent;
    }
    units[at] = unit;
  }

  /** Takes out the first; there must be one. */
  shift(): FoldUnit {
    const units = this.#units;
    const first = units[0] as FoldUnit;
    const last = units.pop() as FoldUnit;
    if (units.length > 0) this.#sink(last);
    return first;
  }

  #sink(unit: FoldUnit): void {
    const units = this.#units;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= units.length) break;
      if (
        child + 1 < units.length &&
        compareUnits(units[child + 1] as FoldUnit, units[child] as FoldUnit) < 0
      )
        child++;
      if (compareUnits(units[child] as FoldUnit, unit) >= 0) break;
      units[at] = units[child] as FoldUnit;
      at = child;
    }
    units[at] = unit;
  }
}
