/** Messages, events of a room, and what names, rooms and texts may contain. */

/** One thing said. Nothing of it is ever changed. */
export interface Message {
  /** A UUID of the client: a message that is sent again, because its acknowledgement was lost, adds nothing. */
  readonly id: string;
  /** Its order key in the room: texts that compare as messages were sent. */
  readonly order: string;
  readonly room: string;
  /** Milliseconds since 1970, by the clock of the server that took it. */
  readonly at: number;
  /** The sender's public id; the session itself is a secret. */
  readonly from: string;
  readonly pseudo: string;
  /** One of the 256 colours of terminals. */
  readonly color: number;
  readonly text: string;
}

/** An event that all clients of a room receive, at whichever server they are. */
export type RoomEvent =
  | { readonly kind: "said"; readonly message: Message }
  | {
      readonly kind: "joined" | "left" | "returned";
      /** The same for the same event, whichever server reports it. */
      readonly id: string;
      readonly at: number;
      readonly from: string;
      readonly pseudo: string;
      readonly color: number;
    };

export const idOf = (event: RoomEvent): string => (event.kind === "said" ? event.message.id : event.id);

const EVENTS: readonly unknown[] = ["joined", "left", "returned"] satisfies RoomEvent["kind"][];
/** Milliseconds that a Date can hold. */
const DATE_MAX = 8.64e15;

/** Whether it is an event that servers send each other, and contains nothing that they would reject. */
export function isEventOf(event: unknown, room: string): event is RoomEvent {
  if (typeof event !== "object" || event === null) return false;
  const { kind, message } = event as Record<string, unknown>;
  if (kind !== "said") return EVENTS.includes(kind) && isSomeones(event);
  if (typeof message !== "object" || message === null || !isSomeones(message)) return false;
  const { room: its, order, text } = message as Record<string, unknown>;
  return its === room && typeof order === "string" && isWithout(UNTOLD, text);
}

function isSomeones(event: object): boolean {
  const { id, at, from, pseudo, color } = event as Record<string, unknown>;
  const isDated = Number.isInteger(at) && Math.abs(at as number) <= DATE_MAX;
  const isNamed = typeof id === "string" && typeof from === "string" && isWithout(UNNAMED, pseudo);
  return isDated && isNamed && Number.isInteger(color);
}

const isWithout = (characters: RegExp, text: unknown): boolean =>
  typeof text === "string" && !characters.test(text);

/** Sorts by time, then by id. */
export const orderOf = (at: number, id: string): string => `${at.toString(16).padStart(12, "0")}-${id}`;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
export const isUuid = (text: unknown): text is string => typeof text === "string" && UUID.test(text);

export const FIRST_ROOM = "chatroom";
const ROOM = /^[\p{Letter}\p{Number}_-]+$/u;

/** @returns null: no room has such a name */
export function roomNamed(text: unknown, chars: number): string | null {
  if (typeof text !== "string") return null;
  const name = text.normalize("NFKC").toLowerCase();
  return ROOM.test(name) && name.length <= chars ? name : null;
}

/**
 * Control characters, direction marks and characters without a width: they would show a name as another one, or move a terminal's cursor.
 */
const UNNAMED = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}\p{Cs}]/u;
const UNSEEN = new RegExp(UNNAMED, "gu");

/** @returns null: no such name */
export function pseudoOf(text: unknown, chars: number): string | null {
  if (typeof text !== "string") return null;
  const name = text.normalize("NFC").replace(UNSEEN, "").replace(/\s+/g, " ").trim();
  return name !== "" && name.length <= chars ? name : null;
}

/** Control characters but line ends and tabs: ESC separates the fields of what is sent. */
const UNTOLD = /[^\P{Cc}\n\t]/u;
const CONTROL = new RegExp(UNTOLD, "gu");

/** @returns null: nothing is said, or too much */
export function textOf(said: unknown, chars: number): string | null {
  if (typeof said !== "string" || said.length > chars) return null;
  const text = said.replace(/\r\n?/g, "\n").replace(CONTROL, "").trim();
  return text === "" ? null : text;
}

/** `[h:m]`, by the server's clock. */
export function clockOf(at: number): string {
  const time = new Date(at);
  const two = (number: number) => String(number).padStart(2, "0");
  return `[${two(time.getHours())}:${two(time.getMinutes())}]`;
}
