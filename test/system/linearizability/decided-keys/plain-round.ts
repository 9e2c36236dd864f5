/**
 * A round in which unmodified clients write decided keys at several daemons. Each command is recorded with what its
 * answer says about the value of its key. Only the recorder's process counts the moments, so all of them are in one
 * order.
 */
import { pause } from "../../../support/pause.js";
import type { SeededRandom } from "../../../support/seeded-random.js";
import { type Effect, findViolation, type Operation, type Value } from "../checker.js";
import type { Ended, PlainClient } from "./clients.js";
import { isIdAfter } from "./commands.js";

const KEYS_OF_A_KIND = 2;
const PAUSE_MS_MAX = 20;
/** The pause of a client whose command had no effect, or an unknown one, in milliseconds. */
const RETRY_MS = 100;
/** The share of commands on keys of a pattern that begins and is removed during the rounds, while there is one. */
const PASSING = 0.4;
/** The maximum number of commands on a key. The check takes the longer the more there are. */
const COMMANDS_MAX = 400;
/** The number of unknown outcomes after which a key is replaced. Each of them doubles the orders that are possible. */
const UNKNOWN_MAX = 6;

/** The outcome of a command whose daemon has lost its folder meanwhile: the one without it may have answered. */
const ITS_FOLDER_IS_LOST = { kind: "unknown", reason: "the daemon's folder was lost meanwhile" } as const;

/** A command in a history. */
interface Recorded extends Operation {
  /** Its effect if its answer is not known; null: none. */
  readonly unknown: Effect | null;
}

/** The time during which a pattern has begun and is not removed. */
export interface Epoch {
  /** The beginning of its keys. */
  readonly prefix: string;
  /** Whether an administrator has ordered to remove the pattern. */
  isOver: boolean;
}

export class PlainRound {
  readonly counts: Record<Ended["kind"], number> = { answer: 0, refused: 0, unknown: 0, unsent: 0 };
  /** The number of recorded answers on keys of a pattern that began and was removed during the rounds. */
  passing = 0;
  isOver = false;
  readonly #name: string;
  readonly #random: SeededRandom;
  readonly #epoch: () => Epoch | null;
  readonly #folderOf: (seat: number) => number | null;
  readonly #reasons: Map<string, number>;
  readonly #histories = new Map<string, Recorded[]>();
  /** The names of the clients that daemons have answered. */
  readonly answered = new Set<string>();
  /** The ids of stream entries that clients have received, by key. */
  readonly #ids = new Map<string, string[]>();
  /** The moments from which keys are not checked, and the numbers of the keys that replace them. */
  readonly #abandoned = new Map<string, number>();
  readonly #generations = new Map<string, number>();
  #moment = 0;
  #tokens = 0;

  /**
   * @param epoch  returns an epoch of another pattern, or null
   * @param folderOf  returns the number of folders that a daemon has lost; null: it does not have the data yet
   * @param reasons  why commands failed
   */
  constructor(
    name: string,
    random: SeededRandom,
    {
      epoch,
      folderOf,
      reasons,
    }: {
      epoch: () => Epoch | null;
      folderOf: (seat: number) => number | null;
      reasons: Map<string, number>;
    },
  ) {
    this.#name = name;
    this.#random = random;
    this.#epoch = epoch;
    this.#folderOf = folderOf;
    this.#reasons = reasons;
  }

  /** The keys that the pattern concerns from before the round until after it, with their kinds. */
  get lasting(): readonly { readonly key: string; readonly kind: string }[] {
    return [...this.#histories.keys()]
      .filter((key) => key.startsWith("d:") && !this.#abandoned.has(key))
      .map((key) => ({ key, kind: key.split(":")[2] as string }));
  }

  get histories(): ReadonlyMap<string, readonly Operation[]> {
    return this.#histories;
  }

  async run(client: PlainClient): Promise<void> {
    const random = this.#random;
    while (!this.isOver) {
      const isSent = await this.#act(client);
      await pause(isSent ? random.below(PAUSE_MS_MAX) : RETRY_MS);
    }
  }

  /** Sends one command. @returns whether it was answered */
  async #act(client: PlainClient): Promise<boolean> {
    const random = this.#random;
    const folder = this.#folderOf(client.seat);
    if (folder === null) return false;

    const kind = random.oneOf(client.kinds);
    const isPassing = kind !== "document" && random.chance(PASSING);
    const epoch = isPassing ? this.#epoch() : null;
    const place = `${epoch?.prefix ?? "d:"}${this.#name}:${kind}:${random.below(KEYS_OF_A_KIND)}`;
    const key = `${place}:${this.#generations.get(place) ?? 0}`;
    const history = this.#histories.get(key) ?? [];
    this.#histories.set(key, history);
    if (history.length >= COMMANDS_MAX) return false;

    const token = `t${this.#tokens++}`;
    const call = await client.draw({ kind, key, token, random });
    if (call === null) return false;

    const invokedAt = this.#now();
    const sent = await call.send();
    const ended = this.#folderOf(client.seat) === folder ? sent : ITS_FOLDER_IS_LOST;
    const answeredAt = this.#now();
    this.counts[ended.kind]++;
    if (ended.kind === "answer") this.answered.add(client.name);
    else {
      const reason = ended.reason.replaceAll(/127\.0\.0\.1:\d+/g, "a daemon").slice(0, 160);
      this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + 1);
    }

    // Writes without a decision may come between the commands on a pattern that may be removed already.
    const isKnown = ended.kind === "answer" && epoch?.isOver !== true;
    const { answered, unknown } = call.meaning;
    if (ended.kind === "unknown" && call.isClaim) {
      // The daemon may put back what a lost client has taken.
      this.#abandoned.set(key, Math.min(invokedAt, this.#abandoned.get(key) ?? invokedAt));
      this.#replace(place, key);
    }

    if (isKnown) {
      const effect = answered(ended.answer);
      if (effect !== null) history.push({ name: client.name, effect, unknown, invokedAt, answeredAt });
      if (kind === "stream" && epoch === null) this.#addId(key, String(ended.answer));
      if (epoch !== null) this.passing++;
    } else if (unknown !== null && (ended.kind === "answer" || ended.kind === "unknown"))
      history.push({ name: client.name, effect: unknown, unknown, invokedAt, answeredAt: null });

    if (history.filter((one) => one.answeredAt === null).length >= UNKNOWN_MAX) this.#replace(place, key);
    return ended.kind === "answer";
  }

  /** Lets the next commands use another key instead of one. */
  #replace(place: string, key: string): void {
    const generation = this.#generations.get(place) ?? 0;
    if (key === `${place}:${generation}`) this.#generations.set(place, generation + 1);
  }

  /** Records what a daemon returns when all clients have stopped. */
  observe(daemon: number, key: string, value: Value): void {
    const name = `daemon ${daemon}, after the round`;
    const effect = { kind: "read", value } as const;
    const [invokedAt, answeredAt] = [this.#now(), this.#now()];
    this.#histories.get(key)?.push({ name, effect, unknown: null, invokedAt, answeredAt });
  }

  /** Returns why the entries of a stream at a daemon contradict the answers; null: they do not. */
  streamProblem(daemon: number, key: string, ids: readonly string[]): string | null {
    const missing = (this.#ids.get(key) ?? []).filter((id) => !ids.includes(id));
    const isSorted = ids.every((id, i) => i === 0 || isIdAfter(id, ids[i - 1] as string));
    if (missing.length === 0 && isSorted) return null;
    return `${key} at daemon ${daemon} has ${ids.join()}, without ${missing.join()}`;
  }

  /** Returns the keys whose histories are not linearizable, with the reasons. */
  problems(): string[] {
    return [...this.#histories].flatMap(([key, history]) => {
      const until = this.#abandoned.get(key) ?? Number.POSITIVE_INFINITY;
      const violation = findViolation(history.flatMap((one) => asOf(until, one) ?? []));
      return violation === null ? [] : [`${key}: ${violation}`];
    });
  }

  #addId(key: string, id: string): void {
    this.#ids.set(key, [...(this.#ids.get(key) ?? []), id]);
  }

  #now(): number {
    return this.#moment++;
  }
}

/**
 * Returns an operation as far as it is known at a moment, or null if it has no effect until then. Other clients may
 * have seen the effect of one that is answered later.
 */
function asOf(moment: number, one: Recorded): Operation | null {
  const { invokedAt, answeredAt, unknown } = one;
  if (invokedAt >= moment) return null;
  if (answeredAt === null || answeredAt < moment) return one;
  return unknown === null ? null : { ...one, effect: unknown, answeredAt: null };
}
