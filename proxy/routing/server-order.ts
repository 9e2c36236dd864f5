/** The order in which servers are tried for a statement, until one answers. */
import type { ByteString } from "../../protocol/byte-string.js";
import { keyOfDatabase, originalKey, type Partition, placementKey } from "./placement-key.js";
import { type Hash, rendezvous } from "./rendezvous.js";
import type { StatementKind } from "./statement-kind.js";

export interface OrderedServer {
  readonly id: string;
  readonly isWritten: boolean;
  readonly isRead: boolean;
  /** Whether any client expects an answer. */
  readonly isUp: boolean;
}

export interface OrderRules {
  /** All reads of a database go to one server; otherwise to all in turn. */
  readonly readsByRendezvous: boolean;
  /** The first server takes all writes. */
  readonly writesToFirst: boolean;
  readonly partition: Partition;
  readonly hash: Hash;
}

export class ServerOrder<Server extends OrderedServer> {
  readonly #readers: readonly Server[];
  readonly #writers: readonly Server[];
  readonly #rules: OrderRules;
  #turn = 0;

  constructor(servers: readonly Server[], rules: OrderRules) {
    this.#readers = servers.filter(({ isRead }) => isRead);
    this.#writers = servers.filter(({ isWritten }) => isWritten);
    this.#rules = rules;
  }

  /** @param database  that the session has chosen; empty: none */
  of(kind: StatementKind, statement: ByteString, database: ByteString): readonly Server[] {
    if (kind.kind === "write") return this.#ofWrite(kind.object, statement, database);
    const isPlaced = kind.kind === "read" && database !== "" && this.#rules.readsByRendezvous;
    return isPlaced ? rendezvous(this.#readers, keyOfDatabase(database), this.#rules.hash) : this.#inTurn();
  }

  #ofWrite(
    object: Parameters<typeof placementKey>[0],
    statement: ByteString,
    database: ByteString,
  ): readonly Server[] {
    const { writesToFirst, partition, hash } = this.#rules;
    if (writesToFirst) return this.#writers;
    const key =
      hash === "original" ? originalKey(statement, database) : placementKey(object, database, partition);
    return key === null ? this.#writers : rendezvous(this.#writers, key, hash);
  }

  /** Returns the servers that are up in turn; the remaining ones are tried if none of them answers. */
  #inTurn(): readonly Server[] {
    const up = this.#readers.filter(({ isUp }) => isUp);
    if (up.length === 0) return this.#readers;
    const first = this.#turn++ % up.length;
    const others = this.#readers.filter(({ isUp }) => !isUp);
    return [...up.slice(first), ...up.slice(0, first), ...others];
  }
}
