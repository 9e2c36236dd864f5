/**
 * The keys whose values on a member and on this daemon differed at the same moment. These keys are reported, and
 * compared again until their values are equal.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { hexOf } from "../../../../protocol/version-2/envelope.js";
import { mapKeyOf, type NamedKey } from "../../../store/keyspace/named-key.js";
import type { PeeringLog } from "../shared/cluster-state.js";

/** The maximum number of recorded keys: a few examples are enough for an administrator to know what to do. */
const STORED_KEYS_MAX = 128;

/** The time after which a difference is reported. All members can answer a request about the key within this time. */
const SETTLING_MS = 3_000;

/** The maximum number of characters of a key's name that are shown. */
const SHOWN_MAX = 128;

/** Whose state is wrong, according to the majority: this daemon's (`own`), a member's, or unclear. */
type Verdict = "own" | "member" | "unclear";

/** A key with a different value on some member. */
export interface StateDifference extends NamedKey {
  /** The ids of the members with a different value. */
  readonly members: readonly ByteString[];
  readonly verdict: Verdict;
}

interface Differing extends NamedKey {
  readonly salt: number;
  readonly since: number;
  /** Whether each member has the same value as this daemon, by id. */
  readonly answers: Map<ByteString, boolean>;
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
    return [...this.#keys.values()].flatMap(({ db, key, answers, reported }) =>
      reported === null ? [] : [{ db, key, members: differingIn(answers), verdict: reported }],
    );
  }

  /** The keys to request again, by the salt with which they were found. */
  get keysToRequest(): ReadonlyMap<number, readonly NamedKey[]> {
    const requests = new Map<number, NamedKey[]>();
    for (const { db, key, salt } of this.#keys.values()) {
      const keys = requests.get(salt) ?? [];
      keys.push({ db, key });
      requests.set(salt, keys);
    }
    return requests;
  }

  /** Records whether a member's value of a key is the same as this daemon's, as of the same moment. */
  judged(id: ByteString, named: NamedKey, salt: number, isSame: boolean): void {
    const name = mapKeyOf(named);
    const known = this.#keys.get(name);
    if (known !== undefined) known.answers.set(id, isSame);
    else if (!isSame && this.#keys.size < STORED_KEYS_MAX)
      this.#keys.set(name, {
        db: named.db,
        key: named.key,
        salt,
        since: this.#parts.uptime(),
        answers: new Map([[id, false]]),
        reported: null,
      });
  }

  /** Called when a member has disconnected. Its answers are discarded, because it may return with another state. */
  disconnected(id: ByteString): void {
    for (const { answers } of this.#keys.values()) answers.delete(id);
  }

  tick(now: number): void {
    for (const [name, differing] of this.#keys) {
      if (differingIn(differing.answers).length === 0) this.#same(name, differing);
      else if (now - differing.since > SETTLING_MS) this.#logDifference(differing);
    }
  }

  #same(name: string, { db, key, reported }: Differing): void {
    this.#keys.delete(name);
    if (reported !== null)
      this.#parts.log.info(
        { db, key: shownKey(key) },
        "no connected member has a different value of this key any longer",
      );
  }

  #logDifference(differing: Differing): void {
    const { db, key, answers, reported } = differing;
    const verdict = verdictOn([...answers.values()]);
    differing.reported = verdict;
    if (verdict === reported) return;
    const members = differingIn(answers).map(hexOf);
    this.#parts.log.error({ db, key: shownKey(key), members }, SENTENCES[verdict]);
  }
}

const differingIn = (answers: ReadonlyMap<ByteString, boolean>): ByteString[] =>
  [...answers].flatMap(([id, isSame]) => (isSame ? [] : [id]));

/** @param answers  for each member, whether it has the same value as this daemon */
function verdictOn(answers: readonly boolean[]): Verdict {
  const same = 1 + answers.filter((isSame) => isSame).length;
  const others = 1 + answers.length - same;
  return others > same ? "own" : others < same ? "member" : "unclear";
}

const SENTENCES: Readonly<Record<Verdict, string>> = {
  own: "this daemon's state differs from that of most members, although they have the same commands: restart this daemon, so that it rebuilds its state",
  member:
    "a member's state differs from that of this daemon and most other members, although they have the same commands: restart that member",
  unclear:
    "this daemon's state and a member's differ, although they have the same commands: restart both, one after the other",
};

/** Formats a key's name on one line, and truncates a long name. */
function shownKey(key: ByteString): string {
  const text = key.slice(0, SHOWN_MAX).replace(/[^\x20-\x7e]/g, (char) => `\\x${hexOf(char)}`);
  return key.length > SHOWN_MAX ? `${text}…` : text;
}
