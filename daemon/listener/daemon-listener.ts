/** A listener with the daemon's limits, refusals and observer. */

import { REFUSALS } from "../engine/answers/refusals.js";
import type { Observer } from "../engine/pipeline/pipeline-parts.js";
import type { ConnectionRegistry } from "../net/connections/connection-registry.js";
import { SocketListener, type SocketListenerParts } from "../net/connections/socket-listener.js";
import type { Limits } from "../options/limits.js";

/** The listener as its connections see it. */
export type DaemonSocketHost = ConnectionRegistry<Limits, Observer>;

/** The call counts of one command family since the start. */
export interface FamilyCounts {
  /** The name of the ACL category, without its `@`. */
  readonly family: string;
  readonly calls: number;
  /** The number of calls that were answered with an error. */
  readonly failed: number;
  /** The total running time in seconds. */
  readonly seconds: number;
}

export type DaemonListenerParts = Omit<SocketListenerParts<Limits, Observer>, "refusals">;

export class DaemonListener extends SocketListener<Limits, Observer> {
  constructor(parts: DaemonListenerParts) {
    super({ ...parts, refusals: REFUSALS });
  }

  /** Clients' calls by command family, or null if they are not counted. */
  get families(): readonly FamilyCounts[] | null {
    return null;
  }

  /** The reason why documents cannot be read or written yet, or null if they can. */
  get loading(): string | null {
    return null;
  }

  /** The servers to which clients' writes are sent, or null if there are none. */
  get jsonReplicas(): JsonReplicaFigures | null {
    return null;
  }
}

/** The figures of a server of --json-replica, for metrics, INFO and /healthz. */
interface JsonReplicaServer {
  /** The address as host:port. */
  readonly replica: string;
  readonly isConnected: boolean;
  /** Whether the server is a dbsyncd, to which nothing is sent. */
  readonly isDbsyncd: boolean;
  /** Whether the server has sent its documents since the start. */
  readonly hasSentDocuments: boolean;
  /** The number of documents that may be incomplete on the server. */
  readonly missing: number;
  /** The number of missing documents that the server refuses for now. */
  readonly refused: number;
  /** The number of documents that differed from the daemon's for no known reason. */
  readonly different: number;
}

export interface JsonReplicaFigures {
  /** Whether clients are served, because all servers have sent their documents. */
  readonly isReady: boolean;
  /** The servers, excluding the daemon itself. */
  readonly servers: readonly JsonReplicaServer[];
}
