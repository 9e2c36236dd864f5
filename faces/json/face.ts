/** The face of clients that send JSON documents (--json). */
import type { UserFace } from "../users/user-face.js";
import { checkJsonOptions, JSON_LIMITS, JSON_OPTIONS } from "./options.js";
import { documents } from "./store/commands/documents.js";
import { DOCUMENT_KIND } from "./store/values/document.js";

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
  families: { "json/documents": { rows: documents, kinds: [DOCUMENT_KIND] } },
  metrics: async () => (await import("./metrics.js")).METRICS,
  listener: "json",
  loadsData: ({ jsonReplicas }) => jsonReplicas.length > 0,
  load: async () => (await import("./json-listener.js")).JsonListener,
};
