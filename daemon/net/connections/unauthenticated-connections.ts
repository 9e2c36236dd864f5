import type { OpenConnection } from "./open-connection.js";

/**
 * The minimum number of bytes that a connection to close must hold, as a share of the median. Closing a connection with
 * fewer bytes would free too little memory.
 */
const WORTH_CLOSING = 1 / 2;
/**
 * The maximum share of all bytes that the connections of one address may hold if it has several. Above it, the
 * connections of this address are closed first.
 */
const SHARE_OF_ADDRESS_MAX = 1 / 2;

interface Share {
  bytes: number;
  readonly connections: OpenConnection[];
}

/**
 * The unauthenticated connections of a listener, which have sent no valid signature or login or, if none is required,
 * no request. They are closed first. If there are too many connections, the one that has been silent longest is closed
 * to admit a new one. If the connections hold too many bytes, the ones that send most slowly are closed first, so that
 * faster clients can complete their requests.
 */
export class UnauthenticatedConnections {
  /** The connections; the one that has been silent longest is first. */
  readonly #connections = new Set<OpenConnection>();

  /** Records a new connection, or one that has sent bytes. */
  received(connection: OpenConnection): void {
    this.#connections.delete(connection);
    this.#connections.add(connection);
  }

  delete(connection: OpenConnection): void {
    this.#connections.delete(connection);
  }

  get size(): number {
    return this.#connections.size;
  }

  /** The connection that has been silent longest, or null if there is none. */
  get longestSilent(): OpenConnection | null {
    for (const connection of this.#connections) return connection;
    return null;
  }

  /**
   * Returns the connections to close if they hold too many bytes, the slowest first.
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
  // The mean is unsuitable, because one large request can raise it above all small ones.
  const min = (sizes[sizes.length >> 1] ?? 0) * WORTH_CLOSING;
  const pace = ({ heldBytes, activeAt }: OpenConnection) => heldBytes / Math.max(1, now - activeAt);
  return connections.filter(({ heldBytes }) => heldBytes >= min).sort((a, b) => pace(a) - pace(b));
}
