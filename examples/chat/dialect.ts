/** The protocol of a connection: the words of the exercise, or frames of JSON. A seat knows neither's bytes. */
import type { Message, RoomEvent } from "./message.js";
import type { Present, Session } from "./sessions.js";

export type First =
  | { readonly kind: "begin"; readonly pseudo: unknown; readonly room?: unknown }
  | { readonly kind: "resume"; readonly uuid: unknown; readonly room?: unknown };

export type Request =
  | { readonly kind: "say"; readonly id: string | null; readonly text: unknown }
  | { readonly kind: "room"; readonly room: unknown }
  | { readonly kind: "earlier"; readonly before: string }
  | { readonly kind: "nothing" };

/** Why a request was not done. */
export type Refusal = "flood" | "not-understood" | "no-text" | "no-room" | "not-kept";
/** Why a connection may not stay. */
export type Rejection = "no-name" | "taken" | "flood" | "unknown-session" | "not-understood";

export interface Welcome {
  readonly session: Session;
  /** The id of the session for other users. */
  readonly from: string;
  readonly isBack: boolean;
  /** The addresses of the servers, this one among them. */
  readonly servers: readonly string[];
  /** Milliseconds in which the server sends something. */
  readonly beatMs: number;
}

export interface Page {
  readonly room: string;
  readonly from: string;
  readonly messages: readonly Message[];
  /** Whether there are earlier ones. */
  readonly more: boolean;
}

export interface Told extends Present {
  readonly room: string;
  readonly rooms: readonly string[];
}

export interface Dialect {
  /** @returns null: nothing that a connection may begin with */
  first(text: string): First | null;
  request(text: string): Request | null;
  welcome(welcome: Welcome): readonly string[];
  history(page: Page): readonly string[];
  /** @returns null: not sent to this client */
  event(event: RoomEvent, isOwn: boolean): string | null;
  /**
   * Acknowledges a message to its sender: it is stored. @param isShown  whether this client was sent it already @returns null: not sent to
   * this client
   */
  kept(message: Message, isShown: boolean): string | null;
  /** Reports that the server is up. @returns null: not sent to this client */
  alive(): string | null;
  present(told: Told): string | null;
  refused(refusal: { readonly why: Refusal; readonly id: string | null; readonly afterMs: number }): string;
  rejected(why: Rejection): string;
}
