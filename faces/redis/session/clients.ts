/** The connections of the RESP listener, for the CLIENT commands. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { writeInvalidation, writeLostRedirection } from "../../../protocol/resp/resp-writer.js";

/** The number of subscriptions of each kind. */
export interface SubscriptionCounts {
  readonly channels: number;
  readonly patterns: number;
  readonly shards: number;
}

export interface RedisClient {
  readonly id: number;
  /** The addresses and ports of the client and of the listener. */
  readonly remote: string;
  readonly local: string;
  readonly name: ByteString;
  /** The name and version of the client's library, as sent by the client. */
  readonly library: ByteString;
  readonly libraryVersion: ByteString;
  /** The user, or null if the client must log in first. */
  readonly userName: ByteString | null;
  readonly db: number;
  readonly protocol: 2 | 3;
  /** The number of commands since MULTI, or -1 if no transaction is open. */
  readonly queuedCount: number;
  readonly isWaiting: boolean;
  readonly isMonitor: boolean;
  readonly subscriptionCounts: SubscriptionCounts;
  /** The tracker, or null if the client has never cached anything. */
  readonly tracker: Tracker | null;
  /** The uptime in milliseconds at connecting, and at the last activity. */
  readonly connectedAt: number;
  readonly activeAt: number;
  /** The bytes of requests that were not served yet, and of answers that the client has not received yet. */
  readonly requestBytes: number;
  readonly answerBytes: number;
  /** The latest command in lower case, or null if there has been none. */
  readonly lastCommand: string | null;
  /** Closes the connection immediately. */
  kill(): void;
  /** Closes the connection after the answer to the current command. */
  endAfterAnswer(): void;
  /** Sends bytes that are not a reply to a command. */
  push(bytes: ByteString): void;
  /** Ends the client's wait. @returns whether the client was waiting */
  unblock(outcome: "timeout" | "error"): boolean;
}

/** All connections, in the order in which they were opened. */
export class Clients {
  readonly #clients = new Map<number, RedisClient>();
  /** The number of connections since the start. */
  total = 0;

  add(client: RedisClient): void {
    this.#clients.set(client.id, client);
    this.total++;
  }

  remove(client: RedisClient): void {
    this.#clients.delete(client.id);
  }

  find(id: number): RedisClient | undefined {
    return this.#clients.get(id);
  }

  all(): readonly RedisClient[] {
    return [...this.#clients.values()];
  }

  get size(): number {
    return this.#clients.size;
  }
}

/** The options of CLIENT TRACKING ON. */
export interface TrackingMode {
  /**
   * The prefixes of keys whose changes are reported even if the client has not read them, or null if only changes of
   * keys that the client has read are reported.
   */
  readonly prefixes: ReadonlySet<ByteString> | null;
  /**
   * Which of the keys that the client reads are tracked: all keys, only those read after CLIENT CACHING YES, or all
   * except those read after CLIENT CACHING NO.
   */
  readonly choice: "all" | "optin" | "optout";
  /** Whether the client's own changes are not reported to it. */
  readonly noLoop: boolean;
  /** The id of the client that receives the invalidations; 0: this client. */
  readonly redirect: number;
}

/** A connection that caches what it reads, and receives invalidations. Forms: redis-server 7.0, tracking.c. */
export class Tracker {
  /** The client, or null if the connection has closed. */
  client: RedisClient | null;
  /** The object that identifies the sender of changes, or null if the connection has closed. */
  by: object | null;
  /** The options, or null if the client does not cache now. */
  mode: TrackingMode | null = null;
  /** Whether CLIENT CACHING precedes the current command. */
  isNamedByCaching = false;
  /** Whether the client that should receive the invalidations has disconnected. */
  isBroken = false;
  readonly #clients: Clients;

  constructor(client: RedisClient, by: object, clients: Clients) {
    this.client = client;
    this.by = by;
    this.#clients = clients;
  }

  /** Releases a closed connection, because keys that it has read still refer to this tracker. */
  release(): void {
    this.client = this.by = null;
  }

  /** Whether keys that are read now are tracked. */
  get notes(): boolean {
    const { mode } = this;
    if (mode === null || mode.prefixes !== null) return false;
    return mode.choice === "all" || (mode.choice === "optin") === this.isNamedByCaching;
  }

  /** Sends an invalidation. @param keys  the keys, or null for all keys */
  invalidate(keys: readonly ByteString[] | null): void {
    const { client } = this;
    if (client === null) return;
    const redirect = this.mode?.redirect ?? 0;
    const receiver = redirect === 0 ? client : this.#clients.find(redirect);
    if (receiver === undefined) {
      this.isBroken = true;
      if (client.protocol === 3) client.push(writeLostRedirection(redirect));
    } else if (receiver.protocol === 3 || (redirect !== 0 && hasSubscriptions(receiver)))
      receiver.push(writeInvalidation(keys, receiver.protocol));
  }
}

/**
 * Returns a line of CLIENT LIST. Fields that have no meaning here are 0.
 * @param now           uptime in milliseconds
 * @param requestBytes  the buffered bytes of requests; in the client's own line they include the current command
 */
export function clientLine(
  client: RedisClient,
  now: number,
  requestBytes: number = client.requestBytes,
): ByteString {
  const seconds = (since: number) => Math.floor((now - since) / 1000);
  const fields: Readonly<Record<string, string | number>> = {
    id: client.id,
    addr: client.remote,
    laddr: client.local,
    fd: -1,
    name: client.name,
    age: seconds(client.connectedAt),
    idle: seconds(client.activeAt),
    flags: flagsOf(client),
    db: client.db,
    sub: client.subscriptionCounts.channels,
    psub: client.subscriptionCounts.patterns,
    ssub: client.subscriptionCounts.shards,
    multi: client.queuedCount,
    qbuf: requestBytes,
    "qbuf-free": 0,
    "argv-mem": 0,
    "multi-mem": 0,
    rbs: 0,
    rbp: 0,
    obl: 0,
    oll: 0,
    omem: client.answerBytes,
    "tot-mem": requestBytes + client.answerBytes,
    events: "r",
    cmd: client.lastCommand ?? "NULL",
    user: client.userName ?? "(superuser)",
    redir: client.tracker?.mode?.redirect ?? -1,
    resp: client.protocol,
    "lib-name": client.library,
    "lib-ver": client.libraryVersion,
  };
  return Object.entries(fields)
    .map(([name, value]) => `${name}=${value}`)
    .join(" ");
}

/** Returns whether the client has subscriptions. */
export function hasSubscriptions({
  subscriptionCounts: { channels, patterns, shards },
}: RedisClient): boolean {
  return channels + patterns + shards > 0;
}

function flagsOf(client: RedisClient): string {
  const { isMonitor, isWaiting, queuedCount, tracker } = client;
  const mode = tracker?.mode ?? null;
  const flags =
    `${isMonitor ? "O" : ""}${hasSubscriptions(client) ? "P" : ""}${isWaiting ? "b" : ""}${queuedCount >= 0 ? "x" : ""}` +
    `${mode === null ? "" : "t"}${tracker?.isBroken ? "R" : ""}${(mode?.prefixes ?? null) === null ? "" : "B"}`;
  return flags === "" ? "N" : flags;
}
