/** A connection that keeps copies of what it reads, and is told when they are none any more. Forms: redis-server 7.0, tracking.c. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { writeInvalidation, writeLostRedirection } from "../../../protocol/resp/push.js";
import type { Client } from "./clients.js";
import { hears } from "./clients.js";

/** What CLIENT TRACKING ON has chosen. */
export interface TrackingMode {
  /** Told of all keys that begin so, read or not. null: only of what it has read. */
  readonly prefixes: ReadonlySet<ByteString> | null;
  /** Of what it has read, which: all; what CLIENT CACHING YES stands before; all but what CLIENT CACHING NO stands before. */
  readonly choice: "all" | "optin" | "optout";
  /** Whether it is not told of what it has changed itself. */
  readonly noLoop: boolean;
  /** Number of the client that is told in its place; 0: it is told itself. */
  readonly redirect: number;
}

export class Tracker {
  /** null: it has gone. */
  client: Client | null;
  /** By which changes name who made them; null: it has gone. */
  by: object | null;
  /** null: it keeps no copies now. */
  mode: TrackingMode | null = null;
  /** Whether CLIENT CACHING stands before the command at hand. */
  isChosen = false;
  /** Whether the client that was to be told in its place has gone. */
  isBroken = false;
  readonly #find: (id: number) => Client | undefined;

  /** @param find  a client that is connected, by its number */
  constructor(client: Client, by: object, find: (id: number) => Client | undefined) {
    this.client = client;
    this.by = by;
    this.#find = find;
  }

  /** Lets go of the connection, which is no more: it is still among those of the keys that it has read. */
  release(): void {
    this.client = this.by = null;
  }

  /** Whether what is read now is noted. */
  get notes(): boolean {
    const { mode } = this;
    if (mode === null || mode.prefixes !== null) return false;
    return mode.choice === "all" || (mode.choice === "optin") === this.isChosen;
  }

  /** @param keys  null: all that it has */
  tell(keys: readonly ByteString[] | null): void {
    const { client } = this;
    if (client === null) return;
    const redirect = this.mode?.redirect ?? 0;
    const told = redirect === 0 ? client : this.#find(redirect);
    if (told === undefined) {
      this.isBroken = true;
      if (client.protocol === 3) client.push(writeLostRedirection(redirect));
    } else if (told.protocol === 3 || (redirect !== 0 && hears(told)))
      told.push(writeInvalidation(keys, told.protocol));
  }
}
