/**
 * A Redis Cluster as a backend. The nodes report the masters and their slots. There is one connection to each master,
 * and one lane for each slot. Commands without keys are routed by a table.
 */

import type { BackendFailure, Outcome } from "../../daemon/engine/backends/backend.js";
import type { RedisGroupSpecification } from "../../daemon/options/addresses/redis-addresses.js";
import { commands } from "../../daemon/store/command-table.js";
import type { Command, Tip } from "../../daemon/store/rows/command-row.js";
import { touchesOf } from "../../daemon/store/rows/key-spec.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { array, bulk, type ErrorReply, error, integer, NIL, type Reply } from "../../protocol/reply.js";
import { type Address, type Argv, DatabaseLog, type RedisBackendParts, RedisLink } from "./redis-link.js";
import {
  ALL,
  addressText,
  type CommandRoute,
  keysOf,
  type Redirection,
  RedisGroupBackend,
  type ServerFinder,
} from "./server-group.js";

/** The interval between two requests for the slots, in milliseconds: while all masters are up, and while one is not. */
const REFRESH_MS = 5_000;
const REFRESH_SOON_MS = 100;
/** Milliseconds to wait for a node's reply before the next node is queried. */
const ANSWER_MS = 1_000;
/** The number of slots of a Redis Cluster. Source: redis.io, "Redis cluster specification". */
const SLOTS = 16_384;

class ClusterFinder implements ServerFinder {
  readonly name: string;
  readonly #parts: RedisBackendParts<RedisGroupSpecification>;
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

  constructor(parts: RedisBackendParts<RedisGroupSpecification>) {
    this.name = parts.specification.name;
    this.#parts = parts;
    this.#log = new DatabaseLog(this.name, parts);
    this.#timeout = parts.timeout;
  }

  start(): void {
    for (const seed of this.#parts.specification.nodes) this.#linkTo(seed);
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

  linkFor(lane: number, askAddress: Address | null): RedisLink | null {
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

  #linkTo(address: Address): RedisLink {
    const name = addressText(address);
    let link = this.#links.get(name);
    if (link !== undefined) return link;
    const parts = { ...this.#parts, timeout: this.#timeout };
    link = new RedisLink(parts, address, parts.specification, (isUp) => {
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
    this.#cancel = this.#parts.environment.setTimer(milliseconds, () => void this.#refreshSlots());
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
    const outcome = await Promise.race([link.request(["CLUSTER", "SLOTS"]), this.#silence()]);
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

  #silence(): Promise<null> {
    return new Promise((resolve) => {
      this.#parts.environment.setTimer(ANSWER_MS, () => resolve(null));
    });
  }

  /**
   * Closes connections to servers that are no longer masters. The nodes named in -d stay connected, because they are
   * queried for the slots.
   */
  #closeUnusedLinks(): void {
    const needed = new Set([...this.#masters, ...this.#parts.specification.nodes.map(addressText)]);
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

export const redisCluster = (parts: RedisBackendParts<RedisGroupSpecification>): RedisGroupBackend =>
  new RedisGroupBackend(new ClusterFinder(parts), parts.environment);

/** @param masters  in the order of their slots, all up */
type Run = (masters: readonly RedisLink[], argv: Argv) => Promise<Outcome>;

type BroadcastRule =
  | { readonly kind: "any" }
  /** `isBarrier` means that the command writes, so that later commands must wait for it. */
  | { readonly kind: "all"; readonly isBarrier: boolean; readonly run: Run }
  | { readonly kind: "refused"; readonly reason: string };

const ANY: BroadcastRule = { kind: "any" };

/** How the replies of all masters are combined, by the response policy of a command; without one, lists are joined. */
const MERGES: Partial<Readonly<Record<Tip, BroadcastRule>>> = {
  "response_policy:agg_sum": all(summed),
  "response_policy:agg_logical_and": all(minEach),
  "response_policy:all_succeeded": all(first, true),
};
const JOINED = all(joined);

/** Returns the route that follows from a row, or null if the command concerns a single server. */
function ruleOf({ name, group, keys, tips, since, anyMaster, connectionUse }: Command): BroadcastRule | null {
  if (anyMaster === false) return null;
  if (anyMaster === true || connectionUse === "changes") return ANY;
  const merge = tips.flatMap((tip) => MERGES[tip] ?? [])[0] ?? null;
  if (group === "scripting")
    return merge ?? (tips.some((tip) => tip.startsWith("request_policy:")) ? null : ANY);
  const isOfDatabase = since !== "" && touchesOf(keys, [name]).some(({ key }) => key === null);
  return isOfDatabase ? (merge ?? JOINED) : null;
}

/** Returns the routes by command name, or by command and subcommand if their routes differ. */
function makeRules(): ReadonlyMap<string, BroadcastRule> {
  return new Map([
    ...commands.flatMap((command) => {
      const rule = ruleOf(command);
      return rule === null ? [] : [[command.name, rule] as const];
    }),
    // It has no row, because its subcommands in Redis are not ours.
    ["CLUSTER", ANY],
    // Their response policies describe no merge.
    ["RANDOMKEY", { kind: "all", isBarrier: false, run: randomKey }],
    ["SCAN", { kind: "all", isBarrier: false, run: scan }],
  ]);
}

/** The routes; null before the first command, because they need code that the program installs at its start. */
let rules: ReadonlyMap<string, BroadcastRule> | null = null;

/**
 * Returns the route of a command without keys to the masters of a Redis Cluster, which follows from its row. Some
 * commands are sent to any master. Other commands are sent to all masters, and the replies are merged. The remaining
 * ones are refused, because they concern a single server.
 */
export function broadcastRuleOf([name = "", subcommand = ""]: Argv): BroadcastRule {
  const upper = name.toUpperCase();
  rules ??= makeRules();
  const rule = rules.get(upper) ?? rules.get(`${upper}|${subcommand.toUpperCase()}`);
  return rule ?? { kind: "refused", reason: `${upper} ${OF_ONE}` };
}

const OF_ONE =
  "names no key that selects a server of the cluster, and cannot be sent to all servers: connect to one server directly";

/**
 * Returns the route of a command that is sent to every master.
 * @param merge  combines the replies, none of which is an error
 */
function all(merge: (replies: readonly Reply[]) => Reply, isBarrier = false): BroadcastRule {
  return {
    kind: "all",
    isBarrier,
    run: async (masters, argv) => {
      const outcomes = await Promise.all(masters.map((link) => link.send(argv)));
      const trouble = troubleIn(outcomes);
      return trouble ?? merge(outcomes as Reply[]);
    },
  };
}

/**
 * Returns the first failure or error, or null if there is none. The outcome of the command is unknown if only some
 * masters failed, because the other masters may have executed it.
 */
function troubleIn(outcomes: readonly Outcome[]): Outcome | null {
  const failures = outcomes.filter((outcome) => outcome.kind === "failed");
  const isNothingDone =
    failures.length === outcomes.length && failures.every(({ effect }) => effect !== "unknown");
  const [failed] = failures as BackendFailure[];
  if (failed !== undefined)
    return isNothingDone ? failed : { ...failed, code: "database-lost", effect: "unknown" };
  return outcomes.find(({ kind }) => kind === "error") ?? null;
}

function first(replies: readonly Reply[]): Reply {
  return replies[0] as Reply;
}

function summed(replies: readonly Reply[]): Reply {
  return integer(replies.reduce((sum, reply) => sum + numberIn(reply), 0));
}

const itemsOf = (reply: Reply): readonly Reply[] => (reply.kind === "array" ? reply.items : []);

function joined(replies: readonly Reply[]): Reply {
  return array(replies.flatMap(itemsOf));
}

function minEach(replies: readonly Reply[]): Reply {
  const each = itemsOf(first(replies)).map((_, i) =>
    Math.min(...replies.map((one) => numberIn(itemsOf(one)[i]))),
  );
  return array(each.map(integer));
}

/**
 * Sends RANDOMKEY to a random master. The probability of a master is proportional to its number of keys, so that all
 * keys are equally likely.
 */
async function randomKey(masters: readonly RedisLink[], argv: Argv): Promise<Outcome> {
  const sizes = await Promise.all(masters.map((link) => link.send(["DBSIZE"])));
  const trouble = troubleIn(sizes);
  if (trouble !== null) return trouble;
  const counts = sizes.map((size) => (size.kind === "integer" ? Number(size.value) : 0));
  let remaining = Math.random() * counts.reduce((sum, count) => sum + count, 0);
  const drawn = counts.findIndex((count) => (remaining -= count) < 0);
  return drawn === -1 ? NIL : await (masters[drawn] as RedisLink).send(argv);
}

/**
 * Scans the masters one after the other. A cursor combines a master's own cursor with the number of that master. If
 * another server has replaced the master, the cursor is an error, because continuing the scan there would skip keys.
 */
async function scan(masters: readonly RedisLink[], argv: Argv): Promise<Outcome> {
  const cursor = argv[1] ?? "";
  if (!/^\d{1,20}$/.test(cursor)) return error("ERR invalid cursor");
  const [own, name] = [BigInt(cursor) / NAMES, Number(BigInt(cursor) % NAMES)];
  const names = namesOf(masters);
  const index = BigInt(cursor) === 0n ? 0 : names.indexOf(name);
  const link = masters[index];
  if (link === undefined) return MASTER_GONE;
  const outcome = await link.send([argv[0] as ByteString, String(own), ...argv.slice(2)]);
  const [next, found] = outcome.kind === "array" ? outcome.items : [];
  if (next?.kind !== "bulk" || found === undefined) return outcome;
  const following = next.bytes === "0" ? index + 1 : index;
  const after = names[following];
  return scanned(after === undefined ? "0" : String(BigInt(next.bytes) * NAMES + BigInt(after)), found);
}

/** The factor that combines a master's cursor with its number (`namesOf`). It is greater than any such number. */
const NAMES = BigInt(SLOTS);
const MASTER_GONE = error(
  "ERR invalid cursor: the server of the cluster that issued it is no longer a master. Begin again with 0",
);

/**
 * Returns a unique number for each master, from 1 to 16383, which does not change while the master keeps its address.
 */
function namesOf(masters: readonly RedisLink[]): number[] {
  const names = new Map<string, number>();
  const taken = new Set<number>();
  for (const server of masters.map(({ address }) => addressText(address)).sort()) {
    let name = slotOf(server);
    while (name === 0 || taken.has(name)) name = (name + 1) % SLOTS;
    taken.add(name);
    names.set(server, name);
  }
  return masters.map(({ address }) => names.get(addressText(address)) as number);
}

const scanned = (cursor: string, found: Reply): Reply => array([bulk(cursor), found]);

/** The table of CRC-16 (XMODEM): polynomial 0x1021, initial value 0. */
const CRC = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021;
  return crc;
});

/** Returns a key's slot. If the first pair of braces in the key contains text, only that text determines the slot. */
export function slotOf(key: ByteString): number {
  const open = key.indexOf("{");
  const close = open === -1 ? -1 : key.indexOf("}", open + 1);
  const [from, to] = close > open + 1 ? [open + 1, close] : [0, key.length];
  let crc = 0;
  for (let i = from; i < to; i++)
    crc = ((crc << 8) & 0xffff) ^ (CRC[((crc >> 8) ^ key.charCodeAt(i)) & 0xff] as number);
  return crc % SLOTS;
}

/** The maximum number of keys and their slots that a refusal names. */
const NAMED_MAX = 4;
const NAMED_CHARS = 64;

/** Returns the slot that all keys share, or the error if there are several slots. @param keys  at least one */
function oneSlotOf(keys: readonly ByteString[]): number | ErrorReply {
  const slot = slotOf(keys[0] as ByteString);
  if (keys.every((key) => slotOf(key) === slot)) return slot;
  const bySlot = new Map(keys.map((key) => [slotOf(key), key]));
  const named = [...bySlot].slice(0, NAMED_MAX).map(([at, key]) => `${shown(key)} in ${at}`);
  const more = bySlot.size > NAMED_MAX ? `, and ${bySlot.size - NAMED_MAX} more slots` : "";
  return error(
    `CROSSSLOT Keys in request don't hash to the same slot: ${named.join(", ")}${more}; give their names the same ` +
      "part in braces to keep keys together",
  );
}

const shown = (key: ByteString): string => (key.length > NAMED_CHARS ? `${key.slice(0, NAMED_CHARS)}…` : key);

interface SlotRange {
  readonly first: number;
  readonly last: number;
  readonly master: Address;
}

/**
 * Parses the reply to CLUSTER SLOTS, sorted by slot.
 * @param node  the address of the node that replied, which is used if the reply omits that node's address
 */
function readSlots(reply: Reply, node: Address): SlotRange[] {
  const ranges = (reply.kind === "array" ? reply.items : []).map((item) => {
    const [first, last, master] = item.kind === "array" ? item.items : [];
    const [host, port] = master?.kind === "array" ? master.items : [];
    const named = host?.kind === "bulk" && host.bytes !== "" && host.bytes !== "?" ? host.bytes : node.host;
    return { first: numberIn(first), last: numberIn(last), master: { host: named, port: numberIn(port) } };
  });
  return ranges.filter(({ first, last }) => first <= last && last < SLOTS).sort((a, b) => a.first - b.first);
}

const numberIn = (reply: Reply | undefined): number =>
  reply?.kind === "integer" ? Number(reply.value) : Number.NaN;
