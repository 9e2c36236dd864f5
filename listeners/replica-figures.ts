/** What a daemon reports of the servers of its --json-replica: in metrics, INFO and /healthz. */
export interface JsonReplicaServer {
  /** host:port */
  readonly replica: string;
  readonly isConnected: boolean;
  /** Whether it is a dbsyncd: nothing is sent to it. */
  readonly isDbsyncd: boolean;
  /** Whether it has sent its documents since the start. */
  readonly hasGiven: boolean;
  /** Documents of which it may not have all. */
  readonly missing: number;
  /** How many of those it has refused, for now. */
  readonly refused: number;
  /** Documents that had other contents than here without a reason. */
  readonly different: number;
}

export interface JsonReplicaFigures {
  /** Whether clients are served: all servers have sent their documents. */
  readonly isReady: boolean;
  /** Without the daemon itself. */
  readonly servers: readonly JsonReplicaServer[];
}
