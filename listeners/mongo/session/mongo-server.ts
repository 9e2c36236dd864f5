/** The state that all connections to a --mongo listener share. */

import type { DaemonInterface } from "../../daemon-interface.js";
import type { UserSocketHost } from "../../user-listener.js";
import { Cursors } from "./cursors.js";
import { ObjectIds } from "./object-ids.js";

/** The number of connection ids: drivers read an id as a signed 32-bit number. */
const IDS = 2 ** 31;

export class MongoServer {
  readonly host: UserSocketHost;
  readonly daemon: DaemonInterface;
  readonly cursors: Cursors;
  readonly objectIds: ObjectIds;
  #lastId = 0;

  constructor(host: UserSocketHost, daemon: DaemonInterface) {
    this.host = host;
    this.daemon = daemon;
    this.cursors = new Cursors(host);
    this.objectIds = new ObjectIds(host.environment);
  }

  /** Returns the id of a new connection. */
  nextId(): number {
    this.#lastId = (this.#lastId + 1) % IDS;
    return this.#lastId;
  }
}
