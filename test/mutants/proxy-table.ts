/** Mutants of the rules of the proxy's balancer and cache. */
import type { Mutant } from "./mutant.js";

const BALANCER = "test/tools/proxy/balancer/balancer.test.js";

export const proxyMutants: readonly Mutant[] = [
  {
    name: "data: a full disk at the start is reported as a folder without rights",
    file: "daemon/engine/trust/data-folder.js",
    find: "if (full !== null)",
    replace: "if (false)",
    test: "test/daemon/engine/trust/data-folder.test.js",
  },
  {
    name: "proxy: a write that may have been executed is sent again",
    file: "tools/proxy/balancer/balancer.js",
    find: '(outcome.reached === "unknown" && !isRepeatable)',
    replace: "false",
    test: BALANCER,
  },
  {
    name: "proxy: the answer of a server that is not ready counts",
    file: "tools/proxy/balancer/balancer.js",
    find: "const isReady = !isNotReady(outcome);",
    replace: "const isReady = true;",
    test: BALANCER,
  },
  {
    name: "proxy: a session reads from any server",
    file: "tools/proxy/balancer/balancer.js",
    find: "now < write.until",
    replace: "false",
    test: BALANCER,
  },
  {
    name: "proxy: the result of a read that a write has overtaken is cached",
    file: "tools/proxy/cache/answer-store.js",
    find: "pendingFetch.isOutdated || ",
    replace: "",
    test: "test/tools/proxy/cache/races.test.js",
  },
  {
    name: "proxy: an unrequested answer is returned for the next statement",
    file: "protocol/request-client.js",
    find: "else if (reader.isMidAnswer && this.#waiting.length === 0 && hasMessages !== true)",
    replace: "else if (false)",
    test: "test/tools/proxy/upstream/upstream-connection.test.js",
  },
  {
    name: "proxy: statements sent to a hung server count as not sent when it is declared down",
    file: "tools/proxy/upstream/upstream-pool.js",
    find: 'connection.close("timeout", detail);',
    replace: 'connection.close("timeout", detail, "no");',
    test: "test/tools/proxy/balancer/hung-server.test.js",
  },
  {
    name: "contained: an exception while reading a server's answer ends the proxy",
    file: "protocol/request-client.js",
    find: 'this.close("malformed", `parsing the answer failed',
    replace: 'throw problem;\nvoid ("", `parsing the answer failed',
    test: "test/tools/proxy/upstream/upstream-connection.test.js",
  },
  {
    name: "help: long lines are not broken at the terminal's width",
    file: "daemon/net/terminal/terminal-text.js",
    find: "columns + 1",
    replace: "columns + 99",
    test: "test/daemon/options/parse-options.test.js",
  },
];
