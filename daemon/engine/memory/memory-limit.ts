/**
 * The memory limit (--maxmemory). Above it, the daemon evicts keys, or refuses clients' commands that may need more
 * memory before they are recorded. Commands that are already recorded, or that a peer sends, are always applied,
 * because the fold must not depend on a daemon's memory. Source: docs/limits.md "Memory"; texts: redis-server 7.0.
 */
import type { Logger } from "pino";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Environment } from "../../net/process/clock-and-randomness.js";
import type { Service } from "../../net/process/service.js";
import { GarbageBound } from "../../net/process/v8-flags.js";
import {
  EVICTION_POLICIES,
  type EvictionPolicy,
  USAGE_KIND_DEFAULT,
  usageKindOf,
} from "../../options/eviction-policy.js";
import { hasTimeline, isOwnMemory, type Settings } from "../../options/settings.js";
import { CommandFailure } from "../../store/arguments/command-errors.js";
import { commandTable } from "../../store/command-table.js";
import type { Database } from "../../store/database.js";
import { type Refused, refused } from "../answers/request.js";
import type { Backend } from "../backends/backend.js";
import type { MemoryBackend } from "../backends/memory-backend.js";
import { WorkingMemory } from "../backends/working-memory.js";
import { Evictor } from "./evictor.js";
import { HeapGauge, type MemoryGauge } from "./heap-gauge.js";
import { workingMemoryLimits } from "./query-memory.js";

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
