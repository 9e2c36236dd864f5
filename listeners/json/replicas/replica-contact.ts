/** What is known of a server of --json-replica, and the connection to it: of which kind it is, whom it follows. */
import type { Logger } from "pino";
import { placeName, type ReplicaPlace } from "../../../net/process/place.js";
import type { Fleet } from "./fleet.js";
import { type Leader, type Met, meet, metIn } from "./fleet-messages.js";
import { objectOf, type ReplicaBounds, ReplicaConnection } from "./replica-connection.js";

/**
 * `original`: takes the original's words. `alone`: a daemon that has no list, or none with this one in it. `follower`: one that this one leads.
 * `other`: one that has another leader, or leads. `self`: this daemon.
 */
export type ReplicaKind = "original" | "alone" | "follower" | "other" | "self";

export interface ContactHost {
  readonly log: Logger;
  readonly fleet: Fleet;
  /** Unlike any other, and not to be guessed. */
  newMark(): string;
  /** Another daemon says whom it follows, and gives what is lacking here. */
  met(met: Met): void;
}

export interface ContactParts {
  readonly place: ReplicaPlace;
  readonly bounds: ReplicaBounds;
  readonly host: ContactHost;
  /** The other side has ended the connection that stands. */
  readonly closed: () => void;
}

/** What is known of the server. */
export type KnownContact = Pick<
  ReplicaContact,
  | "place"
  | "name"
  | "memberId"
  | "kind"
  | "isDaemon"
  | "isConnected"
  | "met"
  | "bears"
  | "hasGiven"
  | "problem"
  | "withPatience"
>;

export class ReplicaContact {
  readonly #parts: ContactParts;
  #bounds: ReplicaBounds;
  #connection: ReplicaConnection | null = null;
  /** Of the connection: by it the other side finds out whose it is. */
  #mark: string | null = null;
  #kind: ReplicaKind | null = null;
  #memberId: string | null = null;
  #met: Met | null = null;
  /** The log says that it is away. */
  #isAway = false;
  /** Whether its contents have been compared since it was met. */
  isCompared = false;
  /** Whether it has given its documents since the start: nothing is sent to it before. */
  hasGiven = false;
  /** Why it was not reached. */
  problem: unknown = new Error("not reached yet");

  constructor(parts: ContactParts) {
    this.#parts = parts;
    this.#bounds = parts.bounds;
  }

  /** From now on, on a connection that stands too. */
  set bounds(bounds: ReplicaBounds) {
    this.#bounds = bounds;
    if (this.#connection !== null) this.#connection.bounds = bounds;
  }

  get place(): ReplicaPlace {
    return this.#parts.place;
  }

  /** Runs work during which the server may be silent for longer. @param factor  by which its time limit is multiplied */
  async withPatience<A>(factor: number, mostMs: number, work: () => Promise<A>): Promise<A> {
    const usual = this.#bounds;
    const silenceMs = Math.max(usual.silenceMs, Math.min(factor * usual.silenceMs, mostMs));
    const patient = { ...usual, silenceMs };
    this.bounds = patient;
    try {
      return await work();
    } finally {
      if (this.#bounds === patient) this.bounds = usual;
    }
  }

  /** host:port */
  get name(): string {
    return placeName(this.#parts.place);
  }

  /** null: there is none. */
  get connection(): ReplicaConnection | null {
    return this.#connection;
  }

  /** Whether the connection that stands bears a mark. */
  bears(mark: string): boolean {
    return this.#connection?.isLost === false && this.#mark === mark;
  }

  /** null: not known yet, or not any more. */
  get kind(): ReplicaKind | null {
    return this.#kind;
  }

  /** Of the daemon that was met last. */
  get memberId(): string | null {
    return this.#memberId;
  }

  /** What it said when it was met; null: it has no list. */
  get met(): Met | null {
    return this.#met;
  }

  /** Whether it is a daemon of ours, as far as is known. */
  get isDaemon(): boolean {
    return this.#kind !== null && this.#kind !== "original";
  }

  get isConnected(): boolean {
    return this.#connection !== null && !this.#connection.isLost && this.#kind !== null;
  }

  /** Whether it is a daemon to which writes are told as they come. */
  get isOpen(): boolean {
    const isLed = this.#kind === "follower" || this.#kind === "alone";
    return isLed && this.isCompared && this.#connection?.isLost === false;
  }

  /** Whether it takes writes from here, as far as is known. */
  get isTaking(): boolean {
    return this.hasGiven && this.#kind !== null && this.#kind !== "other" && this.#kind !== "self";
  }

  /** Whose order it knows, as a follower; null: none. */
  get leader(): Leader | null {
    return this.#kind === "follower" ? this.#parts.host.fleet.claim : null;
  }

  /** Another one leads from now on. */
  renew(): void {
    if (this.#kind === "self") return;
    if (this.#kind !== "original") this.#kind = null;
    this.isCompared = false;
  }

  /** Reached and met. @throws Error  the connection */
  async connected(): Promise<ReplicaConnection> {
    // It may have been closed while there was nothing to say.
    if (this.#connection?.isLost) this.disconnect();
    const { place, host } = this.#parts;
    if (this.#connection === null) {
      this.#mark = host.newMark();
      this.#connection = await ReplicaConnection.open(place, this.#bounds, () => this.#closed());
      this.#kind = null;
    }
    const connection = this.#connection;
    if (this.#kind === null) {
      this.isCompared = false;
      this.#kind = connection.isDaemon ? await this.#meet(connection) : "original";
    }
    return connection;
  }

  /** Once, until it has taken something again. */
  tellAway(problem: unknown): void {
    this.problem = problem;
    const reason = problem instanceof Error ? problem.message : String(problem);
    if (!this.#isAway)
      this.#parts.host.log.warn(
        { replica: this.name, reason },
        "a JSON replica is away; what it misses will be sent",
      );
    this.#isAway = true;
  }

  /** It has answered to something that it was to take. */
  tellThere(): void {
    this.#isAway = false;
  }

  disconnect(): void {
    const connection = this.#connection;
    this.#connection = null;
    this.#kind = null;
    connection?.destroy();
  }

  async #meet(connection: ReplicaConnection): Promise<ReplicaKind> {
    const { host } = this.#parts;
    const { fleet } = host;
    const meeting = { id: fleet.id, claim: fleet.claim, counts: fleet.counts };
    const answer = objectOf(await connection.ask(meet(meeting, this.#mark as string)));
    // One whose users may not do everything, or that records what it does, is told in the original's words.
    if (answer.get("status") !== "success") {
      connection.isDaemon = false;
      return "original";
    }
    const met = metIn(answer);
    this.#met = met;
    this.#memberId = met?.id ?? null;
    if (met === null) return "alone";
    if (met.id === fleet.id) return "self";
    host.met(met);
    if (fleet.leads && met.claim.id === fleet.id && met.isProven) return "follower";
    return fleet.leads && !met.isListed ? "alone" : "other";
  }

  #closed(): void {
    if (this.#connection?.isLost === true) this.#parts.closed();
  }
}
