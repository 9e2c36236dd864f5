/** The rules of the first fetch of --json-replica, each broken in one place. */
import type { Mutant } from "./mutant.js";

const FETCH = "listeners/json/replicas/first-fetch.js";
const LINK = "listeners/json/replicas/replica-link.js";
const TEST = "test/listeners/json/first-fetch.test.js";

export const fetchMutants: readonly Mutant[] = [
  {
    name: "first fetch: a server that has not given its documents is sent writes",
    file: "listeners/json/replicas/replica-contact.js",
    find: "return this.hasGiven && this.#kind",
    replace: "return this.#kind",
    test: TEST,
  },
  {
    name: "first fetch: ready by one server's documents",
    file: FETCH,
    find: "if (!isVouched && links.some(({ contact }) => !contact.hasGiven))",
    replace: "if (false)",
    test: TEST,
  },
  {
    name: "first fetch: ready by the documents of a daemon that is not ready",
    file: FETCH,
    find: "contact.hasGiven && contact.met?.isReady === true",
    replace: "contact.hasGiven && contact.met != null",
    test: TEST,
  },
  {
    name: "first fetch: not ready by the documents of a daemon that is",
    file: FETCH,
    find: "if (!isVouched && links",
    replace: "if (links",
    test: TEST,
  },
  {
    name: "first fetch: a difference is reported again at each attempt",
    file: LINK,
    find: "if (!this.#reported.has(document))",
    replace: "if (true)",
    test: TEST,
  },
];
