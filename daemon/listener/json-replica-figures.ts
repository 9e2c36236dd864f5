/** The figures of a server of --json-replica, for metrics, INFO and /healthz. */
export interface JsonReplicaServer {
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
