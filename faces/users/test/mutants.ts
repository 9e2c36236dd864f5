/** Mutants of the rules of users with passwords. */
import type { Mutant } from "../../../test/mutants/mutant.js";

export const mutants: readonly Mutant[] = [
  {
    name: "secrets: the trace shows the passwords of clients that log in",
    file: "faces/users/user-listener.js",
    find: "showsBytes = false",
    replace: "showsBytes = true",
    test: "test/faces/users-on-all-ports.test.js",
  },
];
