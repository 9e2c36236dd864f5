/** Mutants of the rules of users with passwords. */
import type { Mutant } from "../../../test/mutants/mutant.js";

export const mutants: readonly Mutant[] = [
  {
    name: "secrets: the trace shows the passwords of clients that log in",
    file: "faces/users/session-dialect.js",
    find: "showsBytes = false",
    replace: "showsBytes = true",
    test: "test/faces/users-on-all-ports.test.js",
  },
  {
    name: "users: permission for all keys includes all channels",
    file: "faces/users/user-rules.js",
    find: 'rules: ["resetkeys", NO_CHANNELS, "-@all"]',
    replace: 'rules: ["resetkeys", "-@all"]',
    test: "faces/redis/test/acl-channels.test.js",
  },
  {
    name: "users: the rules of a selector on channels are lost when others change",
    file: "faces/users/user-rules.js",
    find: 'channels === "&*" ? [channels] : [NO_CHANNELS, channels]',
    replace: "[NO_CHANNELS]",
    test: "faces/redis/test/acl-channels.test.js",
  },
  {
    name: "users: channels with control characters are refused, unlike in Redis",
    file: "faces/users/user-rules.js",
    find: "notInChannels: /[\\0\\t-\\r ]/",
    replace: "notInChannels: /[\\0-\\x1f\\x7f]/",
    test: "faces/redis/test/acl-channels.test.js",
  },
  {
    name: "users: white space at the ends of a line belongs to its rules",
    file: "faces/users/user-rules.js",
    find: "trimmed.split",
    replace: "line.split",
    test: "faces/redis/test/users.test.js",
  },
  {
    name: "users: the daemon does not start with a user of many rules",
    file: "faces/users/user-rules.js",
    find: "rules: Number.POSITIVE_INFINITY",
    replace: "rules: 10_000",
    test: "faces/redis/test/users.test.js",
  },
  {
    name: "users: rules that ACL SETUSER replaces count towards the maximum",
    file: "faces/users/user-rules.js",
    find: "countRules(rulesOf(user.acl))",
    replace: "countRules([...earlier, ...rules])",
    test: "faces/redis/test/acl-commands.test.js",
  },
  {
    name: "users: wrong rules before reset are accepted",
    file: "faces/users/user-rules.js",
    find: "parseRules(draft.rules, TABLE, limits);",
    replace: "",
    test: "faces/redis/test/acl-commands.test.js",
  },
  {
    name: "users: ACL SETUSER creates a selector that the next ACL SETUSER cannot parse",
    file: "faces/users/user-rules.js",
    find: "...LINE_RULES, mayEndInParenthesis: false",
    replace: "...LINE_RULES",
    test: "faces/redis/test/acl-commands.test.js",
  },
];
