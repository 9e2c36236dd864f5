/** The policies for evicting keys when the memory limit is reached, with the names of Redis. */
import type { UsageKind } from "../store/keyspace/key-usage.js";

export const EVICTION_POLICIES = [
  ...(["noeviction", "allkeys-lru", "allkeys-lfu", "allkeys-random"] as const),
  ...(["volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"] as const),
] as const;

export type EvictionPolicy = (typeof EVICTION_POLICIES)[number];

/** The policies that evict keys. */
export type Evicting = Exclude<EvictionPolicy, "noeviction">;

/** The kind of usage data that daemons track whose policy needs none, for OBJECT IDLETIME. */
export const USAGE_KIND_DEFAULT: UsageKind = "lru";

/** Returns the kind of usage data that a policy needs, or null if it needs none. */
export function usageKindOf(policy: EvictionPolicy): UsageKind | null {
  return policy.endsWith("-lru") ? "lru" : policy.endsWith("-lfu") ? "lfu" : null;
}
