/** The accumulators of $group. Source: MongoDB's manual, "Accumulators". */
import { type Bson, Int32 } from "../values/bson.js";
import { type BsonNumber, decimalParts, doubleOf, exactParts, isNumber } from "../values/bson-numbers.js";
import { Decimal, type DecimalValue, decimalOf, decimalQuotient, decimalSum } from "../values/decimal.js";
import { type CommandCost, produce } from "./command-cost.js";
import { compareCounted, keyCounted } from "./value-size.js";

export interface Accumulator {
  /** @param value undefined if the document has no value */
  add(value: Bson | undefined): void;
  result(): Bson | undefined;
}

/** Begins to accumulate. */
export type Start = (work: CommandCost) => Accumulator;

/** Cost in steps of adding a decimal. */
const DECIMAL_STEPS = 40;
/** Number of digits in a decimal. */
const DECIMAL_DIGITS = 34;

/**
 * A sum of numbers of all kinds. Integers are added exactly, doubles with compensation for the rounding error of each
 * addition, and decimals as decimals.
 */
class Sum {
  count = 0;
  #integers = 0n;
  #hasLong = false;
  #hasDouble = false;
  #double = 0;
  #lost = 0;
  #decimal: DecimalValue | null = null;
  readonly #work: CommandCost;

  constructor(work: CommandCost) {
    this.#work = work;
  }

  add(value: BsonNumber): void {
    this.count++;
    if (value instanceof Decimal) {
      this.#work.effort.countSteps(DECIMAL_STEPS);
      this.#decimal = decimalOf(decimalSum(this.#decimal ?? ZERO, value.parts)).parts;
    } else if (value instanceof Int32) this.#integers += BigInt(value.value);
    else if (typeof value === "bigint") {
      this.#hasLong = true;
      this.#integers += value;
    } else this.#addDouble(doubleOf(value));
  }

  #addDouble(value: number): void {
    this.#hasDouble = true;
    const sum = this.#double + value;
    // Adds the rounding error of this addition, whichever of the two numbers is larger.
    if (Number.isFinite(sum)) {
      const part = sum - this.#double;
      this.#lost += this.#double - (sum - part) + (value - part);
    }
    this.#double = sum;
  }

  /** The sum of the integers and the doubles, as a double. */
  get double(): number {
    const near = Number(this.#integers);
    const remainder = Number(this.#integers - BigInt(near));
    const sum = this.#double + near;
    if (!Number.isFinite(sum)) return sum;
    const part = sum - this.#double;
    const lost = this.#double - (sum - part) + (near - part);
    return sum + (this.#lost + lost + remainder);
  }

  get decimal(): DecimalValue | null {
    if (this.#decimal === null) return null;
    const integers = exactParts(this.#integers);
    const others = this.#hasDouble
      ? decimalSum(decimalParts(this.#double, DECIMAL_DIGITS), decimalParts(this.#lost, DECIMAL_DIGITS))
      : ZERO;
    return decimalSum(decimalSum(this.#decimal, integers), others);
  }

  result(): BsonNumber {
    const { decimal } = this;
    if (decimal !== null) return decimalOf(decimal);
    if (this.#hasDouble || BigInt.asIntN(64, this.#integers) !== this.#integers) return this.double;
    if (this.#hasLong || BigInt.asIntN(32, this.#integers) !== this.#integers) return this.#integers;
    return new Int32(Number(this.#integers));
  }
}

const ZERO: DecimalValue = { isNegative: false, coefficient: 0n, exponent: 0 };

function sum(work: CommandCost): Accumulator {
  const total = new Sum(work);
  return {
    add: (value) => {
      if (isNumber(value)) total.add(value);
    },
    result: () => total.result(),
  };
}

function average(work: CommandCost): Accumulator {
  const total = new Sum(work);
  return {
    add: (value) => {
      if (isNumber(value)) total.add(value);
    },
    result: () => {
      if (total.count === 0) return null;
      const { decimal } = total;
      return decimal === null
        ? doubleOf(total.double) / total.count
        : decimalOf(decimalQuotient(decimal, BigInt(total.count)));
    },
  };
}

/** Returns an accumulator of the extreme value; missing values and null are ignored. */
const extreme =
  (isBetter: (order: number) => boolean) =>
  (work: CommandCost): Accumulator => {
    let best: Bson | undefined;
    return {
      add: (value) => {
        if (value === undefined || value === null) return;
        if (best === undefined || isBetter(compareCounted(value, best, work))) best = value;
      },
      result: () => best,
    };
  };

function first(): Accumulator {
  let isFirst = true;
  let result: Bson | undefined;
  return {
    add: (value) => {
      if (isFirst) result = value;
      isFirst = false;
    },
    result: () => result,
  };
}

function last(): Accumulator {
  let result: Bson | undefined;
  return {
    add: (value) => {
      result = value;
    },
    result: () => result,
  };
}

function all(work: CommandCost): Accumulator {
  const values: Bson[] = [];
  return {
    add: (value) => {
      if (value === undefined) return;
      produce(work, 1);
      values.push(value);
    },
    result: () => values,
  };
}

function different(work: CommandCost): Accumulator {
  const values = new Map<string, Bson>();
  return {
    add: (value) => {
      if (value === undefined) return;
      const key = keyCounted(value, work);
      if (values.has(key)) return;
      produce(work, 1, key.length);
      values.set(key, value);
    },
    result: () => [...values.values()],
  };
}

export const ACCUMULATORS: ReadonlyMap<string, Start> = new Map<string, Start>([
  ["$sum", sum],
  ["$avg", average],
  ["$min", extreme((order) => order < 0)],
  ["$max", extreme((order) => order > 0)],
  ["$first", first],
  ["$last", last],
  ["$push", all],
  ["$addToSet", different],
]);
