/**
 * Tests the checker of histories: it agrees with a search of all orders, accepts histories of a register that changes
 * at one moment for each operation, and refuses these when an answer is false.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { amount } from "../../support/amount.js";
import { seed } from "../../support/seed.js";
import { SeededRandom } from "../../support/seeded-random.js";
import type * as checker from "./checker.js";
import { findViolation, type Value } from "./checker.js";

/** The effects and operations of a register, which name the values before and after. */
type Effect = Exclude<checker.Effect, { readonly kind: "step" }>;
type Operation = checker.Operation & { readonly effect: Effect };

const RUNS = amount(500, 20_000);
const VALUES: readonly Value[] = [null, "a", "b", "c"];

/** Returns whether an order explains a history, by trying all orders and all subsets of the unknown outcomes. */
function isExplained(rest: readonly Operation[], value: Value): boolean {
  if (rest.every(({ answeredAt }) => answeredAt === null)) return true;
  return rest.some((one) => {
    const { effect, invokedAt } = one;
    const isFirst = rest.every(({ answeredAt }) => answeredAt === null || answeredAt > invokedAt);
    const isHeld =
      effect.kind === "read"
        ? effect.value === value
        : (effect.from === value) === (effect.kind === "change");
    if (!isFirst || !isHeld) return false;
    return isExplained(
      rest.filter((other) => other !== one),
      effect.kind === "change" ? effect.to : value,
    );
  });
}

/** Returns an operation whose effect is described by a function. */
function asStep({ effect, ...operation }: Operation): checker.Operation {
  const isPossible = (value: Value) =>
    effect.kind === "read" ? effect.value === value : (effect.from === value) === (effect.kind === "change");
  const next = (value: Value) => (isPossible(value) ? [effect.kind === "change" ? effect.to : value] : []);
  return { ...operation, effect: { kind: "step", text: JSON.stringify(effect), next } };
}

const anyValue = fc.constantFrom(...VALUES);
const anyEffect: fc.Arbitrary<Effect> = fc.oneof(
  fc.record({ kind: fc.constant("read" as const), value: anyValue }),
  fc.record({ kind: fc.constant("unmet" as const), from: anyValue }),
  fc.record({ kind: fc.constant("change" as const), from: anyValue, to: anyValue }),
);

/** A history of a few operations with any effects at any moments, most of which is not linearizable. */
const anyHistory: fc.Arbitrary<Operation[]> = fc
  .array(fc.tuple(anyEffect, fc.nat(30), fc.integer({ min: 1, max: 12 }), fc.boolean()), { maxLength: 7 })
  .map((drawn) =>
    drawn.map(([effect, start, lasts, isOpen], index) => {
      // No two moments are equal.
      const invokedAt = start * 20 + 2 * index;
      const isUnknown = isOpen && effect.kind === "change";
      return {
        name: String(index),
        effect,
        invokedAt,
        answeredAt: isUnknown ? null : invokedAt + lasts * 20 + 1,
      };
    }),
  );

test("the checker finds a violation if no order of the operations explains their answers", () => {
  let violations = 0;
  let count = 0;
  fc.assert(
    fc.property(anyHistory, (history) => {
      const isRight = isExplained(history, null);
      count++;
      if (!isRight) violations++;
      assert.equal(findViolation(history) === null, isRight);
      assert.equal(findViolation(history.map(asStep)) === null, isRight);
    }),
    { seed: seed(), numRuns: RUNS },
  );
  assert.ok(
    violations > count / 20 && violations < (count * 19) / 20,
    `${violations} of ${count} are violations`,
  );
});

/** An operation of a good history, with the moment of its effect; null: none. */
interface Made extends Operation {
  readonly happensAt: number | null;
}

const MOMENTS = 10_000;

/**
 * Makes the history of a register of which each operation takes effect at one moment. Each value is written once, and
 * some changes remove it.
 */
function makeHistory(random: SeededRandom, count: number): Made[] {
  const history: Made[] = [];
  let value: Value = null;

  // The moments of the effects are 100 apart, so several operations overlap, and none has the same moment as another.
  for (let number = 0; number < count; number++) {
    const happensAt = MOMENTS + number * 100;
    const invokedAt = happensAt - 1 - random.below(4) * 97 - random.below(40);
    const answeredAt = happensAt + 1 + random.below(4) * 89 + random.below(40);

    const name = `operation ${number}`;
    const isUnknown = random.chance(0.15);
    const to: Value = value !== null && random.chance(0.3) ? null : `value ${number}`;

    const kind = random.below(4);
    if (kind === 0) history.push({ name, effect: { kind: "read", value }, invokedAt, answeredAt, happensAt });
    else if (kind === 1) {
      // Another client has changed the key since this one has read it, or the outcome is unknown and never a change.
      const from = `old value ${number}`;
      const effect: Effect = isUnknown ? { kind: "change", from, to } : { kind: "unmet", from };
      history.push({ name, effect, invokedAt, answeredAt: isUnknown ? null : answeredAt, happensAt: null });
    } else {
      const effect: Effect = { kind: "change", from: value, to };
      history.push({ name, effect, invokedAt, answeredAt: isUnknown ? null : answeredAt, happensAt });
      value = to;
    }
  }

  const last = MOMENTS + count * 100;
  const read = { invokedAt: last + 1000, answeredAt: last + 1001, happensAt: last + 1000 };
  return [...history, { name: "the last read", effect: { kind: "read", value }, ...read }];
}

type Change = Made & { readonly effect: Effect & { kind: "change" }; readonly answeredAt: number };

/** The changes with an answer. @param isHeld  which of them */
const changesOf = (history: readonly Made[], isHeld: (change: Change) => boolean): Change[] =>
  history.filter(
    (one): one is Change => one.effect.kind === "change" && one.answeredAt !== null && isHeld(one as Change),
  );

/** Returns a history with one false answer, or null if it has no operation of this kind. */
type Falsify = (history: readonly Made[], random: SeededRandom) => readonly Operation[] | null;

const FALSE_ANSWERS: Readonly<Record<string, Falsify>> = {
  "two changes of one value are acknowledged": (history, random) => {
    const changes = changesOf(history, ({ effect: { from } }) => from !== null);
    if (changes.length === 0) return null;
    const { effect, invokedAt, answeredAt } = random.oneOf(changes);
    const second = { ...effect, to: random.chance(0.5) ? "another value" : effect.to };
    return [
      ...history,
      { name: "a second change", effect: second, invokedAt: invokedAt + 0.5, answeredAt: answeredAt + 500.5 },
    ];
  },
  "a lock has two owners": (history, random) => {
    const taken = changesOf(history, ({ effect: { from, to } }) => from === null && to !== null);
    const held = taken.flatMap((one) => {
      const release = history.find(({ effect }) => effect.kind === "change" && effect.from === one.effect.to);
      const until = release?.invokedAt ?? Number.POSITIVE_INFINITY;
      return until > one.answeredAt + 2 ? [one] : [];
    });
    if (held.length === 0) return null;
    const { answeredAt } = random.oneOf(held);
    const effect = { kind: "change", from: null, to: "another owner" } as const;
    return [
      ...history,
      { name: "the second owner", effect, invokedAt: answeredAt + 0.5, answeredAt: answeredAt + 1.5 },
    ];
  },
  "a change that was answered with nil took effect": (history, random) => {
    const seen = changesOf(history, ({ effect: { to } }) =>
      history.some(
        ({ effect, answeredAt }) =>
          answeredAt !== null &&
          effect.kind !== "unmet" &&
          to !== null &&
          to === (effect.kind === "read" ? effect.value : effect.from),
      ),
    );
    if (seen.length === 0) return null;
    const nil = random.oneOf(seen);
    return history.map((one) =>
      one === nil ? { ...one, effect: { kind: "unmet", from: nil.effect.from } } : one,
    );
  },
  "an acknowledged change is lost": (history, random) => {
    const [first, ...more] = changesOf(history, ({ effect: { from, to } }) => from !== null && to !== null);
    if (first === undefined) return null;
    const lost = random.oneOf([first, ...more]);
    const later = history.filter(({ happensAt }) => (happensAt ?? 0) > (lost.happensAt ?? 0));
    // All later operations find the value that it has replaced.
    const restored = (value: Value): Value => (value === lost.effect.to ? lost.effect.from : value);
    return history.map((one) => {
      if (!later.includes(one) || one.effect.kind === "unmet") return one;
      const { effect } = one;
      return effect.kind === "read"
        ? { ...one, effect: { ...effect, value: restored(effect.value) } }
        : { ...one, effect: { ...effect, from: restored(effect.from) } };
    });
  },
  "a read returns an old value": (history, random) => {
    const replaced = changesOf(history, ({ effect: { from, to } }) => from !== null && from !== to);
    if (replaced.length === 0) return null;
    const { effect, answeredAt } = random.oneOf(replaced);
    const stale = { kind: "read", value: effect.from } as const;
    return [
      ...history,
      { name: "an old read", effect: stale, invokedAt: answeredAt + 0.5, answeredAt: answeredAt + 0.75 },
    ];
  },
  "a change succeeds on a value that another one has replaced": (history, random) => {
    const replaced = changesOf(history, ({ effect: { from } }) => from !== null);
    if (replaced.length === 0) return null;
    const { effect, answeredAt } = random.oneOf(replaced);
    const stale = { ...effect, to: "late value" };
    return [
      ...history,
      { name: "a late change", effect: stale, invokedAt: answeredAt + 0.5, answeredAt: answeredAt + 0.75 },
    ];
  },
  "a unit is refused although its condition held": (history) => {
    const last = history.at(-1);
    if (last?.effect.kind !== "read" || last.effect.value === null) return null;
    // No operation writes a value again, so the key has this value from one read of it to the other.
    const nil = { kind: "unmet", from: last.effect.value } as const;
    const at = last.answeredAt ?? 0;
    return [
      ...history,
      { name: "a refusal", effect: nil, invokedAt: at + 1, answeredAt: at + 2 },
      { ...last, invokedAt: at + 3, answeredAt: at + 4 },
    ];
  },
};

const OPERATIONS_MAX = 60;

test("the checker accepts histories of a register that changes at one moment for each operation", () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat(OPERATIONS_MAX), (number, count) => {
      assert.equal(findViolation(makeHistory(new SeededRandom(number), count)), null);
    }),
    { seed: seed(), numRuns: RUNS },
  );
});

for (const [name, falsify] of Object.entries(FALSE_ANSWERS))
  test(`the checker refuses a history in which ${name}`, () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 10, max: OPERATIONS_MAX }), (number, count) => {
        const random = new SeededRandom(number);
        const changed = falsify(makeHistory(random, count), random);
        fc.pre(changed !== null);
        assert.notEqual(findViolation(changed ?? []), null);
      }),
      { seed: seed(), numRuns: RUNS },
    );
  });

test("the checker is fast enough for a round, also with many unknown outcomes", () => {
  const random = new SeededRandom(seed());
  const history = makeHistory(random, 2_000);
  assert.equal(findViolation(history), null);
  const [first] = history;
  assert.ok(first);
  const open = Array.from({ length: amount(60, 200) }, (_, index): Operation[] => {
    const invokedAt = first.invokedAt + index / 1000;
    const token = `token ${index}`;
    const both = [
      { kind: "change", from: null, to: token },
      { kind: "change", from: token, to: null },
    ] as const;
    return both.map((effect) => ({ name: token, effect, invokedAt, answeredAt: null }));
  });
  assert.equal(findViolation([...history, ...open.flat()]), null);
});
