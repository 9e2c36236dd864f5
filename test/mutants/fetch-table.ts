/** Mutants of the rules for the first fetch of --json-replica. */
import type { Mutant } from "./mutant.js";

const FETCH = "faces/json/replicas/replicas.js";
const FORWARDER = "faces/json/replicas/replica-forwarder.js";
const LOADING = "faces/json/test/loading.test.js";
const TEST = "faces/json/test/first-fetch.test.js";

export const fetchMutants: readonly Mutant[] = [
  {
    name: "first fetch: a daemon is ready with the documents of one of several servers",
    file: FETCH,
    find: "|| forwarders.some(({ server }) => !server.hasSentDocuments)",
    replace: "",
    test: TEST,
  },
  {
    name: "first fetch: a starting server receives an empty list of documents before the fetch",
    file: "faces/json/json-listener.js",
    find: "request.document === undefined && action === PROBE_ACTION",
    replace: 'request.document === undefined && (action === PROBE_ACTION || action === "getall")',
    test: TEST,
  },
  {
    name: "first fetch: Redis clients read and write documents before they are fetched",
    file: "faces/users/user-listeners.js",
    find: "return this.#backend.refusalOf(command) ?? super.execute(",
    replace: "return super.execute(",
    test: LOADING,
  },
  {
    name: "first fetch: signed transactions write documents before they are fetched",
    file: "daemon/engine/backends/memory-backend.js",
    find: "if (refused !== null)\n                return refused;",
    replace: "",
    test: LOADING,
  },
  {
    name: "replicas: dbsyncd is treated as an original",
    file: "faces/json/replicas/replica-server.js",
    find: "connection.#isDbsyncd = isFromDbsyncd(answer);",
    replace: "",
    test: "faces/json/test/dbsyncd-replica.test.js",
  },
  {
    name: "replicas: a daemon does not recognize its own address",
    file: "faces/json/replicas/replica-server.js",
    find: "if (probeId === this.#probeId)",
    replace: "if (false)",
    test: "faces/json/test/dbsyncd-replica.test.js",
  },
  {
    name: "first fetch: each attempt reports a difference again",
    file: FORWARDER,
    find: "if (!this.#reported.has(document))",
    replace: "if (true)",
    test: TEST,
  },
  {
    name: "fetch: without a secret, the start refuses the option that replaces --json-replica",
    file: "faces/json/replicas/replica-server.js",
    find: " --cluster-secret FILE",
    replace: "",
    test: "faces/json/test/dbsyncd-replica.test.js",
  },
];
