/** The rules of the proxy's balancer and cache, each broken in one position. */
import type { Mutant } from "./mutant.js";

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
    name: "proxy: a read that a write has overtaken is kept",
    file: "proxy/cache/answer-store.js",
    find: "flight.isOvertaken || ",
    replace: "",
    test: "test/proxy/cache/races.test.js",
  },
  {
    name: "proxy: an answer that nobody asked for answers the next statement",
    file: "protocol/request-client.js",
    find: "else if (reader.isMidAnswer && this.#waiting.length === 0 && hasMessages !== true)",
    replace: "else if (false)",
    test: "test/proxy/upstream/connection.test.js",
  },
  {
    name: "proxy: what was sent to a server that hangs counts as not sent when it is down",
    file: "proxy/upstream/pool.js",
    find: 'connection.close("timeout", detail);',
    replace: 'connection.close("timeout", detail, "no");',
    test: "test/proxy/balancer/hung-server.test.js",
  },
  {
    name: "contained: an exception while a server's answer is read ends the proxy",
    file: "protocol/request-client.js",
    find: 'this.close("malformed", `parsing the answer failed',
    replace: 'throw problem;\nvoid ("", `parsing the answer failed',
    test: "test/proxy/upstream/connection.test.js",
  },
  {
    name: "help: long lines are not broken at the terminal's width",
    file: "net/terminal/help-text.js",
    find: "columns + 1",
    replace: "columns + 99",
    test: "test/options/options.test.js",
  },
];
