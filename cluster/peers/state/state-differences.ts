/**
 * Keys that are different at members and at this daemon, as of one moment: reported, and watched until they are the
 * same again.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { hexOf } from "../../../protocol/version-2/envelope.js";
import { type NamedKey, nameOf } from "../../../timeline/state-digests.js";
import type { PeeringLog } from "../shared/cluster-state.js";

/** Keys that are kept: seeing some of them is enough to know what to do. */
const KEYS_MAX = 128;
/** All members are asked of a key that differs at one: until they can have answered nothing is said. */
const SETTLING_MS = 3_000;
/** Characters of a key's name that are shown. */
const SHOWN_MAX = 128;

/** The state that differs: this daemon's, as most members say; a member's; or that is not clear. */
export type Verdict = "own" | "member" | "unclear";

/** A key with a different value on some member. */
export interface StateDifference extends NamedKey {
  /** Ids of those members. */
  readonly members: readonly ByteString[];
  readonly verdict: Verdict;
}

interface Differing extends NamedKey {
  readonly salt: number;
  readonly since: number;
  /** Whether each member holds the same. */
  readonly said: Map<ByteString, boolean>;
  reported: Verdict | null;
}

export class StateDifferences {
  readonly #parts: { readonly log: PeeringLog; readonly uptime: () => number };
  readonly #keys = new Map<string, Differing>();

  constructor(parts: { readonly log: PeeringLog; readonly uptime: () => number }) {
    this.#parts = parts;
  }

  /** Reported differences, for `dbsync status` and metrics. */
  get all(): readonly StateDifference[] {
    return [...this.#keys.values()].flatMap(({ db, key, said, reported }) =>
      reported === null ? [] : [{ db, key, members: differingIn(said), verdict: reported }],
    );
  }

  /** Keys to be asked about again, by the salt with which they were found. */
  get asked(): ReadonlyMap<number, readonly NamedKey[]> {
    const asked = new Map<number, NamedKey[]>();
    for (const { db, key, salt } of this.#keys.values()) {
      const keys = asked.get(salt) ?? [];
      keys.push({ db, key });
      asked.set(salt, keys);
    }
    return asked;
  }

  /** A member and this daemon have said what a key holds as of one moment. */
  judged(id: ByteString, named: NamedKey, salt: number, isSame: boolean): void {
    const name = nameOf(named);
    const known = this.#keys.get(name);
    if (known !== undefined) known.said.set(id, isSame);
    else if (!isSame && this.#keys.size < KEYS_MAX)
      this.#keys.set(name, {
        db: named.db,
        key: named.key,
        salt,
        since: this.#parts.uptime(),
        said: new Map([[id, false]]),
        reported: null,
      });
  }

  /** A member is no longer connected: it may come back with another state. */
  left(id: ByteString): void {
    for (const { said } of this.#keys.values()) said.delete(id);
  }

  tick(now: number): void {
    for (const [name, differing] of this.#keys) {
      if (differingIn(differing.said).length === 0) this.#same(name, differing);
      else if (now - differing.since > SETTLING_MS) this.#logDifference(differing);
    }
  }

  #same(name: string, { db, key, reported }: Differing): void {
    this.#keys.delete(name);
    if (reported !== null)
      this.#parts.log.info(
        { db, key: shownKey(key) },
        "no member that is connected holds something else under a key any more",
      );
  }

  #logDifference(differing: Differing): void {
    const { db, key, said, reported } = differing;
    const verdict = verdictOn([...said.values()]);
    differing.reported = verdict;
    if (verdict === reported) return;
    const members = differingIn(said).map(hexOf);
    this.#parts.log.error({ db, key: shownKey(key), members }, SENTENCES[verdict]);
  }
}

const differingIn = (said: ReadonlyMap<ByteString, boolean>): ByteString[] =>
  [...said].flatMap(([id, isSame]) => (isSame ? [] : [id]));

/** @param said  by each member, whether it holds the same as this daemon */
function verdictOn(said: readonly boolean[]): Verdict {
  const same = 1 + said.filter((isSame) => isSame).length;
  const others = 1 + said.length - same;
  return others > same ? "own" : others < same ? "member" : "unclear";
}

const SENTENCES: Readonly<Record<Verdict, string>> = {
  own: "this daemon's state differs from most members', though they hold the same commands: restart it, so that its state is made again",
  member:
    "a member's state differs from this daemon's and most other members', though they hold the same commands: restart that one",
  unclear:
    "this daemon's state and a member's differ, though they hold the same commands: restart both, one after the other",
};

/** On one line, and not the whole of a long one. */
export function shownKey(key: ByteString): string {
  const text = key.slice(0, SHOWN_MAX).replace(/[^\x20-\x7e]/g, (char) => `\\x${hexOf(char)}`);
  return key.length > SHOWN_MAX ? `${text}…` : text;
}
