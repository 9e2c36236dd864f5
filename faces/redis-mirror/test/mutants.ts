/** Mutants of the rules of a Redis that mirrors the state. */
import type { Mutant } from "../../../test/mutants/mutant.js";

export const mutants: readonly Mutant[] = [
  {
    name: "mirror: a mark of another format is read",
    file: "faces/redis-mirror/mirror-mark.js",
    find: "formatOf(text) === FORMAT ?",
    replace: "true ?",
    test: "faces/redis-mirror/test/parts.test.js",
  },
];
