/**
 * Pseudo-random choices that are the same on every daemon: a small generator seeded with the unit's id. Must not be
 * used for secrets.
 */
import type { Unit } from "./unit.js";

/** Returns the 32-bit FNV-1a hash of a text. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h >>> 0;
}

/** Returns a function that returns successive integers 0 ≤ x < n (n ≤ 2³²); n may differ in each call. */
export function seededChoice(unit: Unit): (n: number) => number {
  // The step makes the commands of one unit choose differently.
  let state = hash(unit.step ? `${unit.id}/${unit.step}` : unit.id);
  return (n) => {
    // The algorithm is splitmix32.
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return ((z ^ (z >>> 15)) >>> 0) % n;
  };
}

/** Returns `count` different integers 0 ≤ x < n in the order drawn, or all n if `count` is at least n. */
export function distinctChoices(choose: (n: number) => number, n: number, count: number): number[] {
  const chosen: number[] = [];
  // Shuffles 0, 1, … n - 1, but stops early; only the numbers that have moved are stored.
  const moved = new Map<number, number>();
  for (let remaining = n; remaining > 0 && chosen.length < count; remaining--) {
    const index = choose(remaining);
    chosen.push(moved.get(index) ?? index);
    moved.set(index, moved.get(remaining - 1) ?? remaining - 1);
  }
  return chosen;
}
