/** Mutants of the rules of browsers. */
import type { Mutant } from "../../../test/mutants/mutant.js";

export const mutants: readonly Mutant[] = [
  {
    name: "pages that use another host name for this address are admitted",
    file: "faces/web/ws-listener.js",
    find: "isOfThisMachine(origin) && ",
    replace: "isOfThisMachine(origin) || ",
    test: "faces/web/test/allowed-origins.test.js",
  },
  {
    name: "pages of this machine are admitted in addition to the configured sites",
    file: "faces/web/ws-listener.js",
    find: "named.length > 0 || ",
    replace: "",
    test: "faces/web/test/allowed-origins.test.js",
  },
  {
    name: "an HTTP request is limited like a message",
    file: "faces/web/message-socket.js",
    find: "if (this.#messages !== null)\n            return;",
    replace: "",
    test: "faces/web/test/message-socket.test.js",
  },
  {
    name: "contained: --ws offers compression to clients",
    file: "faces/web/ws-listener.js",
    find: "perMessageDeflate: false",
    replace: "perMessageDeflate: { threshold: 0 }",
    test: "faces/web/test/listener.test.js",
  },
  {
    name: "contained: a malformed WebSocket frame ends the process",
    file: "faces/web/message-socket.js",
    find: 'messages.on("error", ({ message }) => this.#failWith(message, NORMAL));',
    replace: "",
    test: "faces/web/test/listener.test.js",
  },
  {
    name: "contained: an exception while reading a WebSocket message ends the process",
    file: "faces/web/message-socket.js",
    find: "this.failure = problem;",
    replace: "throw problem;",
    test: "faces/web/test/listener.test.js",
  },
];
