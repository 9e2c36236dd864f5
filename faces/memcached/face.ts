/** The face of memcached clients (--memcached). */
import type { UserFace } from "../users/user-face.js";
import { MEMCACHED_LIMITS, MEMCACHED_OPTIONS } from "./options.js";

/** Matches memcached commands. No SQL statement has this form. */
const MEMCACHED =
  /^(?:gets? \S[^\r\n]*|(?:set|add|replace|append|prepend|cas) \S+ \d+ -?\d+ \d+[^\r\n]*|(?:version|stats|mn)(?: [^\r\n]*)?)\r\n/;

/** Matches the memcached command that is also an inline command of Redis. On a Redis port, it is Redis's command. */
const MEMCACHED_AND_RESP = /^get /;

export const memcached: UserFace = {
  options: MEMCACHED_OPTIONS,
  limits: MEMCACHED_LIMITS,
  speaks: {
    ports: { memcached: "memcached clients (--memcached)" },
    protocols: [
      {
        protocol: "memcached",
        begins: (head, _, here) =>
          MEMCACHED.test(head) && !(here === "resp" && MEMCACHED_AND_RESP.test(head)),
        served: "a memcached client; --memcached serves memcached clients",
        answer: (text) => `CLIENT_ERROR ${text}\r\n`,
      },
    ],
  },
  listener: "memcached",
  load: async () => (await import("./memcached-listener.js")).MemcachedListener,
};
