/**
 * The servers to which a session has written recently. Until the servers have replicated a write, the session's next
 * statements are sent to the server that executed the write.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { BalancedServer } from "./balanced-server.js";

/** The maximum number of databases for which a session's last write is remembered. */
const DATABASES_MAX = 64;

interface Write {
  readonly server: BalancedServer;
  /** The time until which statements are sent to this server, in `uptime` milliseconds. */
  readonly until: number;
}

export class RecentWrites {
  /** The writes by database; the newest is last. */
  readonly #writes = new Map<ByteString, Write>();

  note(database: ByteString, write: Write): void {
    this.#writes.delete(database);
    this.#writes.set(database, write);
    const [oldest] = this.#writes.keys();
    if (this.#writes.size > DATABASES_MAX && oldest !== undefined) this.#writes.delete(oldest);
  }

  /**
   * Returns the server of the last write if that write is recent; otherwise null.
   * @param database  the database of the write, or null for the last write to any database
   */
  serverOf(database: ByteString | null, now: number): BalancedServer | null {
    const write = database === null ? [...this.#writes.values()].at(-1) : this.#writes.get(database);
    return write !== undefined && now < write.until ? write.server : null;
  }
}
