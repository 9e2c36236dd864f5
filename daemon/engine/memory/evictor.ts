/** The eviction of keys: which key is dropped by each policy, and how many in one turn. */
import { BACKGROUND_TURN_MS, inTurns, type Steps } from "../../../protocol/steps.js";
import type { Environment } from "../../net/process/clock-and-randomness.js";
import type { Evicting } from "../../options/eviction-policy.js";
import type { Database } from "../../store/database.js";
import type { KeyUsage } from "../../store/keyspace/key-usage.js";
import type { KeyEntry, Keyspace } from "../../store/keyspace/keyspace.js";
import { estimatedBytes } from "../../store/keyspace/size-estimate.js";

/** The number of keys that are dropped in one step. */
const KEYS_PER_STEP = 16;
/** The number of elements of a collection that are sampled to estimate its size. */
const SAMPLES = 5;
/**
 * The number of keys to sample. The least used key of the sample is evicted. With ten keys, it is close to the least
 * used of all keys.
 */
const CANDIDATES = 10;
/**
 * The maximum number of random picks from the queue of expiring keys, which may contain outdated entries. If all picks
 * are outdated, the key that expires first is chosen.
 */
const TRIES = 16;

interface Victim {
  readonly db: number;
  readonly entry: KeyEntry;
}

/** Returns the key to drop, or null if there is none. @param random  returns a number of at least 0 and below 1 */
type Choice = (keyspaces: readonly Keyspace[], random: () => number, usage: KeyUsage) => Victim | null;

const CHOICES: Readonly<Record<Evicting, Choice>> = {
  "allkeys-lfu": leastUsed(anyKey),
  "allkeys-lru": leastUsed(anyKey),
  "allkeys-random": anyKey,
  "volatile-lfu": leastUsed(anyExpiring),
  "volatile-lru": leastUsed(anyExpiring),
  "volatile-random": anyExpiring,
  "volatile-ttl": firstToExpire,
};

/**
 * The eviction of keys of the in-memory database until enough bytes are free, in slices between commands. It is used
 * only if nothing is recorded and no other daemon has the same data.
 */
export class Evictor {
  readonly policy: Evicting;
  readonly #database: Database;
  readonly #environment: Environment;
  /** The number of bytes that still have to be freed, or 0 if idle. */
  #left = 0;
  #evicted = 0;
  #exhausted: () => void = () => {};

  constructor(policy: Evicting, database: Database, environment: Environment) {
    this.policy = policy;
    this.#database = database;
    this.#environment = environment;
  }

  /** Evicted keys since the start. */
  get evicted(): number {
    return this.#evicted;
  }

  /**
   * Starts to free about this number of bytes. If keys are already being evicted, the number replaces the previous one.
   * @param exhausted  called when there are no more keys to drop
   */
  free(bytes: number, exhausted: () => void): void {
    const isEvicting = this.#left > 0;
    this.#left = bytes;
    this.#exhausted = exhausted;
    if (isEvicting) return;
    const { uptime } = this.#environment;
    void inTurns(this.#evict(), { uptime, soon: inLaterTurn }, { milliseconds: BACKGROUND_TURN_MS });
  }

  stop(): void {
    this.#left = 0;
  }

  *#evict(): Steps<void> {
    while (this.#left > 0) {
      for (let i = 0; i < KEYS_PER_STEP && this.#left > 0; i++) this.#evictOne();
      yield;
    }
  }

  #evictOne(): void {
    const database = this.#database;
    const victim = CHOICES[this.policy](database.keyspaces, this.#environment.random, database.usage);
    if (victim === null) {
      this.#left = 0;
      this.#exhausted();
      return;
    }
    const { key, value, expire } = victim.entry;
    this.#left = Math.max(0, this.#left - estimatedBytes(key, value, expire, SAMPLES));
    database.drop(victim.db, key);
    this.#evicted++;
  }
}

/** Runs a step in the next turn of the event loop without keeping the process alive. */
const inLaterTurn = (step: () => void): void => void setImmediate(step).unref();

/** Returns a function that selects the least used of several candidates. */
function leastUsed(choose: Choice): Choice {
  return (keyspaces, random, usage) => {
    let candidate = choose(keyspaces, random, usage);
    if (candidate === null) return candidate;
    let worth = usage.worth(candidate.entry);
    for (let i = 1; i < CANDIDATES; i++) {
      const other = choose(keyspaces, random, usage);
      if (other === null || usage.worth(other.entry) >= worth) continue;
      candidate = other;
      worth = usage.worth(other.entry);
    }
    return candidate;
  };
}

function anyKey(keyspaces: readonly Keyspace[], random: () => number): Victim | null {
  let index = Math.floor(random() * keyspaces.reduce((sum, { size }) => sum + size, 0));
  for (const [db, { entries, size }] of keyspaces.entries()) {
    if (index < size) return { db, entry: entries[index] as KeyEntry };
    index -= size;
  }
  return null;
}

function anyExpiring(keyspaces: readonly Keyspace[], random: () => number): Victim | null {
  for (let tries = 0; tries < TRIES; tries++) {
    let index = Math.floor(random() * keyspaces.reduce((sum, { expiring }) => sum + expiring, 0));
    for (const [db, keyspace] of keyspaces.entries()) {
      if (index >= keyspace.expiring) {
        index -= keyspace.expiring;
        continue;
      }
      const entry = keyspace.sampleExpiring(random());
      if (entry !== undefined) return { db, entry };
      break;
    }
  }
  return firstToExpire(keyspaces);
}

function firstToExpire(keyspaces: readonly Keyspace[]): Victim | null {
  let first: Victim | null = null;
  for (const [db, keyspace] of keyspaces.entries()) {
    const entry = keyspace.firstToExpire();
    if (entry !== undefined && (first === null || entry.expire < first.entry.expire)) first = { db, entry };
  }
  return first;
}
