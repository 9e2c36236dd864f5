/**
 * The protocol of the page and the terminal client: JSON frames with the sub-protocol `dbsync-chat`. Each message has
 * an id and an order key.
 */

import type { Message, RoomEvent } from "./message.js";
import type { Person } from "./sessions.js";

export const PROTOCOL = "dbsync-chat";

/** The reason why a request was refused. */
export type Refusal = "flood" | "not-understood" | "no-text" | "no-room" | "not-kept";
/** The reason why a connection was rejected. */
export type Rejection = "no-name" | "taken" | "flood" | "unknown-session" | "not-understood";

/** The frames of a client, beginning with the first one of a connection. */
export type ClientFrame =
  | { readonly do: "begin"; readonly pseudo: string; readonly room?: string }
  | { readonly do: "resume"; readonly session: string; readonly room?: string }
  | { readonly do: "say"; readonly id: string; readonly text: string }
  | { readonly do: "room"; readonly room: string }
  | { readonly do: "earlier"; readonly before: string };

/** The frames of a server. */
export type ServerFrame =
  | {
      readonly is: "welcome";
      readonly session: string;
      readonly you: Person;
      readonly isBack: boolean;
      readonly servers: readonly string[];
      /**
       * The maximum number of milliseconds between two frames of the server, which sends `alive` if there is nothing
       * else.
       */
      readonly beatMs: number;
    }
  | { readonly is: "alive" }
  | {
      readonly is: "history";
      readonly room: string;
      readonly messages: readonly Message[];
      readonly more: boolean;
    }
  | { readonly is: "event"; readonly event: RoomEvent }
  | { readonly is: "kept"; readonly message: Message }
  | {
      readonly is: "present";
      readonly room: string;
      readonly people: readonly Person[];
      readonly count: number;
      readonly rooms: readonly string[];
    }
  | { readonly is: "refused"; readonly why: Refusal; readonly id: string | null; readonly afterMs: number }
  | { readonly is: "rejected"; readonly why: Rejection };
