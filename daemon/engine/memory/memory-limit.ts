/**
 * The memory limit (--maxmemory), the gauge of the heap, the eviction of keys, and the limits for the memory of queries
 * that follow from the same option. Above the limit, the daemon evicts keys, or refuses clients' commands that may need
 * more memory before they are recorded. Commands that are already recorded, or that a peer sends, are always applied,
 * because the fold must not depend on a daemon's memory. Source: docs/limits.md "Memory"; texts: redis-server 7.0.
 */

import { totalmem } from "node:os";
import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Logger } from "pino";
import type { ByteString } from "../../../protocol/byte-string.js";
import { BACKGROUND_TURN_MS, inTurns, type Steps } from "../../../protocol/steps.js";
import type { Environment } from "../../net/process/clock-and-randomness.js";
import type { Service } from "../../net/process/service.js";
import { GarbageBound } from "../../net/process/v8-flags.js";
import {
  EVICTION_POLICIES,
  type Evicting,
  type EvictionPolicy,
  USAGE_KIND_DEFAULT,
  usageKindOf,
} from "../../options/eviction-policy.js";
import type { Limits } from "../../options/limits.js";
import { hasTimeline, isOwnMemory, type Settings } from "../../options/settings.js";
import { CommandFailure } from "../../store/arguments/command-errors.js";
import { commandTable } from "../../store/command-table.js";
import type { Database } from "../../store/database.js";
import type { KeyUsage } from "../../store/keyspace/key-usage.js";
import type { KeyEntry, Keyspace } from "../../store/keyspace/keyspace.js";
import { estimatedBytes } from "../../store/keyspace/size-estimate.js";
import { type Refused, refused } from "../answers/request.js";
import type { Backend } from "../backends/backend.js";
import type { MemoryBackend } from "../backends/memory-backend.js";
import { WorkingMemory, type WorkingMemoryLimits } from "../backends/working-memory.js";

/**
 * The spare memory that V8 needs to avoid continual garbage collections, as a fraction of the memory of live objects.
 */
const V8_SPARE = 1 / 4;
const MIB = 1024 * 1024;

/** Creates a daemon's memory limit from its settings. */
export function makeMemoryLimit(
  settings: Settings,
  backends: readonly Backend[],
  environment: Environment,
  log: Logger,
): MemoryLimit {
  const { maxmemoryPolicy: policy, limits } = settings;
  const { maxmemory: bytes } = limits;
  const gauge = new HeapGauge();
  const needed = bytes * (1 + V8_SPARE);
  if (needed > gauge.heapMax) {
    const facts = { maxmemory: bytes, heapLimit: gauge.heapMax };
    log.warn(facts, `${TOO_SMALL} NODE_OPTIONS=--max-old-space-size=${Math.ceil(needed / MIB)}`);
  }

  const [backend] = backends;
  // Do not evict the keys of a timeline, because they must be the same on all daemons.
  const isEvicted = isOwnMemory(settings) && !hasTimeline(settings);
  const database = isEvicted ? (backend as MemoryBackend).database : null;

  const garbage = new GarbageBound(firstCollection(gauge, environment));
  const working = new WorkingMemory(environment, workingMemoryLimits(limits), (isBounded) =>
    garbage.change("queries", isBounded),
  );
  for (const one of backends as readonly (Backend & { workingMemory?: WorkingMemory })[])
    if (one.workingMemory !== undefined) one.workingMemory = working;
  return new MemoryLimit({ bytes, policy }, database, gauge, environment, working, garbage);
}

const TOO_SMALL =
  "V8's heap is smaller than --maxmemory requires, so the daemon would crash first: start it with the environment variable";

/** The bytes in use up to which the garbage is collected when its bound begins: a pause of 0.1 to 0.2 s. */
const COLLECTED_BYTES_MAX = 192 * MIB;
const COLLECTED_EVERY_MS = 30_000;

/**
 * Returns a function that collects the garbage of a small heap, at most every 30 s. V8 has decided at its last
 * collection when the next one begins: a small heap may then have grown to four times its size.
 */
function firstCollection(gauge: MemoryGauge, { uptime }: Environment): () => void {
  let collectedAt = Number.NEGATIVE_INFINITY;
  return () => {
    if (gauge.used() > COLLECTED_BYTES_MAX || uptime() - collectedAt < COLLECTED_EVERY_MS) return;
    collectedAt = uptime();
    gauge.collect();
  };
}

/** The share of the memory that queries may use. */
const WORK_MEMORY_SHARE = 1 / 4;
/** The minimum default; one query may hold half of it. */
const WORK_MEMORY_BYTES_MIN = 64 * 1024 * 1024;
/**
 * The maximum default. It is enough for the longest permitted join. With the garbage of queries and with unread
 * answers, all clients together use at most about 600 MiB.
 */
const WORK_MEMORY_BYTES_MAX = 384 * 1024 * 1024;

/** Returns the limits of the working memory of queries: the size that --work-memory states, or a default. */
export function workingMemoryLimits({ workMemory, workWait, maxmemory }: Limits): WorkingMemoryLimits {
  return { bytes: workMemory > 0 ? workMemory : defaultBytes(maxmemory), wait: workWait };
}

/** @param maxmemory  the limit in bytes, or 0 if there is none */
function defaultBytes(maxmemory: number): number {
  // Objects of queries are in the heap. The memory of a container may be less than the machine's.
  const sizes = [totalmem(), process.constrainedMemory(), new HeapGauge().heapMax, maxmemory];
  const least = sizes.reduce((min, size) => (size > 0 && size < min ? size : min), Number.POSITIVE_INFINITY);
  const share = Math.min(WORK_MEMORY_BYTES_MAX, Math.floor(least * WORK_MEMORY_SHARE));
  return Math.max(WORK_MEMORY_BYTES_MIN, share);
}

/** The interval between two readings of the gauge, in milliseconds. */
const CHECK_INTERVAL_MS = 50;
/**
 * When usage exceeds the limit, the daemon forces a garbage collection, to measure how many bytes are really in use. It
 * does so only after `GAP_MS` milliseconds, and after `GAP_COLLECTIONS` times the duration of the last collection, have
 * passed since the last exact measurement. There are two exceptions. While no command is refused, it collects earlier
 * if usage has grown by the share `GROWTH` of the limit. While commands are refused, it collects earlier if the share
 * `DROPPED_SHARE` of all keys was dropped.
 */
const GAP_MS = 2000;
const GAP_COLLECTIONS = 20;
const GROWTH = 1 / 8;
const DROPPED_SHARE = 1 / 2;
/** The share of the limit that eviction frees in addition, so that the limit is not exceeded again immediately. */
const SPARE = 1 / 32;

export class MemoryLimit implements Service {
  /** Whether commands that need memory are refused. It is a field, because it is read for each command. */
  isFull = false;
  readonly garbage: GarbageBound;
  /** The working memory of queries, which is part of the memory in use. */
  readonly working: WorkingMemory;
  /** The policy at the start. */
  readonly #startPolicy: EvictionPolicy;
  /** The database whose keys may be evicted, or null if there is none. */
  readonly #database: Database | null;
  readonly #gauge: MemoryGauge;
  readonly #environment: Environment;
  #bytes: number;
  /** The evictor, or null if nothing is evicted. */
  #evictor: Evictor | null = null;
  /** The number of keys that were evicted under earlier policies. */
  #evicted = 0;
  /** Cancels the next reading. Null if none is scheduled. */
  #cancelCheck: (() => void) | null = null;
  #isRunning = false;
  /** An upper bound of the bytes in use, and the uptime at which it was exact. */
  #known = 0;
  #knownAt = Number.NEGATIVE_INFINITY;
  /** The number of keys at that time. */
  #keys = 0;
  #collectionMs = 0;

  /**
   * @param bytes     the limit, or 0 for no limit
   * @param database  the database whose keys may be evicted, or null if the keys belong to a timeline or another server
   */
  constructor(
    { bytes, policy }: { readonly bytes: number; readonly policy: EvictionPolicy },
    database: Database | null,
    gauge: MemoryGauge,
    environment: Environment,
    working = new WorkingMemory(environment),
    garbage = new GarbageBound(),
  ) {
    this.garbage = garbage;
    this.working = working;
    this.#bytes = bytes;
    this.#startPolicy = policy;
    this.#database = database;
    this.#gauge = gauge;
    this.#environment = environment;
    this.#evictor = this.#evictorBy(policy);
  }

  /** The limit in bytes, or 0 for no limit. */
  get bytes(): number {
    return this.#bytes;
  }

  set bytes(bytes: number) {
    this.#bytes = bytes;
    this.#knownAt = Number.NEGATIVE_INFINITY;
    this.#check();
  }

  /** The bytes in use, including garbage. */
  get used(): number {
    return this.#gauge.used();
  }

  get policy(): EvictionPolicy {
    return this.#evictor?.policy ?? "noeviction";
  }

  set policy(policy: EvictionPolicy) {
    this.#evictor?.stop();
    this.#evicted = this.evicted;
    this.#evictor = this.#evictorBy(policy);
    this.#knownAt = Number.NEGATIVE_INFINITY;
    this.isFull = false;
    this.#check();
  }

  /**
   * The policies that can be selected. The kind of key usage that is tracked cannot change, so policies that need the
   * other kind are excluded.
   */
  get policies(): readonly EvictionPolicy[] {
    if (this.#database === null) return ["noeviction"];
    const kept = usageKindOf(this.#startPolicy) ?? USAGE_KIND_DEFAULT;
    return EVICTION_POLICIES.filter((one) => [null, kept].includes(usageKindOf(one)));
  }

  /** The number of evicted keys. */
  get evicted(): number {
    return this.#evicted + (this.#evictor?.evicted ?? 0);
  }

  async start(): Promise<void> {
    this.#isRunning = true;
    this.#check();
  }

  async stop(): Promise<void> {
    this.#isRunning = false;
    this.#cancelCheck?.();
    this.#evictor?.stop();
  }

  /**
   * Whether a command is refused, after measuring again if necessary.
   * @param needsMemory  the command's `denyoom` flag
   */
  refuses(needsMemory: boolean): boolean {
    if (!this.isFull || !needsMemory) return false;
    // Measure again only rarely: while commands are refused, usage grows only by the garbage of refusals and reads.
    if (this.#isTime || this.#keysNow < this.#keys * (1 - DROPPED_SHARE)) this.#measure();
    return this.isFull;
  }

  /** Returns the refusal of an envelope's commands, or null if they are accepted. */
  refusal(commands: readonly (readonly ByteString[])[]): Refused | null {
    if (!this.isFull || !this.refuses(commands.some(needsMemory))) return null;
    return refused("out-of-memory", `${this.#known} of ${this.#bytes} bytes are used`);
  }

  #evictorBy(policy: EvictionPolicy): Evictor | null {
    if (policy === "noeviction" || this.#database === null) return null;
    return new Evictor(policy, this.#database, this.#environment);
  }

  get #keysNow(): number {
    return this.#database?.keyspaces.reduce((sum, { size }) => sum + size, 0) ?? 0;
  }

  readonly #check = (): void => {
    this.#cancelCheck?.();
    this.#cancelCheck = null;
    this.#compare();
    if (this.#isRunning && this.#bytes > 0)
      this.#cancelCheck = this.#environment.setTimer(CHECK_INTERVAL_MS, this.#check);
  };

  #compare(): void {
    const used = this.#bytes === 0 ? 0 : this.used;
    if (used <= this.#bytes) {
      this.#note(used);
      this.isFull = false;
      return;
    }
    // V8 may have collected evicted keys since, so measure growth from the lower value.
    this.#known = Math.min(this.#known, used);
    if (!this.isFull && this.#isDue(used)) this.#measure();
  }

  #note(used: number): void {
    this.#known = used;
    this.#knownAt = this.#environment.uptime();
    this.#keys = this.#keysNow;
  }

  #isDue(used: number): boolean {
    return used - this.#known >= this.#bytes * GROWTH || this.#isTime;
  }

  get #isTime(): boolean {
    const gap = Math.max(GAP_MS, GAP_COLLECTIONS * this.#collectionMs);
    return this.#environment.uptime() - this.#knownAt >= gap;
  }

  #measure(): void {
    const evictor = this.#evictor;
    const before = this.#environment.uptime();
    this.#gauge.collect();
    this.#note(this.used);
    this.#collectionMs = this.#knownAt - before;
    const excess = this.#known - this.#bytes;
    this.isFull = excess > 0 && evictor === null;
    if (excess <= 0 || evictor === null) return;
    evictor.free(excess + this.#bytes * SPARE, () => {
      this.isFull = this.used > this.#bytes;
    });
  }
}

function needsMemory(argv: readonly ByteString[]): boolean {
  const command = commandTable.resolve(argv);
  return !(command instanceof CommandFailure) && command.flags.includes("denyoom");
}

/**
 * The memory that the process uses, as V8 reports it. The figure includes live objects and garbage. It is therefore an
 * upper bound of the live objects, and exact only immediately after a garbage collection.
 */
export interface MemoryGauge {
  /** Returns the bytes of objects, buffers and garbage. The call takes about a microsecond. */
  used(): number;
  /** Collects the garbage. It blocks the process for 0.5 to 1 ms per MiB. */
  collect(): void;
  /** The heap size in bytes at which V8 aborts the process; buffers do not count. */
  readonly heapMax: number;
}

type Collector = (how?: { readonly type: "minor" }) => void;

/** The gauge of the current process. */
export class HeapGauge implements MemoryGauge {
  #collect: Collector | null = null;

  get heapMax(): number {
    return getHeapStatistics().heap_size_limit;
  }

  used(): number {
    const { used_heap_size, external_memory } = getHeapStatistics();
    return used_heap_size + external_memory;
  }

  collect(): void {
    this.#collect ??= collector();
    this.#collect();
    // Start a minor collection too: buffers are released in the background, and still count until the next collection
    // begins.
    this.#collect({ type: "minor" });
  }
}

/**
 * Returns the garbage collection function of `node --expose-gc`, even if this process was started without that option.
 */
function collector(): Collector {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc");
}

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
