/** Who may connect from a page. */
import type { Mutant } from "./mutant.js";

export const webMutants: readonly Mutant[] = [
  {
    name: "pages that came to this address by a name of their own",
    file: "daemon/listeners/ws/origins.js",
    find: "isOfThisMachine(origin) && ",
    replace: "isOfThisMachine(origin) || ",
    test: "test/daemon/listeners/ws/origins.test.js",
  },
  {
    name: "pages of this machine beside sites that were named",
    file: "daemon/listeners/ws/origins.js",
    find: "named.length > 0 || ",
    replace: "",
    test: "test/daemon/listeners/ws/origins.test.js",
  },
  {
    name: "what a client asked for over HTTP measured as a message",
    file: "daemon/listeners/ws/message-socket.js",
    find: "if (this.#messages !== null)\n            return;",
    replace: "",
    test: "test/daemon/listeners/ws/message-socket.test.js",
  },
  {
    name: "serving: an error of a parser ends the process",
    file: "serving/connections/client-connection.js",
    find: "return void this.#close(readingFailed(problem));",
    replace: "throw problem;",
    test: "test/daemon/listeners/reading-faults.test.js",
  },
];
