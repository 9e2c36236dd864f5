/**
 * Selects the cluster of a client without a configured one: the cluster that most daemons name. A single misconfigured
 * daemon therefore does not make calls fail, and receives no calls. The function is pure.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { hexOf } from "../../protocol/version-2/envelope.js";

/** The time within which the remaining daemons can name their cluster after the first has named one. */
export const CLUSTER_LINGER_MS = 50;

/**
 * The result of the vote:
 * - `open`: too few daemons have answered
 * - `chosen`: the cluster, 32 bytes
 * - `conflict`: two clusters have the same number of votes; `detail` names both
 */
export type Choice =
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
