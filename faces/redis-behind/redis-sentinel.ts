/**
 * A Redis that sentinels monitor. Commands are sent to the master that the sentinels name, and after a failover to the
 * next master. All sentinels are queried. The reply with the highest `config-epoch` counts, because a sentinel that is
 * cut off may be out of date.
 */
import type { RedisGroupSpecification } from "../../daemon/options/addresses/redis-addresses.js";
import type { Reply } from "../../protocol/reply.js";
import { type Address, DatabaseLog, type RedisBackendParts, RedisLink } from "./redis-link.js";
import { addressText, type Redirection, RedisGroupBackend, type ServerFinder } from "./server-group.js";

/** The interval between two queries for the master, in milliseconds: while it serves, and while it does not. */
const QUERY_MS = 1_000;
const QUERY_SOON_MS = 100;

class SentinelFinder implements ServerFinder {
  readonly name: string;
  readonly #parts: RedisBackendParts<RedisGroupSpecification>;
  readonly #log: DatabaseLog;
  readonly #sentinels: readonly RedisLink[];
  /** The last reply of each sentinel that did not name a master. */
  readonly #replies = new Map<RedisLink, string>();
  #master: RedisLink | null = null;
  /** Whether the server has confirmed, on this connection, that it is a master. */
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
      (address) => new RedisLink(parts, address, access, this.#querySentinels, false),
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

  get server(): string {
    return this.#master === null ? "" : addressText(this.#master.address);
  }

  get timeout(): number {
    return this.#timeout;
  }

  set timeout(timeout: number) {
    this.#timeout = timeout;
    for (const link of [...this.#sentinels, this.#master]) if (link !== null) link.timeout = timeout;
  }

  routeOf(): number {
    return 0;
  }

  linkFor(): RedisLink | null {
    return this.isUp ? this.#master : null;
  }

  /** Handles a server's reply that it is not a master, or is not ready yet. */
  redirected(_redirection: Redirection, link: RedisLink): void {
    this.#isMaster = false;
    link.drop("it is no longer a master");
  }

  /**
   * Ignores a redirection that a script may have invented, because it must not close the shared connection. After a
   * real failover, other commands receive the same reply.
   */
  checkedRedirection(): null {
    return null;
  }

  reasonFor(): string {
    if (this.#master !== null) return `${addressText(this.#master.address)}: ${this.#master.lastError}`;
    const { master } = this.#parts.specification;
    const reasons = this.#sentinels.map((sentinel) => {
      const why = sentinel.isUp
        ? (this.#replies.get(sentinel) ?? "it has not replied yet")
        : sentinel.lastError;
      return `${addressText(sentinel.address)}: ${why}`;
    });
    return `no sentinel names the master "${master}": ${reasons.join("; ")}`;
  }

  /**
   * Whether no master is known, and a sentinel's first reply is still pending. Nothing is logged before that reply,
   * because the log reports a failure only once a minute.
   */
  get #isWaiting(): boolean {
    return (
      this.#master === null &&
      this.#sentinels.some((one) => one.isUp && one.pending > 0 && !this.#replies.has(one))
    );
  }

  readonly #querySentinels = (): void => {
    if (this.#isStopped) return;
    for (const sentinel of this.#sentinels)
      if (sentinel.isUp && sentinel.pending === 0) void this.#querySentinel(sentinel);
    if (!this.isUp && !this.#isWaiting) this.#log.down(this.reasonFor());
    this.#cancel?.();
    const wait = this.isUp ? QUERY_MS : QUERY_SOON_MS;
    this.#cancel = this.#parts.environment.setTimer(wait, this.#querySentinels);
  };

  async #querySentinel(sentinel: RedisLink): Promise<void> {
    const { master, username, password, sentinel: own } = this.#parts.specification;
    const outcome = await sentinel.request(["SENTINEL", "MASTER", master]);
    if (outcome.kind === "failed") this.#replies.set(sentinel, "it does not reply");
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

    const text = outcome.kind === "error" ? outcome.text : "it is not a sentinel";
    // A sentinel without its own password may use the password of the servers.
    if (!/^NOAUTH/.test(text) || own.password !== null || password === null) {
      this.#replies.set(sentinel, text);
      return;
    }

    const login = await sentinel.request(["AUTH", ...(username === null ? [] : [username]), password]);
    if (login.kind === "error") this.#replies.set(sentinel, login.text);
  }

  #take(address: Address, epoch: number): void {
    const before = this.#master;
    const isSame = before !== null && addressText(before.address) === addressText(address);
    // Keep the known master until a reply with a higher epoch names another one.
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
    if (!isUp) return this.#querySentinels();

    const outcome = await link.request(["ROLE"]);
    if (this.#isStopped || link !== this.#master || outcome.kind === "failed") return;

    const [role] = outcome.kind === "array" ? outcome.items : [];
    // If the user may not run ROLE, assume a master. If that is wrong, a later READONLY error shows it.
    if (role?.kind === "bulk" && role.bytes !== "master") link.drop(`its role is ${role.bytes}`);
    else {
      this.#isMaster = true;
      this.#log.up({ server: this.server });
    }
  }
}

/** Parses a list of alternating names and values. */
function factsIn(reply: Reply): ReadonlyMap<string, string> {
  const texts = (reply.kind === "array" ? reply.items : []).map((item) =>
    item.kind === "bulk" ? item.bytes : "",
  );
  return new Map(texts.flatMap((name, i) => (i % 2 === 0 ? [[name, texts[i + 1] ?? ""] as const] : [])));
}

export const redisSentinel = (parts: RedisBackendParts<RedisGroupSpecification>): RedisGroupBackend =>
  new RedisGroupBackend(new SentinelFinder(parts), parts.environment);
