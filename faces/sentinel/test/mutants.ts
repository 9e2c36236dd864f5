/** Mutants of the rules of clients of Sentinels. */
import type { Mutant } from "../../../test/mutants/mutant.js";

export const mutants: readonly Mutant[] = [
  {
    name: "sentinel: a client that subscribes to many names blocks the daemon",
    file: "faces/redis/commands/channel-commands.js",
    find: "now.length <= NAMES_PER_TURN",
    replace: "true",
    test: "faces/sentinel/test/sentinel-session.test.js",
  },
  {
    name: "secrets: the trace shows the passwords of clients of Sentinels",
    file: "faces/sentinel/sentinel-listener.js",
    find: "showsBytes = false",
    replace: "showsBytes = true",
    test: "test/faces/users-on-all-ports.test.js",
  },
  {
    name: "sentinel: a client without a login is answered",
    file: "faces/sentinel/sentinel-session.js",
    find: "if (this.needsLogin && !NEED_NO_LOGIN.has(name))",
    replace: "if (false)",
    test: "faces/sentinel/test/sentinel-session.test.js",
  },
  {
    name: "sentinel: clients receive the address at which another one has reached this machine",
    file: "faces/sentinel/switch-messages.js",
    find: "messageOf(name, host)",
    replace: "messageOf(name, this.#server.channels.at(-1)[0])",
    test: "faces/sentinel/test/sentinel-session.test.js",
  },
  {
    name: "sentinel: channels without clients are kept",
    file: "faces/sentinel/sentinel-server.js",
    find: "--entry.connections === 0",
    replace: "false",
    test: "faces/sentinel/test/sentinel-session.test.js",
  },
  {
    name: "sentinel: COMMAND INFO describes any number of names",
    file: "faces/sentinel/sentinel-session.js",
    find: "argv.length - 2 > ROUTES.size",
    replace: "false",
    test: "faces/sentinel/test/sentinel-session.test.js",
  },
  {
    name: "sentinel: a removed user remains subscribed",
    file: "faces/sentinel/sentinel-server.js",
    find: "if (users.generation !== this.#usersGeneration)",
    replace: "if (false)",
    test: "faces/sentinel/test/sentinel-session.test.js",
  },
  {
    name: "sentinel: a change is published although the address is the same",
    file: "faces/sentinel/switch-messages.js",
    find: "from === to",
    replace: "false",
    test: "faces/sentinel/test/sentinel-session.test.js",
  },
];
