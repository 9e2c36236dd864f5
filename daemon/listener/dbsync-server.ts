/** The state that all connections to a listener of versions 1 and 2 share. */
import type { Socket } from "node:net";
import type { ByteString } from "../../protocol/byte-string.js";
import type { DaemonCondition } from "../../protocol/daemon-states.js";
import type { Version } from "../../protocol/frame.js";
import type { Hello } from "../../protocol/version-2/messages-v2.js";
import type { Pipeline } from "../engine/pipeline/pipeline.js";
import type { SlowLog } from "../engine/slow-log/slow-log.js";
import type { DaemonSocketHost } from "./daemon-listener.js";
import type { EventSources } from "./event-sources.js";

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
  readonly takesVersion1: boolean;
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
