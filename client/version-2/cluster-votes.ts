import type { ByteString } from "../../protocol/byte-string.js";
import { hexOf } from "../../protocol/version-2/envelope.js";
import type { DeadlineTimer } from "../shared/deadline-timer.js";
import { unprotectedCluster } from "../shared/sentences.js";
import type { Address } from "../shared/server-list.js";
import type { DaemonLink } from "./daemon-link.js";

/** If a conflict is at least this old, the next call makes the client query the daemons again. */
const CONFLICT_MS = 1_000;

/**
 * The cluster that each daemon names, and the cluster that commands are for. A configured cluster never changes.
 * Otherwise the client queries a daemon again if its keys have changed, and the majority decides again.
 */
export class ClusterVotes {
  readonly isConfigured: boolean;
  /** The cluster that commands are for, or "" if it is not known yet. */
  cluster: ByteString;
  /** Describes the conflict if the servers name different clusters and none has the most votes; otherwise null. */
  conflict: string | null = null;
  readonly #links: readonly DaemonLink[];
  readonly #warn: (warning: string) => void;
  readonly #timer: DeadlineTimer;
  readonly #votes = new Map<DaemonLink, ByteString>();
  /** The time at which the client decides on the cluster, or infinity before a daemon has named one. */
  #decideBy = Number.POSITIVE_INFINITY;
  /** The time at which the conflict began. */
  #conflictAt = 0;
  /** The last cluster that the client adopted, and warned about if necessary. */
  #adopted: ByteString = "";

  /** Creates the votes. @param cluster  32 bytes, or "" if none is configured */
  constructor(
    cluster: ByteString,
    links: readonly DaemonLink[],
    warn: (warning: string) => void,
    timer: DeadlineTimer,
  ) {
    this.#links = links;
    this.#warn = warn;
    this.#timer = timer;
    this.cluster = cluster;
    this.isConfigured = cluster !== "";
  }

  nextTick(): number {
    return this.cluster === "" ? this.#decideBy : Number.POSITIVE_INFINITY;
  }

  /** Records the cluster that a daemon names. */
  vote(link: DaemonLink, cluster: ByteString, now: number): void {
    this.#votes.set(link, cluster);
    if (this.cluster === "" && this.#decideBy === Number.POSITIVE_INFINITY)
      this.#lingerUntil(now + CLUSTER_LINGER_MS);
  }

  /** Queries the daemons again if the conflict began some time ago, because an administrator may have fixed it. */
  recheckConflict(now: number): void {
    if (this.conflict === null || now < this.#conflictAt + CONFLICT_MS) return;
    this.conflict = null;
    this.cluster = "";
    this.#votes.clear();
    this.#decideBy = Number.POSITIVE_INFINITY;
    for (const link of this.#links) link.greetAgain(now);
  }

  /**
   * Handles a daemon's refusal of an envelope because of the envelope's cluster. Queries the daemon again, unless it
   * has already named another cluster.
   * @returns whether the cluster is undecided again, because no majority of daemons names it
   */
  handleRefusal(link: DaemonLink, refused: ByteString, now: number): boolean {
    if (this.#votes.get(link) === refused) {
      this.#votes.delete(link);
      link.greetAgain(now);
    }
    if (this.cluster !== refused) return false;

    const links = this.#links;
    const supporters = [...this.#votes.values()].filter((vote) => vote === refused).length;
    if (2 * supporters > links.length) return false;

    this.cluster = "";
    this.#decideBy = Number.POSITIVE_INFINITY;
    if (this.#votes.has(link)) this.#lingerUntil(now + CLUSTER_LINGER_MS);
    return true;
  }

  /**
   * Decides on the cluster if possible, and marks the links to daemons of other clusters.
   * @returns whether it was decided
   */
  decide(now: number): boolean {
    if (!this.isConfigured) {
      const choice = this.#choose(now);
      if (choice.kind === "open") return false;
      this.#decideBy = Number.POSITIVE_INFINITY;
      this.#conflictAt = now;
      this.conflict = choice.kind === "conflict" ? choice.detail : null;
      if (choice.kind === "chosen" && choice.cluster !== this.cluster) this.#adopt(choice.cluster);
    }

    for (const link of this.#links) {
      const vote = this.#votes.get(link);
      link.isForeign = vote !== undefined && vote !== this.cluster;
    }
    return true;
  }

  #lingerUntil(time: number): void {
    this.#decideBy = time;
    this.#timer.wakeBy(time);
  }

  /**
   * Chooses a cluster. The earlier vote of an unconnected daemon counts until it is connected again, but does not break
   * ties.
   */
  #choose(now: number): Choice {
    const links = this.#links;
    const isDue = this.cluster === "" && now >= this.#decideBy;
    const isConnecting = ({ state }: DaemonLink) => state === "connecting" || state === "greeting";
    const hasVoted = (link: DaemonLink) =>
      link.state === "closed" || (!isConnecting(link) && this.#votes.has(link));
    const final = isDue || links.every(hasVoted);
    const votes = this.#votesOf((link) => isDue || !isConnecting(link));
    const choice = chooseCluster(votes, links.length, final);
    if (choice.kind !== "conflict") return choice;
    const present = this.#votesOf(({ state }) => state === "speaking");
    return present.size === 0 ? choice : chooseCluster(present, links.length, final);
  }

  /** Returns the votes by address. */
  #votesOf(counts: (link: DaemonLink) => boolean): Map<string, ByteString> {
    const votes = new Map<string, ByteString>();
    for (const [link, vote] of this.#votes) if (counts(link)) votes.set(link.address.text, vote);
    return votes;
  }

  #adopt(cluster: ByteString): void {
    this.cluster = cluster;
    if (cluster === this.#adopted) return;
    this.#adopted = cluster;
    const links = this.#links;
    const warn = this.#warn;
    const unprotected = links.find(({ address }) => !isLoopback(address) && address.tls === null);
    if (unprotected === undefined) return;
    warn(unprotectedCluster(unprotected.address.text, hexOf(cluster)));
  }
}

/** The time within which the remaining daemons can name their cluster after the first has named one. */
const CLUSTER_LINGER_MS = 50;

/**
 * The result of the vote:
 * - `open`: too few daemons have answered
 * - `chosen`: the cluster, 32 bytes
 * - `conflict`: two clusters have the same number of votes; `detail` names both
 */
type Choice =
  | { readonly kind: "open" }
  | { readonly kind: "chosen"; readonly cluster: ByteString }
  | { readonly kind: "conflict"; readonly detail: string };

/**
 * Counts the votes.
 * @param votes    the cluster that each daemon has named, by address
 * @param servers  the number of all daemons
 * @param final    whether to decide with the votes received so far
 */
export function chooseCluster(
  votes: ReadonlyMap<string, ByteString>,
  servers: number,
  final: boolean,
): Choice {
  const voters = new Map<ByteString, string[]>();
  for (const [address, cluster] of votes) voters.set(cluster, [...(voters.get(cluster) ?? []), address]);
  const [first, next] = [...voters].sort(([, left], [, right]) => right.length - left.length);
  if (first === undefined) return { kind: "open" };
  if (2 * first[1].length <= servers && !final) return { kind: "open" };
  if (next === undefined || next[1].length < first[1].length) return { kind: "chosen", cluster: first[0] };
  const named = [first, next].map(([cluster, addresses]) => `${addresses.join(", ")} to ${hexOf(cluster)}`);
  return {
    kind: "conflict",
    detail: `${named.join("; ")}. Correct the list of servers, or select one with the option cluster`,
  };
}

/** Whether a connection to the address stays on this machine, so that no third party can intercept it. */
function isLoopback({ host }: Address): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}
