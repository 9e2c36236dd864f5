/** What was denied to whom: ACL LOG. The same again within a minute counts at the entry that there is. */
import { type ByteString, detached } from "../../../protocol/byte-string.js";

/** However many Redis's acllog-max-len permits. */
const DENIED_ENTRIES_MAX = 100_000;
const TOGETHER_MS = 60_000;
/** Of a key or a name that is kept: it is of those who are denied, and may be as long as any argument. */
const NAME_BYTES_MAX = 1024;

export interface Denied {
  readonly reason: "command" | "key" | "channel" | "auth";
  /** Whether the command stood in a transaction. */
  readonly context: "toplevel" | "multi" | "lua";
  /** What it was about: a command, a key, or what had to be logged in for. */
  readonly object: ByteString;
  readonly userName: ByteString;
  /** As a line of CLIENT LIST. */
  readonly client: ByteString;
}

export interface DeniedEntry extends Denied {
  count: number;
  /** Milliseconds since 1970. */
  at: number;
}

export class DeniedLog {
  #entries: DeniedEntry[] = [];

  /** The newest first. */
  get entries(): readonly DeniedEntry[] {
    return this.#entries;
  }

  /** @param at  milliseconds since 1970 @param most  entries that stay */
  add({ object, userName, ...rest }: Denied, at: number, most: number): void {
    const denied: Denied = { ...rest, object: shortName(object), userName: shortName(userName) };
    const same = this.#entries.findIndex(
      (one) =>
        at - one.at <= TOGETHER_MS &&
        (["reason", "context", "object", "userName"] as const).every((part) => one[part] === denied[part]),
    );
    const [before] = same < 0 ? [] : this.#entries.splice(same, 1);
    this.#entries.unshift({ ...denied, at, count: (before?.count ?? 0) + 1 });
    const kept = Math.min(most, DENIED_ENTRIES_MAX);
    if (this.#entries.length > kept) this.#entries.length = kept;
  }

  reset(): void {
    this.#entries = [];
  }
}

const shortName = (name: ByteString): ByteString =>
  name.length > NAME_BYTES_MAX ? detached(name.slice(0, NAME_BYTES_MAX)) : name;
