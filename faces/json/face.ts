/** The face of clients that send JSON documents (--json). */
import type { UserFace } from "../users/user-face.js";

export const json: UserFace = {
  speaks: {
    ports: { json: "JSON documents (--json)" },
    protocols: [
      {
        protocol: "json",
        begins: (head) => /^\s*[[{]\s*"/.test(head),
        served: "a client for JSON documents; --json serves them",
        answer: (text) => `{"status":"error","message":${JSON.stringify(text)}}\n\r`,
      },
    ],
  },
  listener: "json",
  load: async () => (await import("./json-listener.js")).JsonListener,
};
