/** Mutants of the rules of commands for other daemons. */
import type { Mutant } from "../../../test/mutants/mutant.js";

export const mutants: readonly Mutant[] = [
  {
    name: "sidecar: the list of servers may contain the sidecar's own address",
    file: "faces/sidecar/options.js",
    find: "Number(given) === port && isOwn(",
    replace: "false && isOwn(",
    test: "test/daemon/options/parse-options.test.js",
  },
  {
    name: "sidecar: a command that may wait is sent once to inspect the data, and again for its reply",
    file: "faces/sidecar/signed-path.js",
    find: "localData = null;",
    replace: "localData = { inspect: (...call) => this.execute(...call) };",
    test: "faces/redis/test/session/run-blocking-command.test.js",
  },
  {
    name: "sidecar: its own address in capital letters is not recognized",
    file: "faces/sidecar/options.js",
    find: "SERVER.exec(server.toLowerCase())",
    replace: "SERVER.exec(server)",
    test: "test/daemon/options/parse-options.test.js",
  },
  {
    name: "sidecar: it refuses commands with an error for which phpredis returns false",
    file: "faces/sidecar/signed-path.js",
    find: "`NOTAPPLIED ${name.replace",
    replace: "`ERR ${name.replace",
    test: "faces/sidecar/test/signed-path.test.js",
  },
  {
    name: "sidecar: MULTI queues commands that it refuses",
    file: "faces/redis/session/resp-session.js",
    find: "if (found.refusal !== null)",
    replace: "if (false)",
    test: "faces/sidecar/test/signed-path.test.js",
  },
];
