/** The masters of a Redis Cluster: which of them has which slots, as the nodes tell, and a connection to each. */
import type { Environment } from "../../../net/process/environment.js";
import { readSlots, SLOTS } from "./cluster-slots.js";
import type { DatabaseLog } from "./database-log.js";
import type { Address, RedisLink, RedisLinkParts } from "./link.js";
import { placeOf } from "./turns.js";

/** Between two questions who has which slots: while all is well, and while something is not. */
const ASK_MS = 5_000;
const ASK_SOON_MS = 100;
/** A node that says nothing for so long is not waited for: another is asked. */
const ANSWER_MS = 1_000;

export interface ClusterNodesParts {
  readonly seeds: readonly Address[];
  readonly link: (address: Address, changed: RedisLinkParts["changed"]) => RedisLink;
  readonly log: DatabaseLog;
  readonly environment: Environment;
}

export class ClusterNodes {
  readonly #parts: ClusterNodesParts;
  readonly #links = new Map<string, RedisLink>();
  readonly #owners: (string | null)[] = Array.from({ length: SLOTS }, () => null);
  /** In the order of their slots. */
  #masters: readonly string[] = [];
  #lastAsked = 0;
  #cancel: (() => void) | null = null;
  #isAsking = false;
  #wasUp = false;
  #isStopped = false;
  /** What a node has said instead of naming the slots. */
  #told: string | null = null;

  constructor(parts: ClusterNodesParts) {
    this.#parts = parts;
  }

  start(): void {
    for (const seed of this.#parts.seeds) this.#linkTo(seed);
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel?.();
    for (const link of this.#links.values()) link.stop();
  }

  /** Of all masters; empty: none is known yet. */
  get masters(): readonly RedisLink[] {
    return this.#masters.map((place) => this.#links.get(place) as RedisLink);
  }

  get isWhole(): boolean {
    return this.#masters.length > 0 && this.masters.every(({ isUp }) => isUp);
  }

  set timeout(timeout: number) {
    for (const link of this.#links.values()) link.timeout = timeout;
  }

  /** null: it is not known, or cannot be reached now. */
  ownerOf(slot: number): RedisLink | null {
    const place = this.#owners[slot] ?? null;
    const link = place === null ? undefined : this.#links.get(place);
    if (link?.isUp) return link;
    this.askSoon();
    return null;
  }

  /** null: it cannot be reached yet. */
  at(address: Address): RedisLink | null {
    const link = this.#linkTo(address);
    return link.isUp ? link : null;
  }

  knows(address: Address): boolean {
    return this.#links.has(placeOf(address));
  }

  /** The slot's new master, as one node has told. */
  moved(slot: number, address: Address): void {
    this.#linkTo(address);
    this.#owners[slot] = placeOf(address);
    this.askSoon();
  }

  reasonFor(slot: number | null): string {
    if (this.#masters.length === 0) return this.#told ?? this.#unreached();
    const places = slot === null ? this.#masters : [this.#owners[slot] ?? null];
    const down = places.find((place) => place === null || this.#links.get(place)?.isUp !== true);
    if (down === undefined) return "the masters change";
    if (down === null) return `no node has slot ${slot}`;
    return `${down}: ${this.#links.get(down)?.lastError}`;
  }

  askSoon(): void {
    this.#askIn(ASK_SOON_MS);
  }

  #unreached(): string {
    return [...this.#links]
      .map(([place, { isUp, lastError }]) => `${place}: ${isUp ? "it has not answered yet" : lastError}`)
      .join("; ");
  }

  #linkTo(address: Address): RedisLink {
    const place = placeOf(address);
    let link = this.#links.get(place);
    if (link !== undefined) return link;
    link = this.#parts.link(address, (isUp) => {
      if (isUp && this.#masters.length === 0) void this.#ask();
      else this.askSoon();
      this.#tell();
    });
    this.#links.set(place, link);
    link.start();
    return link;
  }

  #askIn(milliseconds: number): void {
    if (this.#isStopped || this.#isAsking) return;
    if (milliseconds === ASK_SOON_MS && this.#isSoon) return;
    this.#isSoon = milliseconds === ASK_SOON_MS;
    this.#cancel?.();
    this.#cancel = this.#parts.environment.setTimer(milliseconds, () => void this.#ask());
  }

  #isSoon = false;

  /** The nodes take turns: one that is cut off from the others does not know better. */
  async #ask(): Promise<void> {
    if (this.#isAsking || this.#isStopped) return;
    this.#isAsking = true;
    this.#isSoon = false;
    const up = [...this.#links.values()].filter(({ isUp }) => isUp);
    const link = up[this.#lastAsked++ % Math.max(1, up.length)];
    if (link !== undefined) await this.#askOne(link);
    this.#isAsking = false;
    this.#tell();
    this.#askIn(this.isWhole ? ASK_MS : ASK_SOON_MS);
  }

  async #askOne(link: RedisLink): Promise<void> {
    const outcome = await Promise.race([link.ask(["CLUSTER", "SLOTS"]), this.#silence()]);
    if (this.#isStopped || outcome === null || outcome.kind === "failed") return;
    const ranges = readSlots(outcome, link.address);
    if (ranges.length === 0) {
      this.#told = `${placeOf(link.address)} ${sentenceFor(outcome.kind === "error" ? outcome.text : "")}`;
      return;
    }
    this.#owners.fill(null);
    for (const { first, last, master } of ranges) {
      this.#linkTo(master);
      this.#owners.fill(placeOf(master), first, last + 1);
    }
    this.#masters = [...new Set(ranges.map(({ master }) => placeOf(master)))];
    this.#letGo();
  }

  #silence(): Promise<null> {
    return new Promise((resolve) => {
      this.#parts.environment.setTimer(ANSWER_MS, () => resolve(null));
    });
  }

  /** Those that are masters no more; whoever was named with -d is kept to be asked. */
  #letGo(): void {
    const kept = new Set([...this.#masters, ...this.#parts.seeds.map(placeOf)]);
    for (const [place, link] of this.#links) {
      if (kept.has(place) || link.pending > 0) continue;
      this.#links.delete(place);
      link.stop();
    }
  }

  #tell(): void {
    if (this.#isStopped) return;
    if (this.isWhole && !this.#wasUp) this.#parts.log.up({ masters: this.#masters });
    // The first that is asked says why in a moment: the log hears of it once a minute.
    else if (!this.isWhole && !(this.#isAsking && this.#masters.length === 0))
      this.#parts.log.down(this.reasonFor(null));
    this.#wasUp = this.isWhole;
  }
}

function sentenceFor(text: string): string {
  if (/cluster support disabled|unknown command/i.test(text))
    return "is no node of a Redis Cluster; a single Redis is -d redis:host:port";
  return text === ""
    ? "belongs to a cluster in which no node has slots yet"
    : `does not name the slots: ${text}`;
}
