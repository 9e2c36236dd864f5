/**
 * Writes to a pair of servers while they are killed, frozen and disconnected from each other, and counts the outcomes
 * of the writes.
 */
import { SeededRandom } from "../../support/seeded-random.js";
import type { CrashPair } from "./crash-pairs.js";

const WRITERS = 4;
/** Milliseconds of the pause after a write, and after a failed write. */
const REST_MS = 5;
const FAILED_REST_MS = 20;
/** The minimum and maximum time before a fault, and of a fault, in milliseconds. */
const PEACE = [800, 2000] as const;
const LASTS = [400, 1500] as const;

type FaultKind = "kill" | "kill while cut off" | "freeze";

interface Fault {
  readonly kind: FaultKind;
  readonly peace: number;
  readonly cut: number;
  readonly lasts: number;
}

/** Yields the faults of a seed, which are the same for both pairs. */
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

/** One pair of servers and the progress of its run. */
export class Side {
  readonly name: string;
  /** The current fault or state, for the progress line. */
  now = "running";
  acknowledged: string[] = [];
  failed = 0;
  /** The number of faults by kind. */
  readonly faults = new Map<FaultKind, number>();
  /** The number of acknowledged writes that are missing in the end, or null during the run. */
  lost: number | null = null;
  isEqual: boolean | null = null;
  readonly #pair: CrashPair;

  constructor(name: string, pair: CrashPair) {
    this.name = name;
    this.#pair = pair;
  }

  /** Runs the faults. @param ends  the time after which no fault begins, as in `performance.now()` */
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
      this.now = "running";
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
      this.now = "first server frozen";
      this.#pair.freezeFirst();
      await sleep(lasts);
      this.#pair.thawFirst();
      return;
    }

    if (kind === "kill while cut off") {
      this.now = "second server disconnected";
      this.#pair.cutSecond();
      await sleep(cut);
    }

    this.now = "first server killed";
    await this.#pair.killFirst();
    await sleep(lasts);
    this.now = "first server returns";
    await this.#pair.restartFirst();
    this.#pair.changePlaces();
  }
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
