/** What a daemon tells of the servers of its --json-replica: asked for by the action `replica`, and in metrics, INFO and /healthz. */
export interface FleetServer {
  /** host:port */
  readonly replica: string;
  readonly isConnected: boolean;
  /** Whether it has given its documents since the start. */
  readonly hasGiven: boolean;
  /** Whether it orders the writes. */
  readonly isLeader: boolean;
  /** Documents of which it may not have all. */
  readonly missing: number;
  /** How many of those it has refused, for now. */
  readonly refused: number;
  /** Documents that were found to be others than here, without a reason. */
  readonly different: number;
}

/** And of all of them. */
export interface FleetFigures {
  /** Whether clients are served: the servers have given their documents. */
  readonly isReady: boolean;
  /** Whether the daemon that tells orders the writes. */
  readonly isLeading: boolean;
  /** Rises with each change of who does. */
  readonly term: number;
  /** Whether it has all that its leader has, as far as it knows. */
  readonly isLevel: boolean;
  /** Documents of its leader that it refuses. */
  readonly refused: number;
  /** Without the daemon itself. */
  readonly servers: readonly FleetServer[];
}
