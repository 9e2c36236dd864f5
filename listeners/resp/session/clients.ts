/** The connections of the RESP listener, as the CLIENT commands see them. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { writeInvalidation, writeLostRedirection } from "../../../protocol/resp/push.js";

/** How many of each it hears. */
export interface Heard {
  readonly channels: number;
  readonly patterns: number;
  readonly shards: number;
}

export interface Client {
  readonly id: number;
  /** Address and port of the client, and of the listener. */
  readonly remote: string;
  readonly local: string;
  readonly name: ByteString;
  /** Name and version of its library, as it said. */
  readonly library: ByteString;
  readonly libraryVersion: ByteString;
  /** null: has not logged in. */
  readonly userName: ByteString | null;
  readonly db: number;
  readonly protocol: 2 | 3;
  /** Commands since MULTI; -1: no transaction is open. */
  readonly queuedCount: number;
  readonly isWaiting: boolean;
  readonly isMonitor: boolean;
  readonly heard: Heard;
  /** null: it has never kept copies. */
  readonly tracker: Tracker | null;
  /** `uptime` milliseconds. */
  readonly connectedAt: number;
  readonly activeAt: number;
  /** Bytes of requests that have not been served, and of answers that have not been taken. */
  readonly requestBytes: number;
  readonly answerBytes: number;
  /** Its latest command in lower case; null: none yet. */
  readonly lastCommand: string | null;
  /** Closes it at once. */
  kill(): void;
  /** Closes it once the command at hand is answered. */
  endAfterAnswer(): void;
  /** Sends what answers no command. */
  push(bytes: ByteString): void;
  /** Ends its waiting. @returns whether it waited */
  unblock(how: "timeout" | "error"): boolean;
}

/** All connections, in the order in which they came. */
export class Clients {
  readonly #clients = new Map<number, Client>();
  /** Since the start. */
  total = 0;

  add(client: Client): void {
    this.#clients.set(client.id, client);
    this.total++;
  }

  remove(client: Client): void {
    this.#clients.delete(client.id);
  }

  find(id: number): Client | undefined {
    return this.#clients.get(id);
  }

  all(): readonly Client[] {
    return [...this.#clients.values()];
  }

  get size(): number {
    return this.#clients.size;
  }
}

/** What CLIENT TRACKING ON has chosen. */
export interface TrackingMode {
  /** Told of all keys that begin so, read or not. null: only of what it has read. */
  readonly prefixes: ReadonlySet<ByteString> | null;
  /** Of what it has read, which: all; what CLIENT CACHING YES stands before; all but what CLIENT CACHING NO stands before. */
  readonly choice: "all" | "optin" | "optout";
  /** Whether it is not told of what it has changed itself. */
  readonly noLoop: boolean;
  /** Number of the client that is told in its place; 0: it is told itself. */
  readonly redirect: number;
}

/** A connection that keeps copies of what it reads, and is told when they are none any more. Forms: redis-server 7.0, tracking.c. */
export class Tracker {
  /** null: it has gone. */
  client: Client | null;
  /** By which changes name who made them; null: it has gone. */
  by: object | null;
  /** null: it keeps no copies now. */
  mode: TrackingMode | null = null;
  /** Whether CLIENT CACHING stands before the command at hand. */
  isChosen = false;
  /** Whether the client that was to be told in its place has gone. */
  isBroken = false;
  readonly #clients: Clients;

  constructor(client: Client, by: object, clients: Clients) {
    this.client = client;
    this.by = by;
    this.#clients = clients;
  }

  /** Lets go of the connection, which is no more: it is still among those of the keys that it has read. */
  release(): void {
    this.client = this.by = null;
  }

  /** Whether what is read now is noted. */
  get notes(): boolean {
    const { mode } = this;
    if (mode === null || mode.prefixes !== null) return false;
    return mode.choice === "all" || (mode.choice === "optin") === this.isChosen;
  }

  /** @param keys  null: all that it has */
  tell(keys: readonly ByteString[] | null): void {
    const { client } = this;
    if (client === null) return;
    const redirect = this.mode?.redirect ?? 0;
    const told = redirect === 0 ? client : this.#clients.find(redirect);
    if (told === undefined) {
      this.isBroken = true;
      if (client.protocol === 3) client.push(writeLostRedirection(redirect));
    } else if (told.protocol === 3 || (redirect !== 0 && hears(told)))
      told.push(writeInvalidation(keys, told.protocol));
  }
}

/**
 * A line of CLIENT LIST. What has no meaning here is 0.
 * @param now           `uptime` milliseconds
 * @param requestBytes  with the command that is being served, where it is the client's own
 */
export function clientLine(
  client: Client,
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
    sub: client.heard.channels,
    psub: client.heard.patterns,
    ssub: client.heard.shards,
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

/** Whether it hears anything. */
export function hears({ heard: { channels, patterns, shards } }: Client): boolean {
  return channels + patterns + shards > 0;
}

function flagsOf(client: Client): string {
  const { isMonitor, isWaiting, queuedCount, tracker } = client;
  const mode = tracker?.mode ?? null;
  const flags =
    `${isMonitor ? "O" : ""}${hears(client) ? "P" : ""}${isWaiting ? "b" : ""}${queuedCount >= 0 ? "x" : ""}` +
    `${mode === null ? "" : "t"}${tracker?.isBroken ? "R" : ""}${(mode?.prefixes ?? null) === null ? "" : "B"}`;
  return flags === "" ? "N" : flags;
}
