/**
 * A client: one signature a call, one pool a daemon, one timer for all. It wires the parts and owns their
 * time; what a call means is in call.ts, what a daemon's trouble means in pool.ts.
 */
import { Alarm } from "./alarm.js";
import { Call, type CallOwner, type Delivery, type Waiter } from "./call.js";
import type { FrameTracer } from "./debug.js";
import type { Environment } from "./environment.js";
import { DbsyncError, type Outcome, type Stage } from "./errors.js";
import { type CallOptions, readCallOptions, type Settings } from "./options.js";
import { Pool, type PoolOwner } from "./pool.js";
import type { Address } from "./servers.js";
import { frameOf, type Signer } from "./signing-key.js";

/**
 * How long answers that are still due keep the process alive once every call has settled: the daemons that
 * were not first should get the command too, even from a script that ends right behind its await.
 */
const DELIVERY_LINGER_MS = 500;

/** What `createClient` gives. */
export interface Client extends AsyncDisposable {
  /**
   * Sends a command to every daemon and resolves as the policy says: with the value, or null for nil.
   * @param command  a line, sent as it is and cut at blanks by the daemon; or arguments
   * @throws DbsyncError  (as a rejection) always by the deadline; see errors.ts
   */
  send(command: string | readonly string[], options?: CallOptions): Promise<string | null>;
  /**
   * Sends a command to every daemon and resolves when each has answered or failed, in the order of `servers`.
   */
  sendAll(command: string | readonly string[], options?: CallOptions): Promise<{ outcomes: Outcome[] }>;
  /**
   * Closes every connection. Calls in flight fail with `closed`, later ones too; closing twice is harmless.
   */
  close(): Promise<void>;
}

export class FanOutClient implements Client, CallOwner, PoolOwner {
  readonly #settings: Settings;
  readonly #environment: Environment;
  readonly #sign: Signer | null;
  readonly #addresses: readonly Address[];
  readonly #pools: readonly Pool[];
  readonly #alarm: Alarm;
  /** Calls that have not settled. */
  readonly #calls = new Set<Call>();
  /** Deliveries that have not ended, of settled calls too. */
  #deliveries = 0;
  /** With no call left to settle: when what would keep the process alive is let go. */
  #lingerUntil = Number.POSITIVE_INFINITY;
  #moment = 0;
  #closedBy: "closed" | "reset" | null = null;

  constructor(parts: {
    settings: Settings;
    environment: Environment;
    sign: Signer | null;
    trace: FrameTracer | null;
  }) {
    const { settings, environment, sign, trace } = parts;
    this.#settings = settings;
    this.#environment = environment;
    this.#sign = sign;
    this.#addresses = settings.servers;
    this.#alarm = new Alarm(environment, () => this.#tick());
    this.#pools = settings.servers.map(
      (address) => new Pool({ address, environment, owner: this, trace, keepalive: settings.keepalive }),
    );
  }

  send(command: string | readonly string[], options?: CallOptions): Promise<string | null> {
    return new Promise((resolve, reject) =>
      this.#start(command, options, { wants: "value", resolve, reject }),
    );
  }

  sendAll(command: string | readonly string[], options?: CallOptions): Promise<{ outcomes: Outcome[] }> {
    return new Promise((resolve, reject) =>
      this.#start(command, options, { wants: "outcomes", resolve, reject }),
    );
  }

  /** Whether anything is still on its way, of settled calls too. */
  get isBusy(): boolean {
    return this.#deliveries > 0;
  }

  close(): Promise<void> {
    this.shut("closed");
    return Promise.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** As `close`; `code` is what calls in flight fail with. */
  shut(code: "closed" | "reset"): void {
    if (this.#closedBy !== null) return;
    this.#closedBy = code;
    const now = this.#environment.now();
    for (const call of this.#calls) call.cutOff(code, now);
    for (const pool of this.#pools) pool.close(now);
    this.#alarm.stop();
  }

  nextMoment(): number {
    return ++this.#moment;
  }

  settled(call: Call): void {
    this.#calls.delete(call);
    if (this.#calls.size > 0) return;
    if (this.#deliveries === 0) this.#alarm.hold(false);
    const now = this.#environment.now();
    this.#lingerUntil = now + DELIVERY_LINGER_MS;
    this.#alarm.setFor(this.#lingerUntil, now);
  }

  dueEarlier(time: number): void {
    this.#alarm.setFor(time, this.#environment.now());
  }

  delivered(): void {
    this.#deliveries--;
    if (this.#deliveries === 0 && this.#calls.size === 0) this.#alarm.hold(false);
  }

  reasonOfSilence(delivery: Delivery): { stage: Stage; detail: string } {
    const pool = this.#pools[this.#addresses.indexOf(delivery.address)] as Pool;
    return pool.reasonOfSilence(delivery);
  }

  othersAnsweredSince(pool: Pool, time: number): boolean {
    return this.#pools.some((other) => other !== pool && other.lastAnswerAt > time);
  }

  /** Throws before anything is sent, or leaves it all to the call. */
  #start(command: string | readonly string[], options: CallOptions | undefined, waiter: Waiter): void {
    if (this.#closedBy !== null) throw new DbsyncError(this.#closedBy, "it takes no more commands");
    const settings = options === undefined ? this.#settings : readCallOptions(options, this.#settings);
    const frame = frameOf(command, this.#sign);
    const now = this.#environment.now();
    const call = new Call({ owner: this, settings, waiter, frame, addresses: this.#addresses, now });
    this.#calls.add(call);
    this.#deliveries += call.deliveries.length;
    this.#lingerUntil = Number.POSITIVE_INFINITY;
    this.#alarm.setFor(call.deadline, now);
    this.#alarm.hold(true);
    // With no daemon left to hope for, somebody who has just started one should get an answer.
    const insist = this.#pools.every((pool) => pool.isBackingOff(now));
    for (const [index, pool] of this.#pools.entries()) {
      pool.offer(call.deliveries[index] as Call["deliveries"][number], now, insist);
    }
  }

  #tick(): void {
    const now = this.#environment.now();
    for (const call of this.#calls) if (call.dueAt <= now) call.judgeNow(now);
    for (const pool of this.#pools) pool.tick(now);
    if (this.#lingerUntil <= now) this.#letGo(now);
    let next = this.#lingerUntil;
    for (const call of this.#calls) next = Math.min(next, call.dueAt);
    for (const pool of this.#pools) next = Math.min(next, pool.nextTick());
    if (next < Number.POSITIVE_INFINITY) this.#alarm.setFor(next, now);
  }

  /** Nobody waits any more: from here on the process may end. */
  #letGo(now: number): void {
    this.#alarm.hold(false);
    for (const pool of this.#pools) pool.letGo(now);
    // In a process that lives on, a daemon that wakes may still be sent what is queued for it.
    this.#lingerUntil = this.#deliveries > 0 ? now + DELIVERY_LINGER_MS : Number.POSITIVE_INFINITY;
  }
}
