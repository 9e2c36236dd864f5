/** The interface of both protocols: the exercise's text, and JSON frames. Seats use only this interface. */
import type { Message, RoomEvent } from "./message.js";
import type { Presence, Session } from "./sessions.js";

export type FirstMessage =
  | { readonly kind: "begin"; readonly pseudo: unknown; readonly room?: unknown }
  | { readonly kind: "resume"; readonly uuid: unknown; readonly room?: unknown };

export type Request =
  | { readonly kind: "say"; readonly id: string | null; readonly text: unknown }
  | { readonly kind: "room"; readonly room: unknown }
  | { readonly kind: "earlier"; readonly before: string }
  | { readonly kind: "nothing" };

/** The reason why a request was refused. */
export type Refusal = "flood" | "not-understood" | "no-text" | "no-room" | "not-kept";
/** The reason why a connection was rejected. */
export type Rejection = "no-name" | "taken" | "flood" | "unknown-session" | "not-understood";

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
