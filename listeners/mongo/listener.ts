/** The listener of --mongo. */

import { isLoopback } from "../../net/process/loopback.js";
import type { MongoMessage } from "../../protocol/mongo/message.js";
import { UserListener, type UserListenerParts } from "../user-listener.js";
import { mongoCommandsByName } from "./commands/command-table.js";
import { MONGO_LISTENER, MongoDialect } from "./dialect.js";
import type { MongoDaemon } from "./session/command-host.js";
import { Cursors } from "./session/cursors.js";
import { ObjectIds } from "./session/object-ids.js";

/** Of connections, as they are told. */
const IDS = 2 ** 31;

export class MongoListener extends UserListener<MongoMessage> {
  #cursors: Cursors | null = null;

  constructor(parts: Omit<UserListenerParts, "daemon"> & { readonly daemon: MongoDaemon }) {
    const { daemon, gate, environment } = parts;
    let cursors: Cursors | null = null;
    let id = 0;
    const own = {
      daemon,
      commands: mongoCommandsByName,
      objectIds: new ObjectIds(environment),
      nextId: () => {
        id = (id + 1) % IDS;
        return id;
      },
      isPrivate: ({ address }: { readonly address: string }) => gate !== null || isLoopback(address) === true,
    };
    super(parts, {
      name: MONGO_LISTENER,
      fullText: "",
      dialects(host) {
        cursors = new Cursors(host);
        const whole = Object.assign(host, { ...own, cursors });
        return (one) => new MongoDialect(whole, one);
      },
    });
    this.#cursors = cursors;
  }

  /** With what cursors keep. */
  override get bufferedBytes(): number {
    return super.bufferedBytes + (this.#cursors?.bytes ?? 0);
  }

  override async stop(): Promise<void> {
    await super.stop();
    this.#cursors?.stop();
  }
}
