/** Mutants of the rules on which the recipes of examples/ depend. */
import type { Mutant } from "./mutant.js";

export const recipeMutants: readonly Mutant[] = [
  {
    name: "recipes: one daemon is enough to acquire the number of a lock",
    file: "examples/recipes/lock.js",
    find: '{ policy: "majority" }',
    replace: '{ policy: "first" }',
    test: "test/examples/recipes/lock.test.js",
  },
  {
    name: "recipes: the number of a lock expires before its lease",
    file: "examples/recipes/lock.js",
    find: "const CLOCK_RATES = 1.05;",
    replace: "const CLOCK_RATES = 0.2;",
    test: "test/examples/recipes/lock.test.js",
  },
  {
    name: "recipes: a position is returned before it is final",
    file: "examples/recipes/unique-numbers.js",
    find: "{ if: once, stable: true, timeout: STABLE_MS }",
    replace: "{ if: once }",
    test: "test/examples/recipes/unique-numbers.test.js",
  },
  {
    name: "recipes: a job is completed without a condition",
    file: "examples/recipes/job-queue.js",
    find: 'const once = { if: [{ key, writer }], policy: "first" };',
    replace: 'const once = { policy: "first" };',
    test: "test/examples/recipes/job-queue.test.js",
  },
  {
    name: "recipes: one daemon is enough for a rate limit",
    file: "examples/recipes/rate-limit.js",
    find: "return 2 * seen.outcomes.filter(hasRoom).length > seen.outcomes.length;",
    replace: "return seen.outcomes.filter(hasRoom).length > 0;",
    test: "test/examples/recipes/rate-limit.test.js",
  },
  {
    name: "recipes: every hash with fields is a session",
    file: "examples/recipes/sessions.js",
    find: "return BORN in fields ?",
    replace: "return pairs.length > 0 ?",
    test: "test/examples/recipes/sessions.test.js",
  },
  {
    name: "recipes: a cache keeps a value that was computed before a change",
    file: "examples/recipes/cache.js",
    find: ', { if: [{ key, writer }], policy: "first" }',
    replace: "",
    test: "test/examples/recipes/cache.test.js",
  },
  {
    name: "chat: a name stays reserved after its client has left",
    file: "examples/chat/chat-connection.js",
    find: "this.#closed(LEFT.has(code))",
    replace: "this.#closed(false)",
    test: "test/examples/chat/exercise-protocol.test.js",
  },
  {
    name: "chat: a name is free although its client was only disconnected",
    file: "examples/chat/chat-connection.js",
    find: "this.#closed(LEFT.has(code))",
    replace: "this.#closed(true)",
    test: "test/examples/chat/exercise-protocol.test.js",
  },
  {
    name: "chat: letters that look alike are different",
    file: "examples/chat/look-alikes.js",
    find: 'skeletonOf(skeletonOf(name.normalize("NFKC")).toLowerCase())',
    replace: 'name.normalize("NFKC").toLowerCase()',
    test: "test/examples/chat/exercise-protocol.test.js",
  },
  {
    name: "chat: a client of the exercise receives its own messages",
    file: "examples/chat/exercise-protocol.js",
    find: "isShown ? null : said(message, true)",
    replace: "said(message, true)",
    test: "test/examples/chat/exercise-protocol.test.js",
  },
  {
    name: "chat: earlier servers are considered silent",
    file: "examples/chat/conversation.js",
    find: "this.#beatMs = beatMs ?? null;",
    replace: "",
    test: "test/examples/chat/conversation.test.js",
  },
];
