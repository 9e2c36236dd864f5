/** The state that all connections to a listener of versions 1 and 2 share. */
import type { Socket } from "node:net";
import type { ByteString } from "../../protocol/byte-string.js";
import type { DaemonCondition } from "../../protocol/daemon-states.js";
import type { Version } from "../../protocol/frame.js";
import type { Hello } from "../../protocol/version-2/messages-v2.js";
import type { Channels } from "../engine/channels/channels.js";
import { type KeyChanges, KeyWatchers } from "../engine/channels/key-watchers.js";
import type { Pipeline } from "../engine/pipeline/pipeline.js";
import type { SlowLog } from "../engine/slow-log/slow-log.js";
import type { ClientDoing, CloseAnswer } from "../net/connections/dialect.js";
import type { DaemonSocketHost } from "./daemon-listener.js";

/**
 * Takes over the socket of another daemon. The socket has no event listeners anymore, and no bytes followed the hello.
 */
export type MemberHandler = (socket: Socket, hello: Hello) => void;

/** The services that a listener of versions 1 and 2 provides to its clients. */
export interface DbsyncService {
  readonly pipeline: Pipeline;
  /** The daemon's id, 32 bytes. */
  readonly daemon: ByteString;
  /** Returns the daemon's state, and the reason for it. */
  readonly condition: () => DaemonCondition;
  /** The sources of events, or null if clients cannot subscribe to events. */
  readonly events: EventSources | null;
  /** The log of slow commands, or null if no slow log is written. */
  readonly slowLog: SlowLog | null;
  /** Whether --require permits version 1. */
  readonly acceptsVersion1: boolean;
  /** Whether each connection closes after one answer (php-dbsync's option -c); for version 1 only. */
  readonly closeAfterAnswer: boolean;
  /** Takes over the connections of other daemons after their hello; null if daemons are served like clients. */
  readonly members: MemberHandler | null;
}

export class DbsyncServer {
  readonly host: DaemonSocketHost;
  readonly service: DbsyncService;
  /** The version that clients speak, or 0 if the first frame determines it. */
  readonly version: Version | 0;

  constructor(host: DaemonSocketHost, service: DbsyncService, version: Version | 0) {
    this.host = host;
    this.service = service;
    this.version = version;
  }

  /** The name of version 2 in metrics. */
  get listener(): "dbsync-v2" | "ws" {
    return this.version === 0 ? "dbsync-v2" : "ws";
  }
}

/** A frame, or the reason why the connection is closed. */
export type FrameOrClose = string | CloseAnswer;

/** The hello of another daemon, whose connection is handed over. */
export interface MembersHello {
  readonly kind: "members-hello";
  readonly hello: Hello;
}

/** The session of a connection, with one class for each version: frame payloads in, complete frames out. */
export interface Session {
  /** The listener's name in metrics. */
  readonly listener: "dbsync-v1" | DbsyncServer["listener"];
  /** Whether the connection closes after one answer (php-dbsync's option -c). */
  readonly closeAfterAnswer: boolean;
  /** Whether the client has proved that it may send commands here. */
  readonly isProven: boolean;
  /** Returns whether another request may be served while the given number of requests is pending. */
  canServe(pending: number): boolean;
  serve(payload: Buffer): FrameOrClose | MembersHello | Promise<FrameOrClose>;
  readonly doing?: ClientDoing;
  /** The number of bytes that are held in memory for the client. */
  readonly heldBytes?: number;
  /** Called when the connection has closed. */
  disconnected?(): void;
  /** Returns the close reason for a malformed stream. */
  malformed(detail: string): CloseAnswer;
}

/** A database in memory. */
export interface WatchedDatabase {
  readonly changes: KeyChanges;
  /** Returns the id of the unit that last changed a key, or an empty id if the key does not exist. */
  writerOf(db: number, key: ByteString): ByteString;
}

/** The sources of the events that clients of version 2 can subscribe to: channels and key changes. */
export class EventSources {
  readonly channels: Channels;
  /** The watchers of keys, or null if the database does not report key changes. */
  readonly keys: KeyWatchers | null;
  readonly #database: Partial<WatchedDatabase>;

  constructor(channels: Channels, database: Partial<WatchedDatabase>) {
    this.channels = channels;
    this.keys = database.changes === undefined ? null : new KeyWatchers(database.changes);
    this.#database = database;
  }

  /** Returns whether a key exists now. */
  exists(db: number, key: ByteString): boolean {
    return (this.#database.writerOf?.(db, key) ?? "") !== "";
  }
}
