/** The rules of the proxy's journal and of its balancer, each broken in one place. */
import type { Mutant } from "./mutant.js";

const DOUBTS = "test/proxy/journal/doubts.test.js";
const BALANCER = "test/proxy/balancer/balancer.test.js";

export const proxyMutants: readonly Mutant[] = [
  {
    name: "proxy: a write that may have been carried out is asked again",
    file: "proxy/balancer/attempts.js",
    find: '(outcome.reached === "unknown" && !isRepeatable)',
    replace: "false",
    test: BALANCER,
  },
  {
    name: "proxy: a server that is not ready has answered",
    file: "proxy/balancer/attempts.js",
    find: "const isReady = !isNotReady(outcome);",
    replace: "const isReady = true;",
    test: BALANCER,
  },
  {
    name: "proxy: a session reads wherever it may be",
    file: "proxy/balancer/recent-writes.js",
    find: "now < write.until",
    replace: "false",
    test: BALANCER,
  },
  {
    name: "proxy: who is lost behind a write has not got it",
    file: "proxy/journal/replicator.js",
    find: "this.#state.doubt(server.id, n);",
    replace: "",
    test: DOUBTS,
  },
  {
    name: "proxy: who is lost while it is brought along has not got the write",
    file: "proxy/journal/catching-up.js",
    find: "its !== digest.of;",
    replace: "false;",
    test: DOUBTS,
  },
  {
    name: "proxy: who is in doubt has the write",
    file: "proxy/journal/catching-up.js",
    find: "its === digest.of",
    replace: "true",
    test: DOUBTS,
  },
  {
    name: "proxy: a killed proxy forgets whom it had sent the last write",
    file: "proxy/journal/replicator.js",
    find: "doubtTheLast(this.#doubts);",
    replace: "",
    test: DOUBTS,
  },
  {
    name: "proxy: who was away is not compared",
    file: "proxy/journal/catching-up.js",
    find: "its !== null && due !== null && its !== due",
    replace: "false",
    test: DOUBTS,
  },
  {
    name: "proxy: who lacks writes is read from",
    file: "proxy/balancer/balancer-session.js",
    find: "servers.filter((server) => replicator.isComplete(server))",
    replace: "servers",
    test: DOUBTS,
  },
  {
    name: "proxy: what a disk has not taken is sent",
    file: "proxy/journal/journal-file.js",
    find: "await this.#file.appendFile(text);",
    replace: "void text;",
    test: DOUBTS,
  },
  {
    name: "proxy: a read that a write has overtaken is kept",
    file: "proxy/cache/answer-store.js",
    find: "flight.isOvertaken || ",
    replace: "",
    test: "test/proxy/cache/races.test.js",
  },
  {
    name: "proxy: an answer that nobody asked for answers the next statement",
    file: "proxy/upstream/connection.js",
    find: "this.#told === null && (reader.heldBytes > 0 || reader.next() !== null)",
    replace: "false",
    test: "test/proxy/upstream/connection.test.js",
  },
];
