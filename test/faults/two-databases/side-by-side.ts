/**
 * Two servers that are written to while they are killed, frozen and cut off from each other, and the outcome of the
 * writes.
 */
import { SeededRandom } from "../../support/seeded-random.js";
import type { CrashPair } from "./crash-pairs.js";

const WRITERS = 4;
/** Milliseconds after a write, and after one that failed. */
const REST_MS = 5;
const FAILED_REST_MS = 20;
/** Minimum and maximum, in milliseconds. */
const PEACE = [800, 2000] as const;
const LASTS = [400, 1500] as const;

type FaultKind = "kill" | "kill while cut off" | "freeze";

interface Fault {
  readonly kind: FaultKind;
  readonly peace: number;
  readonly cut: number;
  readonly lasts: number;
}

/** Yields the faults of a seed, the same for both pairs. */
export function* faultsOf(seed: number): Generator<Fault> {
  const random = new SeededRandom(seed);
  for (;;) {
    const kind = random.oneOf<FaultKind>(["kill", "kill while cut off", "freeze"]);
    const [peace, cut, lasts] = [
      random.between(...PEACE),
      random.between(...LASTS),
      random.between(...LASTS),
    ];
    yield { kind, peace, cut, lasts };
  }
}

/** One pair of servers and its progress. */
export class Side {
  readonly name: string;
  /** The present fault or state. */
  now = "is written to";
  acknowledged: string[] = [];
  failed = 0;
  /** The number of faults of each kind. */
  readonly faults = new Map<FaultKind, number>();
  /** Acknowledged writes that are missing in the end; null: the run is not over. */
  lost: number | null = null;
  isEqual: boolean | null = null;
  readonly #pair: CrashPair;

  constructor(name: string, pair: CrashPair) {
    this.name = name;
    this.#pair = pair;
  }

  /** Runs the faults. @param ends  `performance.now()` after which no further fault begins */
  async run(seed: number, ends: number): Promise<void> {
    let isOver = false;
    const write = async (writer: number) => {
      for (let number = 0; !isOver; number++) {
        const token = `${writer}:${number}`;
        const isDone = await this.#pair.write(writer, token);
        if (isDone) this.acknowledged.push(token);
        else this.failed++;
        await sleep(isDone ? REST_MS : FAILED_REST_MS);
      }
    };
    const writers = Array.from({ length: WRITERS }, (_, writer) => write(writer));
    for (const fault of faultsOf(seed)) {
      await sleep(fault.peace);
      if (performance.now() >= ends) break;
      await this.#suffer(fault);
      this.faults.set(fault.kind, (this.faults.get(fault.kind) ?? 0) + 1);
      this.now = "is written to";
    }
    isOver = true;
    await Promise.all(writers);
    this.now = "becomes level";
    await this.#pair.level();
    this.isEqual = await this.#pair.isEqual();
    this.lost = this.acknowledged.length - (await this.#pair.count(this.acknowledged));
    this.now = "is done";
  }

  async #suffer({ kind, cut, lasts }: Fault): Promise<void> {
    if (kind === "freeze") {
      this.now = "the first is frozen";
      this.#pair.freezeFirst();
      await sleep(lasts);
      this.#pair.thawFirst();
      return;
    }
    if (kind === "kill while cut off") {
      this.now = "the second is cut off";
      this.#pair.cutSecond();
      await sleep(cut);
    }
    this.now = "the first is killed";
    await this.#pair.killFirst();
    await sleep(lasts);
    this.now = "the first comes back";
    await this.#pair.restartFirst();
    this.#pair.changePlaces();
  }
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
