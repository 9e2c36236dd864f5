/** What metrics tell of a server of --json-replica. */
export interface JsonReplicaFigures {
  /** host:port */
  readonly replica: string;
  readonly isConnected: boolean;
  /** Whether it orders the writes. */
  readonly isLeader: boolean;
  /** Documents of which it may not have all. */
  readonly missing: number;
  /** Documents that were found to be others than here, without a reason. */
  readonly different: number;
}
