/** A server of --json-replica, and the connection to it. Only an original server receives writes. */
import type { Logger } from "pino";
import type { Environment } from "../../../daemon/net/process/clock-and-randomness.js";
import { formatHost, type HostAndPort } from "../../../daemon/net/process/host-and-port.js";
import { ReplicaConnection, type ReplicaLimits } from "./replica-connection.js";

/** The kind of a server; `self` is the daemon's own listener. */
export type ReplicaKind = "original" | "dbsyncd" | "self";

/** The default port of -p. */
const DAEMON_PORT = 1111;
/** The length in bytes of a random probe id, long enough that no other program can guess it. */
const PROBE_ID_BYTES = 16;

/** The error when a dbsyncd listens at an address of --json-replica. */
export class DbsyncdReplica extends Error {
  constructor({ host }: HostAndPort) {
    const peer = formatHost({ host, port: DAEMON_PORT });
    super(
      `it is a dbsyncd, but --json-replica is for original servers. Instead of --json-replica, start both with: ` +
        `--data FOLDER --peer ${peer} --cluster-secret FILE (--peer: the other daemon's host and the port of its -p)`,
    );
  }
}

/** The error when the daemon has connected to itself. */
class OwnAddress extends Error {}

export class ReplicaServer {
  /** Called when the server has closed the connection. */
  onClosed: () => void = () => {};
  readonly #address: HostAndPort;
  readonly #log: Logger;
  readonly #environment: Environment;
  #replicaLimits: ReplicaLimits;
  #connection: ReplicaConnection | null = null;
  #kind: ReplicaKind | null = null;
  /** The probe id sent with the first request of the connection that is being opened, or null if none is. */
  #probeId: string | null = null;
  #isOwn = false;
  /** What has been logged about the server since an original answered last. */
  #reported: "unreachable" | "dbsyncd" | null = null;
  /** Whether the server's contents have been compared since it was connected. */
  isCompared = false;
  /** Whether the server has sent its documents since the daemon's start. Until then it receives no writes. */
  hasSentDocuments = false;
  /** The reason why the server was not reached. */
  problem: unknown = new Error("not connected yet");

  constructor(address: HostAndPort, replicaLimits: ReplicaLimits, log: Logger, environment: Environment) {
    this.#address = address;
    this.#replicaLimits = replicaLimits;
    this.#log = log;
    this.#environment = environment;
  }

  /** Replaces the limits, including those of the open connection. */
  set replicaLimits(replicaLimits: ReplicaLimits) {
    this.#replicaLimits = replicaLimits;
    if (this.#connection !== null) this.#connection.replicaLimits = replicaLimits;
  }

  /** Runs work during which the server may be silent for longer. @param factor  multiplies the usual time limit */
  async withLongerTimeout<A>(factor: number, maxMs: number, work: () => Promise<A>): Promise<A> {
    const usual = this.#replicaLimits;
    const silenceMs = Math.max(usual.silenceMs, Math.min(factor * usual.silenceMs, maxMs));
    const longer = { ...usual, silenceMs };
    this.replicaLimits = longer;
    try {
      return await work();
    } finally {
      if (this.#replicaLimits === longer) this.replicaLimits = usual;
    }
  }

  /** The address as host:port. */
  get name(): string {
    return formatHost(this.#address);
  }

  /** The connection, or null if there is none. */
  get connection(): ReplicaConnection | null {
    return this.#connection;
  }

  /** The kind of the server, or null if it is unknown or the connection was lost. */
  get kind(): ReplicaKind | null {
    return this.#kind;
  }

  get isSelf(): boolean {
    return this.#kind === "self";
  }

  get isConnected(): boolean {
    return this.#kind === "original" && this.#connection?.isLost === false;
  }

  /** Whether writes may be sent to the server. */
  get acceptsWrites(): boolean {
    return this.hasSentDocuments && this.#kind === "original";
  }

  /** Called with the probe id of a request that this daemon's own listener has received. */
  probeReceived(probeId: string): void {
    if (probeId === this.#probeId) this.#isOwn = true;
  }

  /** Returns a connection to an original. @throws DbsyncdReplica @throws Error  the connection failed */
  async connected(): Promise<ReplicaConnection> {
    // The server may have closed the connection while nothing was sent.
    if (this.#connection?.isLost) this.disconnect();
    this.#connection ??= await this.#open();
    return this.#connection;
  }

  /** Logs that the server is unreachable, or is a dbsyncd, but each only once until an original answers. */
  reportUnreachable(problem: unknown): void {
    this.problem = problem;
    const reason = problem instanceof Error ? problem.message : String(problem);
    const log = this.#log;
    const isDbsyncd = problem instanceof DbsyncdReplica;
    if (isDbsyncd && this.#reported !== "dbsyncd")
      log.error({ replica: this.name, reason }, "no writes are sent to this server of --json-replica");
    else if (!isDbsyncd && this.#reported === null)
      log.warn(
        { replica: this.name, reason },
        "a JSON replica is unreachable; missed writes will be sent later",
      );
    this.#reported = isDbsyncd ? "dbsyncd" : (this.#reported ?? "unreachable");
  }

  /** Records that the server has answered a write. */
  reportReachable(): void {
    this.#reported = null;
  }

  disconnect(): void {
    const connection = this.#connection;
    this.#connection = null;
    if (this.#kind === "original") this.#kind = null;
    connection?.destroy();
  }

  async #open(): Promise<ReplicaConnection> {
    const address = this.#address;
    this.#probeId = Buffer.from(this.#environment.randomBytes(PROBE_ID_BYTES), "latin1").toString("hex");
    this.#isOwn = false;
    this.isCompared = false;
    const connection = await ReplicaConnection.open(address, this.#probeId, this.#replicaLimits, () => {
      if (this.#connection?.isLost === true) this.onClosed();
    }).catch((problem) => {
      this.#kind = null;
      throw problem;
    });
    this.#kind = this.#isOwn ? "self" : connection.isDbsyncd ? "dbsyncd" : "original";
    if (this.#kind === "original") return connection;
    connection.destroy();
    throw this.isSelf ? new OwnAddress("it is this daemon") : new DbsyncdReplica(address);
  }
}
