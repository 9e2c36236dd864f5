/** Messages and events of a room, and the valid names, rooms and texts. */

/** A message of a user. It is never changed. */
export interface Message {
  /**
   * A UUID that the client has chosen. With it, a message that is sent again after a lost acknowledgement is stored
   * only once.
   */
  readonly id: string;
  /** The order key in the room: a text whose alphabetical order is the order of messages. */
  readonly order: string;
  readonly room: string;
  /** Milliseconds since 1970, according to the server that accepted the message. */
  readonly at: number;
  /** The public id of the sender. The session id is secret. */
  readonly from: string;
  readonly pseudo: string;
  /** The index of one of the 256 terminal colours. */
  readonly color: number;
  readonly text: string;
}

/** An event that all clients of a room receive, on all servers. */
export type RoomEvent =
  | { readonly kind: "said"; readonly message: Message }
  | {
      readonly kind: "joined" | "left" | "returned";
      /** The id of the event, which does not depend on the server that reports it. */
      readonly id: string;
      readonly at: number;
      readonly from: string;
      readonly pseudo: string;
      readonly color: number;
    };

export const idOf = (event: RoomEvent): string => (event.kind === "said" ? event.message.id : event.id);

const EVENTS: readonly unknown[] = ["joined", "left", "returned"] satisfies RoomEvent["kind"][];
/** The maximum number of milliseconds in a Date. */
const DATE_MAX = 8.64e15;

/** Returns whether a value is a valid event that servers send to each other. */
export function isEventOf(event: unknown, room: string): event is RoomEvent {
  if (typeof event !== "object" || event === null) return false;
  const { kind, message } = event as Record<string, unknown>;
  if (kind !== "said") return EVENTS.includes(kind) && hasSender(event);
  if (typeof message !== "object" || message === null || !hasSender(message)) return false;
  const { room: its, order, text } = message as Record<string, unknown>;
  return its === room && typeof order === "string" && isFreeOf(FORBIDDEN_IN_TEXT, text);
}

function hasSender(event: object): boolean {
  const { id, at, from, pseudo, color } = event as Record<string, unknown>;
  const isDated = Number.isInteger(at) && Math.abs(at as number) <= DATE_MAX;
  const isNamed = typeof id === "string" && typeof from === "string" && isFreeOf(FORBIDDEN_IN_NAME, pseudo);
  return isDated && isNamed && Number.isInteger(color);
}

const isFreeOf = (characters: RegExp, text: unknown): boolean =>
  typeof text === "string" && !characters.test(text);

/** Returns an order key, which sorts messages by time and then by id. */
export const orderOf = (at: number, id: string): string => `${at.toString(16).padStart(12, "0")}-${id}`;

const UUID_PATTERN = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
const UUID = new RegExp(`^${UUID_PATTERN}$`);
export const isUuid = (text: unknown): text is string => typeof text === "string" && UUID.test(text);

const ORDER = new RegExp(`^[0-9a-f]{12,14}-${UUID_PATTERN}$`);
/** Whether a value is an order key that `orderOf` may return. */
export const isOrder = (text: unknown): text is string => typeof text === "string" && ORDER.test(text);

export const FIRST_ROOM = "chatroom";
const ROOM = /^[\p{Letter}\p{Number}_-]+$/u;

/** Returns the name of a room, or null if it is invalid. */
export function roomNamed(text: unknown, chars: number): string | null {
  if (typeof text !== "string") return null;
  const name = text.normalize("NFKC").toLowerCase();
  return ROOM.test(name) && name.length <= chars ? name : null;
}

/**
 * Matches control characters, direction marks and characters without a width. They could make a name look like
 * another one, or move the cursor of a terminal.
 */
const FORBIDDEN_IN_NAME = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}\p{Cs}]/u;
const ALL_FORBIDDEN_IN_NAME = new RegExp(FORBIDDEN_IN_NAME, "gu");

/** Returns the name of a user, or null if it is invalid. */
export function pseudoOf(text: unknown, chars: number): string | null {
  if (typeof text !== "string") return null;
  const name = text.normalize("NFC").replace(ALL_FORBIDDEN_IN_NAME, "").replace(/\s+/g, " ").trim();
  return name !== "" && name.length <= chars ? name : null;
}

/**
 * Matches control characters except line ends and tabs, because ESC separates the fields of messages, and halves of
 * characters, which UTF-8 cannot represent.
 */
const FORBIDDEN_IN_TEXT = /[^\P{Cc}\n\t]|\p{Cs}/u;
const ALL_FORBIDDEN_IN_TEXT = new RegExp(FORBIDDEN_IN_TEXT, "gu");

/** Returns the text of a message, or null if it is empty or too long. */
export function textOf(value: unknown, chars: number): string | null {
  if (typeof value !== "string" || value.length > chars) return null;
  const text = value.replace(/\r\n?/g, "\n").replace(ALL_FORBIDDEN_IN_TEXT, "").trim();
  return text === "" ? null : text;
}

/** Returns a time as `[hh:mm]`, in the time zone of the server. */
export function clockOf(at: number): string {
  const time = new Date(at);
  const two = (number: number) => String(number).padStart(2, "0");
  return `[${two(time.getHours())}:${two(time.getMinutes())}]`;
}
