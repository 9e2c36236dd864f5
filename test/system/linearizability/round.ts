/**
 * A round: clients change registers, locks and counters by units on which the members decide, and each unit is recorded
 * with its outcome. Only the recorder's process counts the moments, so all of them are in one order.
 */
import { pause } from "../../support/pause.js";
import type { SeededRandom } from "../../support/seeded-random.js";
import type { Answer, Reader } from "../contenders.js";
import type { Contents } from "../folder-contents.js";
import { type Effect, findViolation, type Operation, type Value } from "./checker.js";

/** The lifetime of a lock in milliseconds. No round lasts that long, even if clocks differ. */
const LOCK_MS = 3_600_000;
const REGISTERS = 2;
const COUNTERS = 2;
/** The maximum pause of a client between two units, and its pause after one that was not answered, in milliseconds. */
const PAUSE_MS_MAX = 20;
const RETRY_MS = 100;
/** Attempts of clients to set each key that is set once, and the share of units that do so. */
const CLAIMS_OF_A_KEY = 6;
const CLAIMS = 0.15;
/** Attempts of a client to release a lock that it may own. */
const RELEASES_MAX = 20;

/** A value that only one unit writes, and how its client was answered. */
interface Written {
  readonly key: string;
  readonly value: string;
  readonly answer: Answer;
  readonly name: string;
}

export class Round {
  readonly counts: Record<Answer, number> = { applied: 0, nil: 0, refused: 0, unknown: 0 };
  /** Units of unknown outcome that took effect, as the log shows. It does not show those of counters and releases. */
  unknownApplied = 0;
  isOver = false;
  readonly #name: string;
  readonly #random: SeededRandom;
  readonly #histories = new Map<string, Operation[]>();
  readonly #written: Written[] = [];
  /** The moments so far. Each is an event of this process: a client begins an operation, or receives the answer. */
  #moment = 0;
  #tokens = 0;
  #claims = 0;
  /** The number of the current lock. After an unknown answer, the lock may have no owner, so the next one is used. */
  #lock = 0;

  constructor(name: string, random: SeededRandom) {
    this.#name = name;
    this.#random = random;
  }

  get keys(): readonly string[] {
    return [...this.#histories.keys()];
  }

  /** The recorded operations, by key. */
  get histories(): ReadonlyMap<string, readonly Operation[]> {
    return this.#histories;
  }

  /** Competes until the round is over. */
  async run(client: Reader): Promise<void> {
    const random = this.#random;
    while (!this.isOver) {
      if (!client.hasIf || random.chance(CLAIMS)) await this.#claim(client);
      else await this.#act(client);
      await pause(random.below(PAUSE_MS_MAX));
    }
  }

  async #act(client: Reader): Promise<void> {
    const random = this.#random;
    const register = `${this.#name}:register:${random.below(REGISTERS)}`;
    const counter = `${this.#name}:counter:${random.below(COUNTERS)}`;
    const lock = `${this.#name}:lock:${this.#lock}`;
    const kind = random.below(10);
    if (kind < 2) await this.#read(client, random.oneOf([register, counter, lock]));
    else if (kind < 5) await this.#change(client, register, () => this.#token(client));
    else if (kind < 7) await this.#change(client, counter, (value) => String(Number(value ?? 0) + 1));
    else await this.#takeLock(client, lock);
  }

  /** Records what a daemon returns when all clients have stopped. */
  observe(daemon: string, key: string, value: Value): void {
    const name = `daemon ${daemon}, after the round`;
    const effect = { kind: "read", value } as const;
    this.#record(key, { name, effect, invokedAt: this.#now(), answeredAt: this.#now() });
  }

  /**
   * Returns what contradicts the answers: each key's history must be linearizable, also with what the log of a daemon
   * shows about unknown outcomes.
   */
  problems(log: Contents): string[] {
    const outcomes = outcomesOf(log);
    const outcomeOf = (key: string, value: string) => outcomes.get(`${key} ${value}`);
    const problems: string[] = [];

    for (const { key, value, answer, name } of this.#written) {
      const isApplied = outcomeOf(key, value) === "applied";
      if (isApplied && answer === "unknown") this.unknownApplied++;
      if (answer !== "unknown" && isApplied !== (answer === "applied"))
        problems.push(
          `${name}: ${key} = ${value} was answered with ${answer}, but the log has ${outcomeOf(key, value)}`,
        );
    }

    for (const [key, history] of this.#histories) {
      const isSeen = ({ effect, answeredAt }: Operation) =>
        answeredAt !== null ||
        effect.kind !== "change" ||
        effect.to === null ||
        /:counter:/.test(key) ||
        outcomeOf(key, effect.to) === "applied";
      for (const [what, operations] of [
        ["as the clients saw it", history],
        ["with the outcomes in the log", history.filter(isSeen)],
      ] as const) {
        const violation = findViolation(operations);
        if (violation !== null) problems.push(`${key}, ${what}: ${violation}`);
      }
    }
    return problems;
  }

  async #read(client: Reader, key: string): Promise<void> {
    const invokedAt = this.#now();
    const value = await client.read(key);
    const answeredAt = this.#now();
    if (value === undefined) return;
    this.#record(key, { name: client.name, effect: { kind: "read", value }, invokedAt, answeredAt });
  }

  /** Sets a key of which no client removes the value. */
  async #claim(client: Reader): Promise<void> {
    const key = `${this.#name}:claim:${Math.floor(this.#claims++ / CLAIMS_OF_A_KEY)}`;
    await this.#setAbsent(client, key, this.#token(client));
  }

  async #setAbsent(client: Reader, key: string, token: string): Promise<Answer> {
    const invokedAt = this.#now();
    const answer = await client.setAbsent(key, token, LOCK_MS);
    this.#written.push({ key, value: token, answer, name: client.name });
    this.#recordAnswer(client, key, answer, { from: null, to: token, isExact: true }, invokedAt);
    return await rested(answer);
  }

  /** Takes a lock, and releases it after a moment, also if it is unknown whether the client owns it. */
  async #takeLock(client: Reader, key: string): Promise<void> {
    const token = this.#token(client);
    const answer = await this.#setAbsent(client, key, token);
    if (answer === "unknown" && key.endsWith(`:${this.#lock}`)) this.#lock++;
    if (answer !== "applied" && answer !== "unknown") return;
    await pause(this.#random.below(PAUSE_MS_MAX));
    for (let attempt = 0; attempt < RELEASES_MAX && !this.isOver; attempt++) {
      const released = await this.#change(client, key, (value) => (value === token ? null : undefined));
      if (released === "applied" || released === "nil") return;
    }
  }

  /** Changes a key if no other client changes it in the meantime. @param next  as in `Contender.change` */
  async #change(client: Reader, key: string, next: (value: Value) => Value | undefined): Promise<Answer> {
    let begun: { readonly from: Value; readonly to: Value; readonly at: number } | null = null;
    const answer = await client.change(key, (from) => {
      const to = next(from);
      if (to !== undefined) begun = { from, to, at: this.#now() };
      return to;
    });
    if (begun === null) return await rested(answer);
    const { from, to, at } = begun as { from: Value; to: Value; at: number };
    if (to !== null && !/:counter:/.test(key))
      this.#written.push({ key, value: to, answer, name: client.name });
    this.#recordAnswer(client, key, answer, { from, to, isExact: client.readsTogether }, at);
    return await rested(answer);
  }

  /** @param change  `isExact`: whether the unit's condition certainly was that the key has the value `from` */
  #recordAnswer(
    { name }: Reader,
    key: string,
    answer: Answer,
    { from, to, isExact }: { readonly from: Value; readonly to: Value; readonly isExact: boolean },
    invokedAt: number,
  ): void {
    this.counts[answer]++;
    const answeredAt = this.#now();
    const change: Effect = { kind: "change", from, to };
    if (answer === "applied") this.#record(key, { name, effect: change, invokedAt, answeredAt });
    else if (answer === "unknown") this.#record(key, { name, effect: change, invokedAt, answeredAt: null });
    else if (answer === "nil" && isExact)
      this.#record(key, { name, effect: { kind: "unmet", from }, invokedAt, answeredAt });
  }

  #record(key: string, operation: Operation): void {
    const history = this.#histories.get(key) ?? [];
    this.#histories.set(key, history);
    history.push(operation);
  }

  #now(): number {
    return this.#moment++;
  }

  #token({ name }: Reader): string {
    return `${name} ${this.#tokens++}`;
  }
}

/** Returns an answer, after a pause if the members have not decided: clients that repeat immediately would add load. */
async function rested(answer: Answer): Promise<Answer> {
  if (answer === "refused" || answer === "unknown") await pause(RETRY_MS);
  return answer;
}

/** Returns the outcomes of all decided units that set a key, by key and value. */
function outcomesOf(log: Contents): ReadonlyMap<string, string> {
  const outcomes = new Map<string, string>();
  for (const entry of log.values()) {
    const { commands = [], decided = null } = entry?.envelope ?? {};
    for (const [i, [name, key = "", value = ""]] of commands.entries())
      if (name?.toUpperCase() === "SET" && decided !== null)
        outcomes.set(`${key} ${value}`, decided.outcomes[i] ?? (decided.outcomes[0] as string));
  }
  return outcomes;
}
