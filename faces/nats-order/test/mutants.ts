/** Mutants of the rules of a stream that orders the writes. */
import type { Mutant } from "../../../test/mutants/mutant.js";

export const mutants: readonly Mutant[] = [
  {
    name: "suspension: a daemon with --order does not detect it",
    file: "faces/nats-order/ordered-replica.js",
    find: "this.#goal = null;\n        this.stream.locateEnd();",
    replace: "",
    test: "faces/nats-order/test/ordered-replica.test.js",
  },
  {
    name: "budgets: with --order a unit that exceeds a budget is added to the stream",
    file: "faces/nats-order/order-recorder.js",
    find: "return state.exceeds(entry, backend.unitSteps)",
    replace: "return false",
    test: "faces/nats-order/test/order-recorder.test.js",
  },
  {
    name: "missing code: a message of the stream is applied without its code",
    file: "faces/nats-order/ordered-state.js",
    find: "if (!hasCode(this.#fold, entry))",
    replace: "if (false)",
    test: "faces/nats-order/test/missing-code.test.js",
  },
  {
    name: "missing code: a member of a stream without the code of a value in its snapshot is live",
    file: "faces/nats-order/ordered-state.js",
    find: "this.#fold.missingCode = missingCode;",
    replace: "",
    test: "faces/nats-order/test/missing-code.test.js",
  },
];
