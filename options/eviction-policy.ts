/** Eviction policies for full memory, by Redis's names. */
import type { UsageKind } from "../store/keyspace/usage.js";

export const EVICTION_POLICIES = [
  ...(["noeviction", "allkeys-lru", "allkeys-lfu", "allkeys-random"] as const),
  ...(["volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"] as const),
] as const;

export type EvictionPolicy = (typeof EVICTION_POLICIES)[number];

/** The policies that evict keys. */
export type Evicting = Exclude<EvictionPolicy, "noeviction">;

/** Returns the usage of keys that a policy needs; null: none, which saves 8 bytes a key. */
export function usageKindOf(policy: EvictionPolicy): UsageKind | null {
  return policy.endsWith("-lru") ? "lru" : policy.endsWith("-lfu") ? "lfu" : null;
}
