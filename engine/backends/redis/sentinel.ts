/**
 * A Redis that sentinels watch: the master that they name, and after a failover the next one. All sentinels are asked; whose word is
 * newest (`config-epoch`) counts, as one that is cut off from the others does not know better.
 */

import type { RedisGroupSpecification } from "../../../options/addresses/redis-group-list.js";
import type { Reply } from "../../../protocol/reply.js";
import { DatabaseLog } from "./database-log.js";
import type { Finder } from "./finder.js";
import { RedisGroupBackend } from "./group.js";
import { type Address, type RedisBackendParts, RedisLink } from "./link.js";
import { placeOf, type Turn } from "./turns.js";

/** Between two questions who the master is: while it serves, and while it does not. */
const ASK_MS = 1_000;
const ASK_SOON_MS = 100;

class SentinelFinder implements Finder {
  readonly name: string;
  readonly #parts: RedisBackendParts<RedisGroupSpecification>;
  readonly #log: DatabaseLog;
  readonly #sentinels: readonly RedisLink[];
  /** What each sentinel has said last instead of naming a master. */
  readonly #told = new Map<RedisLink, string>();
  #master: RedisLink | null = null;
  /** Whether the server has said itself that it is a master, on this connection. */
  #isMaster = false;
  #epoch = -1;
  #isStopped = false;
  #cancel: (() => void) | null = null;
  #timeout: number;

  constructor(parts: RedisBackendParts<RedisGroupSpecification>) {
    const { specification, timeout } = parts;
    this.name = specification.name;
    this.#parts = parts;
    this.#timeout = timeout;
    this.#log = new DatabaseLog(this.name, parts);
    const access = { ...specification.sentinel, db: 0 };
    this.#sentinels = specification.nodes.map(
      (address) => new RedisLink(parts, address, access, this.#ask, false),
    );
  }

  start(): void {
    for (const sentinel of this.#sentinels) sentinel.start();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel?.();
    for (const link of [...this.#sentinels, this.#master]) link?.stop();
  }

  get isUp(): boolean {
    return this.#isMaster && this.#master?.isUp === true;
  }

  get isWhole(): boolean {
    return this.isUp;
  }

  get server(): string {
    return this.#master === null ? "" : placeOf(this.#master.address);
  }

  get timeout(): number {
    return this.#timeout;
  }

  set timeout(timeout: number) {
    this.#timeout = timeout;
    for (const link of [...this.#sentinels, this.#master]) if (link !== null) link.timeout = timeout;
  }

  wayOf(): number {
    return 0;
  }

  linkFor(): RedisLink | null {
    return this.isUp ? this.#master : null;
  }

  /** It says itself that it is no master any more, or not yet. */
  turned(_turn: Turn, link: RedisLink): void {
    this.#isMaster = false;
    link.drop("it is no master any more");
  }

  /** A signer's script is not to break the connection of all: other commands tell as well. */
  believed(): null {
    return null;
  }

  reasonFor(): string {
    if (this.#master !== null) return `${placeOf(this.#master.address)}: ${this.#master.lastError}`;
    const { master } = this.#parts.specification;
    const said = this.#sentinels.map((sentinel) => {
      const why = sentinel.isUp
        ? (this.#told.get(sentinel) ?? "it has not answered yet")
        : sentinel.lastError;
      return `${placeOf(sentinel.address)}: ${why}`;
    });
    return `no sentinel names the master "${master}": ${said.join("; ")}`;
  }

  /** A sentinel is asked for the first time: the log, which hears of it once a minute, is to say what it answers. */
  get #isWaiting(): boolean {
    return (
      this.#master === null &&
      this.#sentinels.some((one) => one.isUp && one.pending > 0 && !this.#told.has(one))
    );
  }

  readonly #ask = (): void => {
    if (this.#isStopped) return;
    for (const sentinel of this.#sentinels)
      if (sentinel.isUp && sentinel.pending === 0) void this.#askOne(sentinel);
    if (!this.isUp && !this.#isWaiting) this.#log.down(this.reasonFor());
    this.#cancel?.();
    const wait = this.isUp ? ASK_MS : ASK_SOON_MS;
    this.#cancel = this.#parts.environment.setTimer(wait, this.#ask);
  };

  async #askOne(sentinel: RedisLink): Promise<void> {
    const { master, username, password, sentinel: own } = this.#parts.specification;
    const outcome = await sentinel.ask(["SENTINEL", "MASTER", master]);
    if (outcome.kind === "failed") this.#told.set(sentinel, "it does not answer");
    if (this.#isStopped || outcome.kind === "failed") return;
    const facts = factsIn(outcome);
    const [host, port, epoch] = [
      facts.get("ip"),
      Number(facts.get("port")),
      Number(facts.get("config-epoch")),
    ];
    if (host !== undefined && port > 0) {
      this.#take({ host, port }, epoch);
      return;
    }
    const text = outcome.kind === "error" ? outcome.text : "it is no sentinel";
    // One that has no password of its own may have the servers'.
    if (!/^NOAUTH/.test(text) || own.password !== null || password === null) {
      this.#told.set(sentinel, text);
      return;
    }
    const login = await sentinel.ask(["AUTH", ...(username === null ? [] : [username]), password]);
    if (login.kind === "error") this.#told.set(sentinel, login.text);
  }

  #take(address: Address, epoch: number): void {
    const before = this.#master;
    const isSame = before !== null && placeOf(before.address) === placeOf(address);
    // An older word counts while there is nothing else.
    if (isSame || (before !== null && epoch <= this.#epoch)) return;
    this.#epoch = epoch;
    this.#isMaster = false;
    before?.stop();
    const parts = { ...this.#parts, timeout: this.#timeout };
    const link: RedisLink = new RedisLink(
      parts,
      address,
      parts.specification,
      (isUp) => void this.#changed(link, isUp),
    );
    this.#master = link;
    link.start();
  }

  async #changed(link: RedisLink, isUp: boolean): Promise<void> {
    if (this.#isStopped || link !== this.#master) return;
    this.#isMaster = false;
    if (!isUp) return this.#ask();
    const outcome = await link.ask(["ROLE"]);
    if (this.#isStopped || link !== this.#master || outcome.kind === "failed") return;
    const [role] = outcome.kind === "array" ? outcome.items : [];
    // A user who may not ask for it is told by READONLY.
    if (role?.kind === "bulk" && role.bytes !== "master") link.drop(`its role is ${role.bytes}`);
    else {
      this.#isMaster = true;
      this.#log.up({ server: this.server });
    }
  }
}

/** Names and values in turn. */
function factsIn(reply: Reply): ReadonlyMap<string, string> {
  const texts = (reply.kind === "array" ? reply.items : []).map((item) =>
    item.kind === "bulk" ? item.bytes : "",
  );
  return new Map(texts.flatMap((name, i) => (i % 2 === 0 ? [[name, texts[i + 1] ?? ""] as const] : [])));
}

export const redisSentinel = (parts: RedisBackendParts<RedisGroupSpecification>): RedisGroupBackend =>
  new RedisGroupBackend(new SentinelFinder(parts), parts.environment);
