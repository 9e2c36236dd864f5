/** A server of --json-replica, as metrics, INFO and /healthz report it. */
export interface JsonReplicaServer {
  /** host:port */
  readonly replica: string;
  readonly isConnected: boolean;
  /** Whether it is a dbsyncd: nothing is sent to it. */
  readonly isDbsyncd: boolean;
  /** Whether it has sent its documents since the start. */
  readonly hasGiven: boolean;
  /** Documents that may be incomplete there. */
  readonly missing: number;
  /** Missing documents that the server has refused for now. */
  readonly refused: number;
  /** Documents that differed from the daemon's for no known reason. */
  readonly different: number;
}

export interface JsonReplicaFigures {
  /** Whether clients are served: all servers have sent their documents. */
  readonly isReady: boolean;
  /** The servers, without the daemon itself. */
  readonly servers: readonly JsonReplicaServer[];
}
