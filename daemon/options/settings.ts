/** The daemon's configuration, whole and checked, and where each value came from. */
import type { CertificateFiles } from "../../keys/certificate-pair.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { LogFormat, LogLevel } from "../process/log.js";
import type { BackendSpecification } from "./database-list.js";
import type { DateWindow } from "./date-window.js";
import type { EvictionPolicy } from "./eviction-policy.js";
import type { Fsync } from "./fsync.js";
import type { Limits } from "./limits.js";
import type { PeerAddress } from "./peer-address.js";
import type { ListenPlace, ReplicaPlace } from "./place.js";

/**
 * What becomes of a version 1 command that writes: refused with all of version 1; applied where it arrives; or signed by
 * the daemon's own key, recorded and given to the peers.
 */
export type Version1 = "off" | "local" | "gateway";

/** Listeners for users without keys: Redis clients, and those of the replicated memory database. */
export type UserListenerName = "resp" | "json";

/** Nobody, clients of this machine, or all: Redis's words. */
export const DEBUG_CLIENTS = ["no", "local", "yes"] as const;
export type DebugClients = (typeof DEBUG_CLIENTS)[number];

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
  /** The file of the secret that all daemons of the cluster share; null: none. */
  readonly clusterSecret: string | null;
  /** Id (32 bytes) of the member whose snapshot an operator has ordered to be taken over; null: of none. */
  readonly adopt: ByteString | null;
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
  /** Whether listeners for users may be in reach of other machines although somebody needs no password. */
  readonly allowAnonymous: boolean;
  /** Who may send DEBUG to the listener for Redis clients. */
  readonly enableDebugCommand: DebugClients;
  /** Where /healthz and /metrics are served; null: nowhere. */
  readonly admin: ListenPlace | null;
  /** Names by which it may be asked for there, in lower case, besides addresses and localhost. */
  readonly adminHosts: readonly string[];
  /** What goes at the limit of memory. */
  readonly maxmemoryPolicy: EvictionPolicy;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  readonly limits: Limits;
  /** A line for each default that differs from php-dbsync's; none where a value was chosen, or other clients are served. */
  readonly differences: readonly string[];
}
