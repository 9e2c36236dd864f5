/** What the recipes of examples/ stand on, each broken in one place. */
import type { Mutant } from "./mutant.js";

export const recipeMutants: readonly Mutant[] = [
  {
    name: "recipes: a lock's number is won at the nearest daemon",
    file: "examples/recipes/lock.js",
    find: '{ policy: "majority" }',
    replace: '{ policy: "first" }',
    test: "test/examples/recipes/lock.test.js",
  },
  {
    name: "recipes: a lock's number is over before its lease",
    file: "examples/recipes/lock.js",
    find: "const CLOCK_RATES = 1.05;",
    replace: "const CLOCK_RATES = 0.2;",
    test: "test/examples/recipes/lock.test.js",
  },
  {
    name: "recipes: a place is told before it is final",
    file: "examples/recipes/numbers.js",
    find: "{ if: once, stable: true, timeout: STABLE_MS }",
    replace: "{ if: once }",
    test: "test/examples/recipes/numbers.test.js",
  },
  {
    name: "recipes: a job is finished without a condition",
    file: "examples/recipes/queue.js",
    find: 'const once = { if: [{ key, writer }], policy: "first" };',
    replace: 'const once = { policy: "first" };',
    test: "test/examples/recipes/queue.test.js",
  },
  {
    name: "recipes: one daemon is enough for a rate limit",
    file: "examples/recipes/rate-limit.js",
    find: "return 2 * seen.outcomes.filter(hasRoom).length > seen.outcomes.length;",
    replace: "return seen.outcomes.filter(hasRoom).length > 0;",
    test: "test/examples/recipes/rate-limit.test.js",
  },
  {
    name: "recipes: whatever has fields is a session",
    file: "examples/recipes/sessions.js",
    find: "return BORN in fields ?",
    replace: "return pairs.length > 0 ?",
    test: "test/examples/recipes/sessions.test.js",
  },
  {
    name: "recipes: a cache keeps what was made before a change",
    file: "examples/recipes/cache.js",
    find: ', { if: [{ key, writer }], policy: "first" }',
    replace: "",
    test: "test/examples/recipes/cache.test.js",
  },
];
