/** The dialect of the page and of this terminal client: the frames of page-frames.ts as JSON. */
import type { Dialect, FirstMessage, Request } from "./chat-protocol.js";
import { isUuid } from "./message.js";
import type { ServerFrame } from "./page-frames.js";

const write = (frame: ServerFrame): string => JSON.stringify(frame);

const ALIVE = write({ is: "alive" });

/** The maximum length of an order key, with a reserve. */
const ORDER_CHARS = 64;

export const frames: Dialect = {
  first(text): FirstMessage | null {
    const frame = read(text);
    if (frame?.["do"] === "begin") return { kind: "begin", pseudo: frame["pseudo"], room: frame["room"] };
    if (frame?.["do"] !== "resume") return null;
    return { kind: "resume", uuid: frame["session"], room: frame["room"] };
  },
  request(text): Request | null {
    const frame = read(text);
    const { do: what, id, before } = frame ?? {};
    if (what === "say" && isUuid(id)) return { kind: "say", id, text: frame?.["text"] };
    if (what === "room") return { kind: "room", room: frame?.["room"] };
    if (what !== "earlier" || typeof before !== "string" || before.length > ORDER_CHARS) return null;
    return { kind: "earlier", before };
  },
  welcome({ session, from, isBack, servers, beatMs }) {
    const you = { from, pseudo: session.pseudo, color: session.color };
    return [write({ is: "welcome", session: session.uuid, you, isBack, servers, beatMs })];
  },
  history: ({ room, messages, more }) => [write({ is: "history", room, messages, more })],
  event: (event) => write({ is: "event", event }),
  kept: (message) => write({ is: "kept", message }),
  alive: () => ALIVE,
  present: ({ room, people, count, rooms }) => write({ is: "present", room, people, count, rooms }),
  refused: ({ why, id, afterMs }) => write({ is: "refused", why, id, afterMs }),
  rejected: (why) => write({ is: "rejected", why }),
};

function read(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const frame: unknown = JSON.parse(text);
    return typeof frame === "object" && frame !== null ? (frame as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
