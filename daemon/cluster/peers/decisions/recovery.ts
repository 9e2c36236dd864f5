/**
 * Obtains again what this daemon may have promised and voted before it lost its disk. All other members have to answer
 * twice: first with the ballots that they have promised, then with a promise for a later one. A ballot of which this
 * daemon has forgotten a promise or a vote is then earlier, or its keeper learns of the new ballot first. This daemon
 * votes again when it also has the decisions that the others had then: it may have voted for them.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import {
  type Ballot,
  compareBallots,
  type LastDecision,
  NO_PROMISES,
} from "../../../../protocol/members/decision-messages.js";
import type { Accepted, PromiseOf, VotingList } from "./decision-types.js";

export class Recovery {
  readonly listHash: ByteString;
  /** The ballot that is requested now. Its round is 0 until all other members have answered. */
  ballot: Ballot;
  readonly #others: ReadonlySet<ByteString>;
  readonly #answered = new Set<ByteString>();
  readonly #promises = new Map<ByteString, PromiseOf>();
  #latest: Ballot;

  constructor({ number, hash, members }: VotingList, own: ByteString) {
    this.listHash = hash;
    this.ballot = { list: number, listHash: hash, round: 0, member: own, attempt: 0 };
    this.#latest = this.ballot;
    this.#others = new Set([...members].filter((id) => id !== own));
    if (this.#others.size === 0) this.#requestLater();
  }

  /** Whether all other members have promised the ballot. What they have promised and decided later does not matter. */
  get isComplete(): boolean {
    return this.ballot.round > 0 && this.#promises.size === this.#others.size;
  }

  /** The ids of the members whose next answer is missing. One that has lost its own promises cannot answer. */
  get missing(): readonly ByteString[] {
    const answers = this.ballot.round > 0 ? this.#promises : this.#answered;
    return [...this.#others].filter((id) => !answers.has(id));
  }

  /** Returns the ids of the members that had later decisions when they answered. */
  aheadOf({ slot }: LastDecision): readonly ByteString[] {
    return [...this.#promises].filter(([, { last }]) => last.slot > slot).map(([id]) => id);
  }

  /** The latest vote of the other members. */
  get accepted(): Accepted | null {
    const found = [...this.#promises.values()].flatMap(({ accepted }) => accepted ?? []);
    return found.sort((a, b) => compareBallots(b.evidence.vote.ballot, a.evidence.vote.ballot))[0] ?? null;
  }

  get last(): LastDecision {
    const found = [...this.#promises.values()].map(({ last }) => last);
    return found.reduce((one, other) => (other.slot > one.slot ? other : one), NO_PROMISES.last);
  }

  receivePromise(from: ByteString, promise: PromiseOf): void {
    if (this.isComplete || compareBallots(promise.ballot, this.ballot) !== 0 || !this.#others.has(from))
      return;
    if (this.ballot.round > 0) this.#promises.set(from, promise);
    this.#noteAnswer(from);
  }

  /** Called when a member has promised a later ballot than the one that was requested. */
  receiveOutvoted(from: ByteString, ballot: Ballot): void {
    const { list } = this.ballot;
    if (ballot.listHash !== this.listHash || ballot.list !== list || !this.#others.has(from)) return;
    if (this.isComplete) return;
    if (compareBallots(ballot, this.#latest) > 0) this.#latest = ballot;
    if (this.ballot.round > 0) this.#requestLater();
    this.#noteAnswer(from);
  }

  #noteAnswer(from: ByteString): void {
    this.#answered.add(from);
    if (this.ballot.round === 0 && this.#answered.size === this.#others.size) this.#requestLater();
  }

  /** Requests promises for a ballot that is later than all that the members have named. */
  #requestLater(): void {
    if (compareBallots(this.ballot, this.#latest) > 0) return;
    this.ballot = { ...this.ballot, round: this.#latest.round + 1 };
    this.#promises.clear();
  }
}
