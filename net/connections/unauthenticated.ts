/**
 * The unauthenticated connections of a listener: no signature that holds, no login, or, where none is needed, no
 * request. They are closed first: for newcomers when there are too many, the one that has been silent longest first;
 * and for requests when too much is held, the slowest first, so that a request that is being received outlives those
 * that make no progress.
 */
import type { OpenConnection } from "./open-connection.js";

/** A connection that holds less than this share of the median frees too little to be closed for it. */
const WORTH_CLOSING = 1 / 2;
/** An address that holds more than this share of it, on several connections, loses its own first. */
const SHARE_OF_ADDRESS_MAX = 1 / 2;

interface Share {
  bytes: number;
  readonly connections: OpenConnection[];
}

export class Unauthenticated {
  /** The connection that has been silent longest first. */
  readonly #connections = new Set<OpenConnection>();

  /** One that is new, or that has sent something. */
  heard(connection: OpenConnection): void {
    this.#connections.delete(connection);
    this.#connections.add(connection);
  }

  delete(connection: OpenConnection): void {
    this.#connections.delete(connection);
  }

  get size(): number {
    return this.#connections.size;
  }

  /** null: there is none. */
  get silentLongest(): OpenConnection | null {
    for (const connection of this.#connections) return connection;
    return null;
  }

  /**
   * Returns the connections to close when they hold too much, the slowest request first.
   * @param now  `uptime` milliseconds
   */
  slowest(now: number): readonly OpenConnection[] {
    const shares = new Map<string, Share>();
    const all: Share = { bytes: 0, connections: [] };
    for (const connection of this.#connections) {
      if (connection.heldBytes === 0) continue;
      const share = shares.get(connection.address) ?? { bytes: 0, connections: [] };
      shares.set(connection.address, share);
      for (const one of [share, all]) {
        one.bytes += connection.heldBytes;
        one.connections.push(connection);
      }
    }
    const greedy = [...shares.values()].find(
      ({ bytes, connections }) => connections.length > 1 && bytes > all.bytes * SHARE_OF_ADDRESS_MAX,
    );
    return slowestFirst(greedy ?? all, now);
  }
}

function slowestFirst({ connections }: Share, now: number): readonly OpenConnection[] {
  const sizes = connections.map(({ heldBytes }) => heldBytes).sort((a, b) => a - b);
  // Not the average, which one large request among many small ones raises above all of these.
  const least = (sizes[sizes.length >> 1] ?? 0) * WORTH_CLOSING;
  const pace = ({ heldBytes, activeAt }: OpenConnection) => heldBytes / Math.max(1, now - activeAt);
  return connections.filter(({ heldBytes }) => heldBytes >= least).sort((a, b) => pace(a) - pace(b));
}
