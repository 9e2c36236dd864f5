/** The state that all connections to a --mongo listener share. */

import type { Environment } from "../../../daemon/net/process/clock-and-randomness.js";
import { type ByteString, bytesOf } from "../../../protocol/byte-string.js";
import { DAEMON_STATES } from "../../../protocol/daemon-states.js";
import type { StateName } from "../../../protocol/state-names.js";
import type { DaemonInterface } from "../../users/daemon-interface.js";
import type { UserSocketHost } from "../../users/user-listener.js";
import { type BsonValue, objectId } from "../bytes/bson-documents.js";
import { Cursors } from "./cursors.js";

/** The number of connection ids: drivers read an id as a signed 32-bit number. */
const IDS = 2 ** 31;
/**
 * The time in milliseconds for which greetings wait for the daemon to catch up; it starts with the first greeting. A
 * restarted daemon usually needs less. Drivers wait at least 10 s for the reply to a greeting.
 */
const CATCH_UP_MS = 3000;
const CHECK_MS = 20;

export class MongoServer {
  readonly host: UserSocketHost;
  readonly daemon: DaemonInterface;
  readonly cursors: Cursors;
  readonly objectIds: ObjectIds;
  #lastId = 0;
  /** The uptime in milliseconds at which greetings stop waiting, or null if none has waited yet. */
  #waitsUntil: number | null = null;

  constructor(host: UserSocketHost, daemon: DaemonInterface) {
    this.host = host;
    this.daemon = daemon;
    this.cursors = new Cursors(host);
    this.objectIds = new ObjectIds(host.environment);
  }

  /**
   * Whether drivers should treat the daemon as one of several equal servers (a mongos). Drivers choose one of them, and
   * fail over to another. Such a daemon offers no sessions, because drivers with sessions would add transaction
   * numbers to writes in order to retry them.
   */
  get isOneOfSeveral(): boolean {
    const { settings, members } = this.daemon;
    return settings.peers.length > 0 || members > 1;
  }

  /** Why drivers should use another daemon: this one is one of several, and not healthy. Otherwise null. */
  get unavailable(): StateName | null {
    const { state } = this.daemon.condition;
    if (state !== "catching-up") this.#waitsUntil = null;
    return this.isOneOfSeveral && !DAEMON_STATES[state].isHealthy ? state : null;
  }

  /** Waits until the daemon has caught up, for a limited time. */
  async caughtUp(): Promise<void> {
    const { environment } = this.host;
    const end = (this.#waitsUntil ??= environment.uptime() + CATCH_UP_MS);
    while (this.unavailable === "catching-up") {
      if (environment.uptime() >= end) return;
      await new Promise<void>((resolve) => void environment.setTimer(CHECK_MS, resolve));
    }
  }

  /** Returns the id of a new connection. */
  nextId(): number {
    this.#lastId = (this.#lastId + 1) % IDS;
    return this.#lastId;
  }
}

const RANDOM_BYTES = 5;
const COUNT_BYTES = 3;
const COUNTS = 2 ** (8 * COUNT_BYTES);

/**
 * The source of ids for documents that clients send without one. Source: MongoDB's specification of ObjectId: seconds,
 * five random bytes, a counter.
 */
class ObjectIds {
  readonly #environment: Environment;
  readonly #random: ByteString;
  readonly #bytes = Buffer.alloc(4 + RANDOM_BYTES + COUNT_BYTES);
  #count: number;

  constructor(environment: Environment) {
    this.#environment = environment;
    this.#random = environment.randomBytes(RANDOM_BYTES);
    this.#count = Buffer.from(environment.randomBytes(COUNT_BYTES), "latin1").readUIntBE(0, COUNT_BYTES);
  }

  next(): BsonValue {
    this.#count = (this.#count + 1) % COUNTS;
    const bytes = this.#bytes;
    bytes.writeUInt32BE(Math.floor(this.#environment.clock() / 1000) >>> 0, 0);
    bytes.write(this.#random, 4, "latin1");
    bytes.writeUIntBE(this.#count, 4 + RANDOM_BYTES, COUNT_BYTES);
    return objectId(bytesOf(bytes));
  }
}
