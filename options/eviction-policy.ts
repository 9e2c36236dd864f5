/** What goes when memory is full, by Redis's names. */
import type { UsageKind } from "../store/keyspace/usage.js";

export const EVICTION_POLICIES = [
  ...(["noeviction", "allkeys-lru", "allkeys-lfu", "allkeys-random"] as const),
  ...(["volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"] as const),
] as const;

export type EvictionPolicy = (typeof EVICTION_POLICIES)[number];

/** Those by which something goes. */
export type Evicting = Exclude<EvictionPolicy, "noeviction">;

/** What is to be kept of the use of keys; null: nothing, which costs 8 bytes a key less. */
export function usageKindOf(policy: EvictionPolicy): UsageKind | null {
  return policy.endsWith("-lru") ? "lru" : policy.endsWith("-lfu") ? "lfu" : null;
}
