/** Determines the order in which servers are tried for a statement. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { keyOfDatabase, originalKey, type Partition, placementKey } from "./placement-key.js";
import { type Hash, rendezvous } from "./rendezvous-hash.js";
import type { StatementKind } from "./statement-kind.js";

export interface OrderedServer {
  readonly id: string;
  readonly isWritable: boolean;
  readonly isReadable: boolean;
  /** Whether the server is expected to answer. */
  readonly isUp: boolean;
}

export interface OrderRules {
  /** Whether all reads of a database are sent to one server; otherwise they are sent to all in turn. */
  readonly readsByRendezvous: boolean;
  /** Whether all writes are sent to the first server. */
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
    this.#readers = servers.filter(({ isReadable }) => isReadable);
    this.#writers = servers.filter(({ isWritable }) => isWritable);
    this.#rules = rules;
  }

  /** Returns the servers for a statement. @param database  the session's database; empty if there is none */
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

  /** Returns the servers that are up, beginning with the next one in turn, followed by the remaining ones. */
  #inTurn(): readonly Server[] {
    const up = this.#readers.filter(({ isUp }) => isUp);
    if (up.length === 0) return this.#readers;
    const first = this.#turn++ % up.length;
    const others = this.#readers.filter(({ isUp }) => !isUp);
    return [...up.slice(first), ...up.slice(0, first), ...others];
  }
}
