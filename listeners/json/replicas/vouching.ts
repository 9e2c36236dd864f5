/**
 * Whose a connection is that another daemon has opened: who listens at a place of the list is asked whether it is his. So nobody leads, or
 * hands over anything, for only saying that he is a member. Source: docs/json-documents.md "Who may do what".
 */

import type { Environment } from "../../../net/process/environment.js";
import type { ReplicaPlace } from "../../../net/process/place.js";
import { textIn, vouch } from "./fleet-messages.js";
import { objectOf, type ReplicaBounds, ReplicaConnection } from "./replica-connection.js";

/** Who somebody says he is. */
export interface Caller {
  readonly id: string;
  /** Of his connection: made for it alone, and told to this daemon alone. */
  readonly mark: string;
}

/** Not to be guessed. */
const MARK_BYTES = 16;
/** Every place of the list is asked about it. */
const MARK_CHARS_MOST = 64;
/** The one that is asked has to wait for this one meanwhile: it is to be answered before its own time is up. */
const SHARE = 1 / 2;
/** Callers who may wait for one place: each connection here may bring one. */
const WAITING_MOST = 1_000;
/** Milliseconds that a connection stands when nothing is asked: somebody who calls again and again is to open none for each time. */
const IDLE_MS = 1_000;

export function newMark({ randomBytes }: Pick<Environment, "randomBytes">): string {
  return Buffer.from(randomBytes(MARK_BYTES), "latin1").toString("hex");
}

/** @returns null: it is nothing that may be asked about */
export function callerIn(id: unknown, mark: unknown): Caller | null {
  const isMark = typeof mark === "string" && mark.length <= MARK_CHARS_MOST;
  return typeof id === "string" && isMark ? { id, mark } : null;
}

export class Vouching {
  readonly #witnesses: ReadonlyMap<ReplicaPlace, Witness>;

  /** @param bounds  asked for whenever a place is reached */
  constructor(places: readonly ReplicaPlace[], bounds: () => ReplicaBounds) {
    this.#witnesses = new Map(places.map((place) => [place, new Witness(place, bounds)]));
  }

  /** @param places  of the list @returns whether one of those there says that the connection is his; false: none does in time */
  async isVouchedFor(caller: Caller, places: readonly ReplicaPlace[]): Promise<boolean> {
    const asked = places.map(async (place) => {
      if (!(await this.#witnesses.get(place)?.owns(caller))) throw new Error("it is not his");
      return true;
    });
    return await Promise.any(asked).catch(() => false);
  }

  stop(): void {
    for (const witness of this.#witnesses.values()) witness.stop();
  }
}

/**
 * Who listens at a place, asked by one connection whoever wants to know. It stands beside the one that tells writes, which may wait for
 * what is asked here.
 */
class Witness {
  readonly #place: ReplicaPlace;
  readonly #bounds: () => ReplicaBounds;
  /** null: none is open, or being opened. */
  #connection: Promise<ReplicaConnection> | null = null;
  #waiting = 0;
  #idle: NodeJS.Timeout | null = null;

  constructor(place: ReplicaPlace, bounds: () => ReplicaBounds) {
    this.#place = place;
    this.#bounds = bounds;
  }

  /** @throws Error  the place cannot be reached, or too many wait for it */
  async owns({ id, mark }: Caller): Promise<boolean> {
    if (this.#waiting >= WAITING_MOST) throw new Error("too many ask");
    this.#waiting++;
    if (this.#idle !== null) clearTimeout(this.#idle);
    this.#idle = null;
    try {
      const connection = await this.#connected();
      if (!connection.isDaemon) return false;
      const answer = objectOf(await connection.ask(vouch(mark)));
      return answer.get("isMine") === true && textIn(answer.get("id")) === id;
    } finally {
      this.#waiting--;
      if (this.#waiting === 0) this.#idle = setTimeout(() => this.stop(), IDLE_MS).unref();
    }
  }

  stop(): void {
    if (this.#idle !== null) clearTimeout(this.#idle);
    this.#idle = null;
    const opened = this.#connection;
    this.#connection = null;
    opened?.then((connection) => connection.destroy()).catch(() => {});
  }

  /** Those who come while it is being opened wait for the same. */
  #connected(): Promise<ReplicaConnection> {
    if (this.#connection !== null) return this.#connection;
    const { silenceMs, maxBytes } = this.#bounds();
    const bounds = { silenceMs: Math.ceil(silenceMs * SHARE), maxBytes };
    const opened: Promise<ReplicaConnection> = ReplicaConnection.open(this.#place, bounds, () => {
      if (this.#connection === opened) this.#connection = null;
    });
    this.#connection = opened;
    return opened;
  }
}
