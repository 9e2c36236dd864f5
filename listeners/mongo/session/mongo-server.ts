/** The state that all connections to a --mongo listener share. */

import type { DaemonInterface } from "../../daemon-interface.js";
import type { UserSocketHost } from "../../user-listener.js";
import { Cursors } from "./cursors.js";
import { ObjectIds } from "./object-ids.js";

/** The number of connection ids: drivers read an id as a signed 32-bit number. */
const IDS = 2 ** 31;
/**
 * The time for which greetings wait for the daemon to catch up, from the first of them on, in milliseconds. A daemon
 * that was restarted usually needs less. Drivers wait for a greeting for 10 s or more.
 */
const CATCH_UP_MS = 3000;
const CHECK_MS = 20;

export class MongoServer {
  readonly host: UserSocketHost;
  readonly daemon: DaemonInterface;
  readonly cursors: Cursors;
  readonly objectIds: ObjectIds;
  #lastId = 0;
  /** When greetings no longer wait, in milliseconds of uptime; null if the daemon is not catching up. */
  #waitsUntil: number | null = null;

  constructor(host: UserSocketHost, daemon: DaemonInterface) {
    this.host = host;
    this.daemon = daemon;
    this.cursors = new Cursors(host);
    this.objectIds = new ObjectIds(host.environment);
  }

  /**
   * Whether drivers should treat the daemon as one of several equal servers (a mongos), among which they choose and
   * fail over. Such a server has no sessions here: with sessions drivers would send transaction numbers in order to
   * repeat writes.
   */
  get isOneOfSeveral(): boolean {
    const { settings, members } = this.daemon;
    return settings.peers.length > 0 || members > 1;
  }

  /** Whether the daemon is catching up with its peers. */
  get isCatchingUp(): boolean {
    const isBehind = this.isOneOfSeveral && this.daemon.state === "catching-up";
    if (!isBehind) this.#waitsUntil = null;
    return isBehind;
  }

  /** Waits until the daemon has caught up. @returns false if that takes too long */
  async caughtUp(): Promise<boolean> {
    const { environment } = this.host;
    const end = (this.#waitsUntil ??= environment.uptime() + CATCH_UP_MS);
    while (this.isCatchingUp) {
      if (environment.uptime() >= end) return false;
      await new Promise<void>((resolve) => void environment.setTimer(CHECK_MS, resolve));
    }
    return true;
  }

  /** Returns the id of a new connection. */
  nextId(): number {
    this.#lastId = (this.#lastId + 1) % IDS;
    return this.#lastId;
  }
}
