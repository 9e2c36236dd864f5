/** The policies for evicting keys when the memory limit is reached, with the names of Redis. */
import type { UsageKind } from "../store/keyspace/key-usage.js";

export const EVICTION_POLICIES = [
  ...(["noeviction", "allkeys-lru", "allkeys-lfu", "allkeys-random"] as const),
  ...(["volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"] as const),
] as const;

export type EvictionPolicy = (typeof EVICTION_POLICIES)[number];

/** The policies that evict keys. */
export type Evicting = Exclude<EvictionPolicy, "noeviction">;

/** Returns the kind of usage data that a policy needs, or null if it needs none, which saves 8 bytes per key. */
export function usageKindOf(policy: EvictionPolicy): UsageKind | null {
  return policy.endsWith("-lru") ? "lru" : policy.endsWith("-lfu") ? "lfu" : null;
}
