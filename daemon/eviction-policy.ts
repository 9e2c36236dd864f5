/**
 * What goes when memory is full, by Redis's names. Policies by last use (lru, lfu) are not offered: when a key was used last is
 * not kept, for it would cost 8 bytes a key.
 */
export const EVICTION_POLICIES = ["noeviction", "allkeys-random", "volatile-random", "volatile-ttl"] as const;

export type EvictionPolicy = (typeof EVICTION_POLICIES)[number];
