/**
 * The operators of a run that order daemons to agree on a list, as `dbsync members found` and `dbsync members force`
 * do, and the faults at the steps of an agreement: crashes, and folders that are lost.
 */
import type { MemberLists } from "../../../daemon/cluster/members/member-lists.js";
import type { EnvelopeAnswer } from "../../../daemon/engine/answers/request.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { SeededRandom } from "../../support/seeded-random.js";
import { randomBytes } from "../cast.js";
import { loseFolder } from "../faults.js";
import { sign } from "../signatures.js";
import type { Host, World } from "../world.js";
import { isSound } from "./known-lists.js";
import type { ListWatch } from "./list-watch.js";

/** The steps of an agreement at which a daemon may crash. */
export const STEPS = ["ordered", "before storing", "before sending", "after sending", "in use"] as const;
type Step = (typeof STEPS)[number];

/** Milliseconds within which messages of a step are sent and received. */
const STEP_MS = 12;
const RESTARTS_AFTER_MS = [5, 400, 4_000];

export class ListOrders {
  /** The chance of a crash at each step. */
  crashChance = 0;
  /** The chance that a daemon that crashes has lost its folder. */
  lossChance = 0;
  /** The maximum number of lost folders. */
  lossesMax = 0;
  /** The number of crashes at each step. */
  readonly crashes = new Map<Step, number>();
  /** The number of lost folders. */
  losses = 0;
  readonly #world: World;
  readonly #random: SeededRandom;

  /** @param random  a separate generator, so that its draws do not change the rest of the run */
  constructor(world: World, random: SeededRandom, watch: ListWatch) {
    this.#world = world;
    this.#random = random;
    world.onStarted = (host) => {
      const { lists } = host.daemon ?? {};
      if (lists == null) return;
      watch.started(host, lists);
      this.#interrupt(host, lists, watch);
    };
  }

  /** Orders a host's daemon to agree on a list. @param order  the arguments after CLUSTER MEMBERS */
  give(host: Host, ...order: readonly ByteString[]): void {
    const { genesis, trace } = this.#world;
    const { cluster } = host.options;
    const nonce = randomBytes(this.#random, 16);
    const header = { cluster: cluster ?? genesis.cluster, nonce, at: host.clock(), seq: 0 };
    const { body, signature, ...entry } = sign(host.identity, header, [["CLUSTER", "MEMBERS", ...order]]);
    host.send({ body, signature, ...entry }, undefined, (answer) => {
      trace(host.name, () => `is ordered: ${order.join(" ")}, ${refusalIn(answer) ?? "accepted"}`);
    });
    this.#crashSoon(host, "ordered");
  }

  #interrupt(host: Host, lists: MemberLists, watch: ListWatch): void {
    const store = lists.sign.bind(lists);
    const { daemon } = host;

    const step = (name: Step) => {
      if (host.daemon === daemon && this.#random.chance(this.crashChance)) this.#crash(host, name);
    };
    /** Never resolves if the process has ended: it must not continue. */
    const whileAlive = () => (host.daemon === daemon ? Promise.resolve() : new Promise<void>(() => {}));

    lists.sign = async (text) => {
      step("before storing");
      await whileAlive();
      await store(text);
      await whileAlive();
      watch.signed(host, text);
      step("before sending");
      await whileAlive();
      this.#crashSoon(host, "after sending");
    };

    const { changed } = lists;
    let isUsed = lists.hasLists;
    lists.changed = () => {
      changed();
      if (isUsed || !lists.hasLists) return;
      isUsed = true;
      this.#crashSoon(host, "in use");
    };
  }

  #crashSoon(host: Host, step: Step): void {
    const { daemon } = host;
    if (!this.#random.chance(this.crashChance)) return;
    const delay = (STEP_MS * this.#random.below(1000)) / 1000;
    this.#world.scheduler.after(delay, null, () => {
      if (host.daemon === daemon) this.#crash(host, step);
    });
  }

  #crash(host: Host, step: Step): void {
    if (host.daemon === null || this.crashChance === 0) return;
    this.crashes.set(step, (this.crashes.get(step) ?? 0) + 1);
    const { honest, heads } = this.#world;
    host.kill(step, this.#random.chance(0.3));
    const hasSource = honest.some((other) => other !== host && isSound(other, heads.length > 0));
    if (hasSource && this.losses < this.lossesMax && this.#random.chance(this.lossChance)) {
      this.losses++;
      // The process that has ended may still be in a step, which has no effect.
      this.#world.scheduler.after(0, null, () => loseFolder(this.#world, host));
    }
    host.restartAfter(this.#random.oneOf(RESTARTS_AFTER_MS));
  }
}

/** Returns why an order is refused; null if it is accepted. */
function refusalIn(answer: EnvelopeAnswer): string | null {
  if (answer.kind === "refused") return `${answer.code} ${answer.detail}`;
  return answer.errors > 0 ? answer.replies : null;
}

/** Returns what the agreement of a host's daemon waits for, or null if nothing is ordered or it waits for nothing. */
export const obstacleOf = ({ daemon }: Host): string | null => daemon?.lists?.agreementWaitsFor ?? null;

/** Whether a host's daemon has an order that it has not carried out. */
export const isOrdered = ({ daemon }: Host): boolean => daemon?.lists?.order != null;
