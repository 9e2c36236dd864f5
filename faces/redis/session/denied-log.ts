/**
 * The log of refused commands and logins (ACL LOG). A repetition within a minute increments the count of the existing
 * entry.
 */
import { type ByteString, detached } from "../../../protocol/byte-string.js";

/** Maximum number of entries, regardless of acllog-max-len. */
const DENIED_ENTRIES_MAX = 100_000;
const TOGETHER_MS = 60_000;
/** Maximum length of a stored key or name in bytes, because clients without rights choose names of any length. */
const NAME_BYTES_MAX = 1024;

export interface Denied {
  readonly reason: "command" | "key" | "channel" | "auth";
  /** Whether the command was part of a transaction or script. */
  readonly context: "toplevel" | "multi" | "lua";
  /** The refused command, key or channel, or `AUTH` for a failed login. */
  readonly object: ByteString;
  readonly userName: ByteString;
  /** The client, as a line of CLIENT LIST. */
  readonly client: ByteString;
}

export interface DeniedEntry extends Denied {
  count: number;
  /** Milliseconds since 1970. */
  at: number;
}

export class DeniedLog {
  #entries: DeniedEntry[] = [];

  /** The entries, newest first. */
  get entries(): readonly DeniedEntry[] {
    return this.#entries;
  }

  /** Adds an entry. @param at  milliseconds since 1970 @param maxEntries  maximum number of entries to retain */
  add({ object, userName, ...rest }: Denied, at: number, maxEntries: number): void {
    const denied: Denied = { ...rest, object: shortName(object), userName: shortName(userName) };
    const same = this.#entries.findIndex(
      (one) =>
        at - one.at <= TOGETHER_MS &&
        (["reason", "context", "object", "userName"] as const).every((part) => one[part] === denied[part]),
    );
    const [before] = same < 0 ? [] : this.#entries.splice(same, 1);
    this.#entries.unshift({ ...denied, at, count: (before?.count ?? 0) + 1 });
    const kept = Math.min(maxEntries, DENIED_ENTRIES_MAX);
    if (this.#entries.length > kept) this.#entries.length = kept;
  }

  reset(): void {
    this.#entries = [];
  }
}

const shortName = (name: ByteString): ByteString =>
  name.length > NAME_BYTES_MAX ? detached(name.slice(0, NAME_BYTES_MAX)) : name;
