/**
 * The turns of daemons whose programs touch the same decided keys. All of them run on the same state, and only the
 * first one that is decided takes effect, so each waits for its turn. The turns follow from the decisions, which all
 * daemons see: after one daemon's programs, it is the turn of the next daemon whose programs have touched one of these
 * keys recently, in the order of the ids of the daemons' own keys. A daemon that does not use its turn loses it after a
 * short time. Daemons that disagree about a turn only run programs in vain: the conditions alone determine what takes
 * effect. Source: docs/decisions/0082-programs-on-decided-keys.md.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Envelope } from "../../../protocol/version-2/envelope.js";
import { TurnPatience } from "../../engine/backends/turn-patience.js";
import type { Environment } from "../../net/process/clock-and-randomness.js";
import type { KeyRing } from "../../store/key-ring.js";
import { mapKeyOf, type NamedKey } from "../../store/keyspace/named-key.js";
import type { Entry } from "../../timeline/entries/entry.js";

/** The maximum number of keys whose turns are known, and of the bytes of the name of each. */
const KEYS_MAX = 1000;
const NAME_BYTES_MAX = 1024;

/** The daemons whose programs touch a key. */
interface Contest {
  /** When a program of each daemon was decided last, in milliseconds of the uptime, by the ids of the daemons' keys. */
  readonly seen: Map<ByteString, number>;
  /** The daemon whose programs took effect last. */
  last: ByteString;
}

export class ProgramTurns {
  readonly #environment: Pick<Environment, "uptime" | "setTimer">;
  readonly #contests = new Map<string, Contest>();
  /** The time for which a daemon waits for its turn. */
  readonly patience = new TurnPatience();
  /** The functions that end the waits for turns, by the names of the keys whose turns are awaited. */
  readonly #waiting = new Map<string, Set<() => void>>();

  constructor(environment: Pick<Environment, "uptime" | "setTimer">) {
    this.#environment = environment;
  }

  /** Records the decisions among entries that concern programs of daemons. */
  folded(entries: readonly Entry[], ring: KeyRing): void {
    if (ring.patterns.isEmpty) return;
    for (const { envelope } of entries)
      if (isOfPrograms(envelope) && ring.find(envelope.key)?.role === "daemon") this.decided(envelope);
  }

  /** Records a decision on programs of a daemon. */
  decided({ key: daemon, if: conditions, decided }: Envelope): void {
    const now = this.#environment.uptime();
    const isApplied = decided?.outcomes[0] === "applied";

    for (const condition of conditions ?? []) {
      const name = mapKeyOf(condition);
      // Long keys have no turns: absent keys use no memory elsewhere, so any script could fill the memory here.
      if (name.length > NAME_BYTES_MAX) continue;
      let contest = this.#contests.get(name);
      if (contest === undefined) contest = { seen: new Map(), last: daemon };
      // The keys that were touched last are the last ones in the map.
      else this.#contests.delete(name);
      this.#contests.set(name, contest);
      contest.seen.set(daemon, now);
      if (isApplied) contest.last = daemon;
      for (const end of this.#waiting.get(name) ?? []) end();
    }

    for (const name of this.#contests.keys()) {
      if (this.#contests.size <= KEYS_MAX) break;
      this.#contests.delete(name);
    }
  }

  /** Resolves when it is a daemon's turn to run programs that touch some keys, or when its patience is over. */
  async turnOf(own: ByteString, keys: readonly NamedKey[]): Promise<void> {
    const { uptime } = this.#environment;
    const since = uptime();
    const names = keys.map(mapKeyOf);

    for (;;) {
      const left = since + this.patience.milliseconds - uptime();
      if (left <= 0 || this.isTurnOf(own, keys)) return;
      await new Promise<void>((resolve) => {
        const end = () => {
          cancel();
          for (const name of names) this.#remove(name, end);
          resolve();
        };
        const cancel = this.#environment.setTimer(left, end);
        for (const name of names) this.#waiting.set(name, (this.#waiting.get(name) ?? new Set()).add(end));
      });
    }
  }

  #remove(name: string, end: () => void): void {
    const waiting = this.#waiting.get(name);
    waiting?.delete(end);
    if (waiting?.size === 0) this.#waiting.delete(name);
  }

  /** Whether it is a daemon's turn to run programs that touch some keys. */
  isTurnOf(own: ByteString, keys: readonly NamedKey[]): boolean {
    const contested = keys.map(mapKeyOf).filter((name) => this.#isContested(name, own));
    // The first contended key decides, in an order that all daemons use, so that no two wait for each other.
    const [name] = contested.length > 1 ? contested.sort() : contested;
    if (name === undefined) return true;
    const contest = this.#contests.get(name) as Contest;
    const contenders = this.#contenders(contest, own);
    return own === (contenders.find((id) => id > contest.last) ?? contenders[0]);
  }

  /** Whether programs of other daemons contend for a key. Most keys are not contested, and need no sorted list. */
  #isContested(name: string, own: ByteString): boolean {
    const contest = this.#contests.get(name);
    if (contest === undefined) return false;
    for (const [daemon, at] of contest.seen) if (daemon !== own && this.#isRecent(at)) return true;
    return false;
  }

  /** Whether a daemon whose program was decided at an uptime in milliseconds still contends. */
  #isRecent(at: number): boolean {
    return at >= this.#environment.uptime() - 2 * this.patience.milliseconds;
  }

  /** Returns the daemons that contend for a key, in the order of their turns. */
  #contenders({ seen }: Contest, own: ByteString): ByteString[] {
    const contenders = [own];
    for (const [daemon, at] of seen) if (daemon !== own && this.#isRecent(at)) contenders.push(daemon);
    return contenders.sort();
  }
}

/** Whether the members have decided on programs, or on a transaction with watched keys. */
const isOfPrograms = ({ decided, decide, multi, if: conditions }: Envelope): boolean =>
  decided !== null && decide && multi && conditions !== null;
