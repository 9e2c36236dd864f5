/** The face of clients that send JSON documents (--json). */
import { registerValueKind } from "../../daemon/store/values/value-kinds.js";
import type { UserFace } from "../users/user-face.js";
import { checkJsonOptions, JSON_LIMITS, JSON_OPTIONS } from "./options.js";

export const json: UserFace = {
  options: JSON_OPTIONS,
  limits: JSON_LIMITS,
  checkOptions: checkJsonOptions,
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
  families: {
    "json/documents": async () => {
      registerValueKind((await import("./store/values/document.js")).DOCUMENT_KIND);
      return (await import("./store/commands/documents.js")).documents;
    },
  },
  metrics: async () => (await import("./metrics.js")).METRICS,
  listener: "json",
  loadsData: ({ jsonReplicas }) => jsonReplicas.length > 0,
  load: async () => (await import("./json-listener.js")).JsonListener,
};
