/**
 * Both protocols of the server: the exercise's text, and the frames of page-frames.ts as JSON. Seats use only their
 * interface.
 */
import { clockOf, isOrder, isUuid, type Message, type RoomEvent } from "./message.js";
import type { Refusal, Rejection, ServerFrame } from "./page-frames.js";
import type { Presence, Session } from "./sessions.js";

export type FirstMessage =
  | { readonly kind: "begin"; readonly pseudo: unknown; readonly room?: unknown }
  | { readonly kind: "resume"; readonly uuid: unknown; readonly room?: unknown };

export type Request =
  | { readonly kind: "say"; readonly id: string | null; readonly text: unknown }
  | { readonly kind: "room"; readonly room: unknown }
  | { readonly kind: "earlier"; readonly before: string }
  | { readonly kind: "nothing" };

export interface Welcome {
  readonly session: Session;
  /** The public id of the session for other users. */
  readonly from: string;
  readonly isBack: boolean;
  /** The addresses of all servers, including this one. */
  readonly servers: readonly string[];
  /** The maximum number of milliseconds between two messages of the server. */
  readonly beatMs: number;
}

export interface Page {
  readonly room: string;
  readonly from: string;
  readonly messages: readonly Message[];
  /** Whether earlier messages exist. */
  readonly more: boolean;
}

export interface RoomState extends Presence {
  readonly room: string;
  readonly rooms: readonly string[];
}

export interface Dialect {
  /** Parses the first message. @returns null if a connection cannot begin with it */
  first(text: string): FirstMessage | null;
  request(text: string): Request | null;
  welcome(welcome: Welcome): readonly string[];
  history(page: Page): readonly string[];
  /** Encodes an event in this protocol. @returns null if this client does not receive it */
  event(event: RoomEvent, isOwn: boolean): string | null;
  /**
   * Encodes the acknowledgement that a message is stored.
   * @param isShown  whether this client has already received the message
   * @returns null if this client receives no acknowledgement
   */
  kept(message: Message, isShown: boolean): string | null;
  /** Encodes a heartbeat. @returns null if this client receives none */
  alive(): string | null;
  present(state: RoomState): string | null;
  refused(refusal: { readonly why: Refusal; readonly id: string | null; readonly afterMs: number }): string;
  rejected(why: Rejection): string;
}

const ESC = "\u001b";
const REJECTED = "Connection rejected";
const NO_NAME = "You must choose un nametag";

const line = (at: number, ...fields: readonly (string | number)[]) => [clockOf(at), ...fields].join(ESC);
/** A client of the exercise prints each message as one line. */
const oneLine = (text: string) => text.replaceAll("\n", " ");

const DONE = { joined: "a rejoint la chatroom", left: "a quitté la chatroom", returned: "est de retour !" };

const said = (message: Message, isOwn: boolean): string =>
  isOwn
    ? line(message.at, `Vous avez dit : ${oneLine(message.text)}`)
    : line(message.at, message.color, message.pseudo, ` a dit : ${oneLine(message.text)}`);

/**
 * The protocol of the exercise, with the texts that its terminal client sends and expects and with fields separated
 * by ESC. It is for connections without a sub-protocol.
 */
export const words: Dialect = {
  first(text): FirstMessage | null {
    const [, word, rest = ""] = /^(Hello|ID)\|(.*)$/su.exec(text) ?? [];
    if (word === "Hello") return { kind: "begin", pseudo: rest };
    return word === "ID" ? { kind: "resume", uuid: rest.trim() } : null;
  },
  request: (text): Request => ({ kind: "say", id: null, text }),
  welcome: ({ session, isBack }) =>
    isBack ? ["200", line(Date.now(), "Welcome back  !")] : [`ID|${session.uuid}`],
  history: ({ messages, from }) => messages.map((message) => said(message, message.from === from)),
  event(event: RoomEvent, isOwn) {
    if (event.kind === "said") return said(event.message, isOwn);
    if (isOwn && event.kind !== "joined") return null;
    return line(event.at, `Annonce : ${event.pseudo} ${DONE[event.kind]}`);
  },
  kept: (message, isShown) => (isShown ? null : said(message, true)),
  alive: () => null,
  present: () => null,
  refused: ({ why }) => line(Date.now(), `Annonce : ${SENTENCES[why]}`),
  rejected: (why) => (why === "unknown-session" ? REJECTED : NO_NAME),
};

const SENTENCES: Readonly<Record<Parameters<Dialect["refused"]>[0]["why"], string>> = {
  flood: "trop de messages, attendez un peu",
  "not-understood": "message incompris",
  "no-text": "message vide ou trop long",
  "no-room": "pas de salle de ce nom",
  "not-kept": "message non gardé, dites-le encore",
};

const write = (frame: ServerFrame): string => JSON.stringify(frame);

const ALIVE = write({ is: "alive" });

/** The dialect of the page and of this terminal client: the frames of page-frames.ts as JSON. */
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
    return what === "earlier" && isOrder(before) ? { kind: "earlier", before } : null;
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
