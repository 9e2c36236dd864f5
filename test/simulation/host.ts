/**
 * A machine of a run: its disk, its clock, its network address, and the daemon on it, which may die and start again.
 * The daemon is real, but its surroundings are simulated. A dead daemon may finish the step that it is in, but
 * without any effect.
 */

import type { Admitted } from "../../daemon/cluster/peers/shared/cluster-state.js";
import type { GatewayAnswer } from "../../daemon/cluster/replica/waiting-group.js";
import type { EnvelopeAnswer } from "../../daemon/engine/answers/request.js";
import { type LastWrite, newLastWrite } from "../../daemon/engine/backends/command-path.js";
import { CommandFailure } from "../../daemon/store/arguments/command-errors.js";
import { commandTable } from "../../daemon/store/command-table.js";
import { isKeyCommand } from "../../daemon/store/key-ring.js";
import { type Entry, type OrderKey, writeOrderKey } from "../../daemon/timeline/entries/entry.js";
import { type ByteString, bytesOf } from "../../protocol/byte-string.js";
import { OK } from "../../protocol/reply.js";
import type { Wait } from "../../protocol/version-2/messages-v2.js";
import type { SeededRandom } from "../support/seeded-random.js";
import { makeIdentity, type SimulatedIdentity } from "./cast.js";
import { startDaemon } from "./daemon.js";
import { Disk } from "./disk.js";
import type { Beginning } from "./ledger.js";
import type { Settings } from "./settings.js";
import { type Daemon, EPOCH, type Host, type HostOptions, type World } from "./world.js";

export class SimulatedHost implements Host {
  readonly name: string;
  readonly disk = new Disk();
  /** The processor. Each process has a new processor, so that a pause ends with its process. */
  processor = { busyUntil: 0 };
  /** Milliseconds by which the host's clock is ahead. */
  clockOffset: number;
  /** The configured limits of the tail. */
  readonly tail: Settings["tails"][number];
  /** The running process, or null if there is none. */
  daemon: Daemon | null = null;
  /** The identity stored in the data folder. */
  identity: SimulatedIdentity;
  /** The highest watermark that a daemon with this data folder has published. */
  publishedWatermark = 0;
  /** Ids of envelopes that the host's daemons have received from clients. */
  readonly accepted = new Set<ByteString>();
  readonly isByzantine: boolean;
  readonly options: HostOptions = { peers: null, secret: null, cluster: null, hasData: true };
  isForeign = false;
  /** Whether the daemon with this disk was admitted. Unlike in a data folder, it is stored without a disk operation. */
  admitted: Admitted = null;
  /** The chance of a crash at each point of a disk operation. */
  crashAtDisk = 0;
  order: ByteString | null = null;
  beginning: Beginning | null = null;
  hasServed = false;
  liveAt = Number.NEGATIVE_INFINITY;
  readonly #world: World;
  #starts = 0;

  constructor(
    world: World,
    name: string,
    { clockOffset, isByzantine }: { clockOffset: number; isByzantine: boolean },
  ) {
    this.#world = world;
    this.name = name;
    this.isByzantine = isByzantine;
    this.clockOffset = clockOffset;
    this.tail = world.random.oneOf(world.settings.tails);
    this.identity = makeIdentity(world.random);
  }

  clock(): number {
    return Math.floor(EPOCH + this.#world.scheduler.time + this.clockOffset);
  }

  get random(): SeededRandom {
    return this.#world.random;
  }

  start(): void {
    if (this.daemon !== null) return;
    this.#starts++;
    this.processor = { busyUntil: 0 };
    this.#world.trace(this.name, () => `starts (${this.#starts})`);
    this.daemon = startDaemon(this, this.#world);
    this.order = null;
    this.#world.onStarted?.(this);
  }

  /**
   * Ends the process immediately.
   * @param isSilent  whether the complete machine stops, so that no connection is closed
   */
  kill(reason: string, isSilent = false): void {
    const { daemon } = this;
    if (daemon === null) return;
    this.#world.trace(this.name, () => `dies: ${reason}`);
    this.daemon = null;
    daemon.die(isSilent);
    if (!this.options.hasData) this.#loseMemory();
  }

  restartAfter(delay: number): void {
    this.#world.scheduler.after(delay, null, () => this.start());
  }

  /** Deletes the data folder, including the daemon's key. */
  wipe(): void {
    this.disk.wipe();
    this.#world.ledger.arrivals.wiped(this);
    this.identity = makeIdentity(this.random);
    this.publishedWatermark = 0;
    this.beginning = null;
    this.hasServed = false;
    this.admitted = null;
  }

  /** Loses everything, as a daemon without a data folder does when it ends. */
  #loseMemory(): void {
    const { honest, ledger } = this.#world;
    const remaining = honest.filter((host) => host !== this);
    for (const orderKey of this.disk.held())
      if (!remaining.some((host) => host.stores(orderKey))) ledger.lost.add(orderKey);
    this.wipe();
  }

  /** Delivers a client's envelope. */
  send(
    { body, signature }: Entry,
    wait: Wait | undefined,
    answered: (answer: EnvelopeAnswer, daemon: Daemon) => void,
  ): void {
    const { processor } = this;
    this.#world.scheduler.after(0, processor, () => {
      const { daemon } = this;
      if (daemon === null || this.processor !== processor) return;
      const answer = daemon.front?.accept(body, signature, wait) ?? null;
      if (answer === null) return;
      const respond = (settled: EnvelopeAnswer) => {
        if (daemon.isAlive()) answered(settled, daemon);
      };
      if (answer instanceof Promise) answer.then(respond);
      else respond(answer);
    });
  }

  /** Delivers a command without a signature. */
  write(
    argv: readonly ByteString[],
    answered: (answer: GatewayAnswer) => void = () => {},
    lastWrite: LastWrite = newLastWrite(),
  ): void {
    const { processor } = this;
    this.#world.scheduler.after(0, processor, () => {
      if (this.processor !== processor) return;
      const { daemon } = this;
      daemon?.front?.gateway.execute(argv, { db: 0, as: null, lastWrite }).then(
        (answer) => {
          if (!daemon.isAlive()) return;
          this.#world.trace(this.name, () => `answers ${JSON.stringify(argv)}: ${JSON.stringify(answer)}`);
          answered(answer);
        },
        (problem) => this.#world.ledger.violate(`the gateway of ${this.name}: ${problem}`),
      );
    });
  }

  /** Delivers a script that runs the given calls one by one. The daemon answers once it has tried the script. */
  script(calls: readonly (readonly ByteString[])[]): void {
    const { processor } = this;
    this.#world.scheduler.after(0, processor, async () => {
      if (this.processor !== processor) return;
      const answer = await this.daemon?.front?.path.executeInSteps(
        (run) => {
          for (const argv of calls) {
            const command = commandTable.resolve(argv);
            if (!(command instanceof CommandFailure) && !isKeyCommand(argv)) run(command, argv, 0);
          }
          return OK;
        },
        [],
        { db: 0, now: 0, as: null, readsAll: true, isStable: false, lastWrite: newLastWrite() },
      );
      this.#world.trace(this.name, () => `has tried ${JSON.stringify(calls)}: ${JSON.stringify(answer)}`);
    });
  }

  /** Whether the entry at an order key is on the disk and sound. */
  stores(orderKey: ByteString): boolean {
    return this.disk.holds(orderKey);
  }

  /** Whether the entry would also survive a power loss. */
  storesDurably(orderKey: ByteString): boolean {
    return this.stores(orderKey) && !this.disk.unsynced.some(({ orderKeys }) => orderKeys.includes(orderKey));
  }

  /** Returns the number of this host's data folders that an entry has ever reached. */
  foldersWith(orderKey: OrderKey): number {
    return this.disk.kept.get(bytesOf(writeOrderKey(orderKey)))?.size ?? 0;
  }
}
