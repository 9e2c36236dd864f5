/**
 * A Redis Cluster as a backend. The nodes report the masters and their slots. There is one connection to each master,
 * and one lane for each slot.
 */
import type { RedisGroupSpecification } from "../../daemon/options/addresses/redis-addresses.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { error } from "../../protocol/reply.js";
import { broadcastRuleOf } from "./cluster-broadcasts.js";
import { oneSlotOf, readSlots, SLOTS } from "./cluster-slots.js";
import { keysOf } from "./command-keys.js";
import type { Redirection } from "./redirections.js";
import {
  type Argv,
  addressText,
  DatabaseLog,
  type RedisAddress,
  type RedisBackendOptions,
  RedisLink,
} from "./redis-link.js";
import { ALL, type CommandRoute, type ServerFinder } from "./server-finder.js";
import { RedisGroupBackend } from "./server-group.js";

/** The interval between two requests for the slots, in milliseconds: while all masters are up, and while one is not. */
const REFRESH_MS = 5_000;
const REFRESH_SOON_MS = 100;
/** Milliseconds to wait for a node's reply before the next node is queried. */
const ANSWER_MS = 1_000;

class ClusterFinder implements ServerFinder {
  readonly name: string;
  readonly #options: RedisBackendOptions<RedisGroupSpecification>;
  readonly #log: DatabaseLog;
  #timeout: number;
  readonly #links = new Map<string, RedisLink>();
  readonly #owners: (string | null)[] = Array.from({ length: SLOTS }, () => null);
  /** Addresses of the masters, in the order of their slots. */
  #masters: readonly string[] = [];
  #nextNode = 0;
  #cancel: (() => void) | null = null;
  #isRefreshing = false;
  #wasUp = false;
  #isStopped = false;
  /** The last reply of a node that did not contain the slots, or null if there is none. */
  #lastReply: string | null = null;

  constructor(options: RedisBackendOptions<RedisGroupSpecification>) {
    this.name = options.specification.name;
    this.#options = options;
    this.#log = new DatabaseLog(this.name, options);
    this.#timeout = options.timeout;
  }

  start(): void {
    for (const seed of this.#options.specification.nodes) this.#linkTo(seed);
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel?.();
    for (const link of this.#links.values()) link.stop();
  }

  /** The connections to all masters; empty if no master is known yet. */
  get #masterLinks(): readonly RedisLink[] {
    return this.#masters.map((name) => this.#links.get(name) as RedisLink);
  }

  get isUp(): boolean {
    return this.#masters.length > 0 && this.#masterLinks.every(({ isUp }) => isUp);
  }

  get server(): string {
    return this.#masters.join(",");
  }

  get timeout(): number {
    return this.#timeout;
  }

  set timeout(timeout: number) {
    this.#timeout = timeout;
    for (const link of this.#links.values()) link.timeout = timeout;
  }

  routeOf(commands: readonly Argv[]): CommandRoute {
    const keys: ByteString[] = [];
    for (const argv of commands) {
      const own = keysOf(argv);
      for (const key of own) keys.push(key);
      if (own.length > 0) continue;
      const rule = broadcastRuleOf(argv);
      if (rule.kind === "refused") return error(`ERR ${rule.reason}`);
      if (rule.kind === "all")
        return {
          kind: "broadcast",
          isBarrier: rule.isBarrier,
          run: () => rule.run(this.#masterLinks, argv),
        };
    }

    return keys.length === 0 ? ALL : oneSlotOf(keys);
  }

  linkFor(lane: number, askAddress: RedisAddress | null): RedisLink | null {
    const link = askAddress === null ? this.#ownerOf(lane) : this.#linkTo(askAddress);
    if (link?.isUp) return link;
    if (askAddress === null) this.#refreshIn(REFRESH_SOON_MS);
    return null;
  }

  redirected(redirection: Redirection): void {
    if (redirection.kind === "moved") {
      // Only one node has reported so far that the slot has a new master.
      this.#linkTo(redirection.address);
      this.#owners[redirection.slot] = addressText(redirection.address);
    }
    if (redirection.kind !== "ask") this.#refreshIn(REFRESH_SOON_MS);
  }

  /**
   * Ignores an unknown address in a redirection that a script may have invented. Otherwise the script could cause the
   * password and other clients' commands to be sent to any server.
   */
  checkedRedirection(redirection: Redirection): Redirection | null {
    return redirection.kind === "later" || this.#links.has(addressText(redirection.address))
      ? redirection
      : { kind: "later" };
  }

  reasonFor(lane: number): string {
    if (this.#masters.length === 0) return this.#lastReply ?? this.#unreached();
    const names = lane === ALL ? this.#masters : [this.#owners[lane] ?? null];
    const down = names.find((name) => name === null || this.#links.get(name)?.isUp !== true);
    if (down === undefined) return "the masters are changing";
    if (down === null) return `no node has slot ${lane}`;
    return `${down}: ${this.#links.get(down)?.lastError}`;
  }

  /** Returns the connection to the owner of a slot. For the lane of all servers, returns any master that is up. */
  #ownerOf(lane: number): RedisLink | undefined {
    if (lane === ALL) return this.#masterLinks.find(({ isUp }) => isUp);
    const name = this.#owners[lane] ?? null;
    return name === null ? undefined : this.#links.get(name);
  }

  #unreached(): string {
    return [...this.#links]
      .map(([name, { isUp, lastError }]) => `${name}: ${isUp ? "it has not replied yet" : lastError}`)
      .join("; ");
  }

  #linkTo(address: RedisAddress): RedisLink {
    const name = addressText(address);
    let link = this.#links.get(name);
    if (link !== undefined) return link;

    const options = { ...this.#options, timeout: this.#timeout };
    link = new RedisLink(options, address, options.specification, (isUp) => {
      if (isUp && this.#masters.length === 0) void this.#refreshSlots();
      else this.#refreshIn(REFRESH_SOON_MS);
      this.#logState();
    });
    this.#links.set(name, link);
    link.start();
    return link;
  }

  #refreshIn(milliseconds: number): void {
    if (this.#isStopped || this.#isRefreshing) return;
    if (milliseconds === REFRESH_SOON_MS && this.#isSoon) return;
    this.#isSoon = milliseconds === REFRESH_SOON_MS;
    this.#cancel?.();
    this.#cancel = this.#options.environment.setTimer(milliseconds, () => void this.#refreshSlots());
  }

  #isSoon = false;

  /**
   * Requests the slots, each time from the next node, because a node that is cut off from the cluster may be out of
   * date.
   */
  async #refreshSlots(): Promise<void> {
    if (this.#isRefreshing || this.#isStopped) return;
    this.#isRefreshing = true;
    this.#isSoon = false;
    const up = [...this.#links.values()].filter(({ isUp }) => isUp);
    const link = up[this.#nextNode++ % Math.max(1, up.length)];
    if (link !== undefined) await this.#requestSlots(link);
    this.#isRefreshing = false;
    this.#logState();
    this.#refreshIn(this.isUp ? REFRESH_MS : REFRESH_SOON_MS);
  }

  async #requestSlots(link: RedisLink): Promise<void> {
    const outcome = await Promise.race([link.request(["CLUSTER", "SLOTS"]), this.#answerTimeout()]);
    if (this.#isStopped || outcome === null || outcome.kind === "failed") return;

    const ranges = readSlots(outcome, link.address);
    if (ranges.length === 0) {
      this.#lastReply = `${addressText(link.address)} ${sentenceFor(outcome.kind === "error" ? outcome.text : "")}`;
      return;
    }

    this.#owners.fill(null);
    for (const { first, last, master } of ranges) {
      this.#linkTo(master);
      this.#owners.fill(addressText(master), first, last + 1);
    }

    this.#masters = [...new Set(ranges.map(({ master }) => addressText(master)))];
    this.#closeUnusedLinks();
  }

  #answerTimeout(): Promise<null> {
    return new Promise((resolve) => {
      this.#options.environment.setTimer(ANSWER_MS, () => resolve(null));
    });
  }

  /**
   * Closes connections to servers that are no longer masters. The nodes named in -d stay connected, because they are
   * queried for the slots.
   */
  #closeUnusedLinks(): void {
    const needed = new Set([...this.#masters, ...this.#options.specification.nodes.map(addressText)]);
    for (const [name, link] of this.#links) {
      if (needed.has(name) || link.pending > 0) continue;
      this.#links.delete(name);
      link.stop();
    }
  }

  #logState(): void {
    if (this.#isStopped) return;
    if (this.isUp && !this.#wasUp) this.#log.up({ masters: this.#masters });
    // Do not log before the first node has replied: the log reports a failure only once a minute.
    else if (!this.isUp && !(this.#isRefreshing && this.#masters.length === 0))
      this.#log.down(this.reasonFor(ALL));
    this.#wasUp = this.isUp;
  }
}

function sentenceFor(text: string): string {
  if (/cluster support disabled|unknown command/i.test(text))
    return "is not a node of a Redis Cluster; for a single Redis use -d redis:host:port";
  return text === ""
    ? "belongs to a cluster in which no node has slots yet"
    : `does not name the slots: ${text}`;
}

export const redisCluster = (options: RedisBackendOptions<RedisGroupSpecification>): RedisGroupBackend =>
  new RedisGroupBackend(new ClusterFinder(options), options.environment);
