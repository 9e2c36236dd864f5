/**
 * The servers to which a session has written recently. Servers replicate writes, which takes a moment: until then the session's next
 * statements go to the server that has them.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import type { BalancedServer } from "./balanced-server.js";

/** Maximum databases that are remembered for one session. */
const DATABASES_MAX = 64;

interface Write {
  readonly server: BalancedServer;
  /** `uptime` milliseconds. */
  readonly until: number;
}

export class RecentWrites {
  /** The writes by database, the newest last. */
  readonly #writes = new Map<ByteString, Write>();

  note(database: ByteString, write: Write): void {
    this.#writes.delete(database);
    this.#writes.set(database, write);
    const [oldest] = this.#writes.keys();
    if (this.#writes.size > DATABASES_MAX && oldest !== undefined) this.#writes.delete(oldest);
  }

  /** @param database  null: any @returns null: nothing was written lately */
  serverOf(database: ByteString | null, now: number): BalancedServer | null {
    const write = database === null ? [...this.#writes.values()].at(-1) : this.#writes.get(database);
    return write !== undefined && now < write.until ? write.server : null;
  }
}
