/** The face of Redis clients (--resp). */
import type { UserFace } from "../users/user-face.js";

/** Matches the arrays of Redis clients, and the lines that people type to test a Redis server. */
const RESP = /^(?:\*[1-9]\d{0,6}\r\n\$\d{1,9}\r\n|(?:ping|info|hello \d|auth \S+)(?: \S+)?\r?\n)/i;

export const redis: UserFace = {
  speaks: {
    ports: { resp: "Redis clients (--resp)" },
    protocols: [
      {
        protocol: "resp",
        begins: (head) => RESP.test(head),
        served: "a Redis client; --resp serves Redis clients",
        answer: (text) => `-ERR ${text}\r\n`,
      },
    ],
  },
  listener: "resp",
  load: async () => (await import("./resp-listener.js")).RespListener,
};
