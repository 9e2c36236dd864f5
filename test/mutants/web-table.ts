/** Who may connect from a page. */
import type { Mutant } from "./mutant.js";

export const webMutants: readonly Mutant[] = [
  {
    name: "pages that came to this address by a name of their own",
    file: "listeners/ws/origins.js",
    find: "isOfThisMachine(origin) && ",
    replace: "isOfThisMachine(origin) || ",
    test: "test/listeners/ws/origins.test.js",
  },
  {
    name: "pages of this machine beside sites that were named",
    file: "listeners/ws/origins.js",
    find: "named.length > 0 || ",
    replace: "",
    test: "test/listeners/ws/origins.test.js",
  },
  {
    name: "what a client asked for over HTTP measured as a message",
    file: "listeners/ws/message-socket.js",
    find: "if (this.#messages !== null)\n            return;",
    replace: "",
    test: "test/listeners/ws/message-socket.test.js",
  },
  {
    name: "serving: an error of a parser ends the process",
    file: "net/connections/client-connection.js",
    find: "return void this.#close(readingFailed(problem));",
    replace: "throw problem;",
    test: "test/listeners/reading-faults.test.js",
  },
  {
    name: "calls that wait for a daemon: nobody wakes the client when an attempt may be made again",
    file: "client/version-2/outbox.js",
    find: "if (this.#waitsForCluster)\n            time = Math.min(time, this.fleet.nextGreeting());",
    replace: "",
    test: "test/client/browser/web-client.test.js",
  },
  {
    name: "contained: an exception while a WebSocket message is read ends the process",
    file: "listeners/ws/message-socket.js",
    find: "this.failure = problem;",
    replace: "throw problem;",
    test: "test/listeners/ws/listener.test.js",
  },
  {
    name: "contained: an exception while a daemon's answer is read ends the client's process",
    file: "client/version-2/connection-v2.js",
    find: "if (!isReading && ",
    replace: "if (",
    test: "test/client/version-2.test.js",
  },
  {
    name: "contained: an exception while replies are read ends the client's process",
    file: "client/version-2/batch.js",
    find: "problem instanceof MalformedFrame ? problem : reader.malformed(unreadable(problem))",
    replace: "problem",
    test: "test/client/version-2.test.js",
  },
  {
    name: "admin: an exception while a page is sent ends the process",
    file: "net/admin/server.js",
    find: 'this.#parts.log.error({ err: problem }, "a page of --admin could not be sent");',
    replace: "throw problem;",
    test: "test/daemon/admin/server.test.js",
  },
  {
    name: "admin: a listener has no address before its start",
    file: "net/connections/socket-listener.js",
    find: "return this.#address;",
    replace: "return this.#server.address();",
    test: "test/net/connections/socket-listener.test.js",
  },
  {
    name: "serving: any first byte begins a text",
    file: "net/connections/first-byte.js",
    find: "byte === undefined || dialect.isFirstByte(byte)",
    replace: "true",
    test: "test/listeners/first-bytes.test.js",
  },
];
