/** The daemon's configuration, whole and checked, and where each value came from. */
import type { CertificateFiles } from "../keys/certificate-pair.js";
import type { BackendSpecification } from "./backends/specification.js";
import type { DateWindow } from "./date-window.js";
import type { EvictionPolicy } from "./eviction-policy.js";
import type { Fsync } from "./fsync.js";
import type { Limits } from "./limits.js";
import type { ReplicaPlace } from "./listeners/json/replica-connection.js";
import type { LogFormat, LogLevel } from "./log.js";
import type { PeerAddress } from "./peers/member-socket.js";
import type { ListenPlace } from "./place.js";

/**
 * What becomes of a version 1 command that writes: refused with all of version 1; applied where it arrives; or signed by
 * the daemon's own key, recorded and given to the peers.
 */
export type Version1 = "off" | "local" | "gateway";

/** Listeners for users without keys: Redis clients, and those of the replicated memory database. */
export type UserListenerName = "resp" | "json";

export interface Settings {
  /** An address or a host name, without brackets. */
  readonly bind: string;
  /** 0: a free one. */
  readonly port: number;
  /** Files and folders of application keys; none of these and of `rootKey`: unsigned commands. */
  readonly signKey: readonly string[];
  /** Of administrators' keys. */
  readonly rootKey: readonly string[];
  /** What TLS is served with; null: no TLS. */
  readonly tls: CertificateFiles | null;
  /** Off loopback TLS only. */
  readonly requireTls: boolean;
  readonly clusterName: string;
  /** Milliseconds around the daemon's clock in which envelopes are taken. */
  readonly window: DateWindow;
  /** The oldest version that is taken. */
  readonly require: "v1" | "v2";
  readonly database: readonly BackendSpecification[];
  /** The data folder; null: all is lost with the process. */
  readonly data: string | null;
  readonly fsync: Fsync;
  /** Milliseconds that recorded commands are kept at least; infinity: for ever. */
  readonly retain: number;
  /** The other daemons of the cluster, as far as this one is told. */
  readonly peers: readonly PeerAddress[];
  readonly v1: Version1;
  readonly close: boolean;
  readonly allowUnsigned: boolean;
  readonly compat: "php-dbsync" | null;
  /** Where Redis clients are served; null: nowhere. */
  readonly resp: ListenPlace | null;
  /** Where clients that speak JSON lines are served; null: nowhere. */
  readonly json: ListenPlace | null;
  /** Servers that are sent what JSON clients write, in the original's protocol. */
  readonly jsonReplicas: readonly ReplicaPlace[];
  /** Users of the listeners without signatures; null: one who may do everything. */
  readonly aclFile: string | null;
  /** Where /healthz and /metrics are served; null: nowhere. */
  readonly admin: ListenPlace | null;
  /** What goes at the limit of memory. */
  readonly maxmemoryPolicy: EvictionPolicy;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  readonly limits: Limits;
  /** A line for each default that differs from php-dbsync's; none where a value was chosen, or other clients are served. */
  readonly differences: readonly string[];
}
