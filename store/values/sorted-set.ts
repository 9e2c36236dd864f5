/**
 * A sorted set value: distinct members, each with a score, in the order (score, member bytes). Ranks count
 * from 0. Scores are never NaN, and -0 is kept as 0. Beside the order by rank the members have a dense order
 * that only ZSCAN may walk: it is not state, nothing that writes may depend on it.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { DenseIndex } from "./dense-index.js";
import { RankedTree } from "./ranked-tree.js";

export class SortedSet {
  readonly #index = new DenseIndex();
  /** Each at its member's place in the index. */
  readonly #scores: number[] = [];
  #tree = new RankedTree();

  get size(): number {
    return this.#index.size;
  }

  /** The members in dense order, for scans; not to be changed. */
  get members(): readonly ByteString[] {
    return this.#index.members;
  }

  /** The scores, each at its member's place in `members`; not to be changed. */
  get scores(): readonly number[] {
    return this.#scores;
  }

  /** The member's score. */
  get(member: ByteString): number | undefined {
    const place = this.#index.find(member);
    return place < 0 ? undefined : this.#scores[place];
  }

  /** Adds a member or changes its score. */
  set(member: ByteString, score: number): void {
    if (Number.isNaN(score)) throw new Error("a sorted set was given a score that is not a number");
    score += 0; // makes 0 of -0
    const place = this.#index.find(member);
    if (place < 0) {
      this.#index.push(member);
      this.#scores.push(score);
    } else {
      this.#tree.delete(this.#scores[place] as number, member);
      this.#scores[place] = score;
    }
    this.#tree.insert(score, member);
  }

  /** Removes a member, if it is there. */
  delete(member: ByteString): void {
    const place = this.#index.find(member);
    if (place < 0) return;
    this.#tree.delete(this.#scores[place] as number, member);
    this.#index.removeAt(place);
    const last = this.#scores.pop() as number;
    if (place < this.#scores.length) this.#scores[place] = last;
  }

  clone(): SortedSet {
    const copy = new SortedSet();
    for (const member of this.#index.members) copy.#index.push(member);
    for (const score of this.#scores) copy.#scores.push(score);
    copy.#tree = this.#tree.clone();
    return copy;
  }

  /** How many members come before this one. */
  rank(member: ByteString): number | undefined {
    const score = this.get(member);
    if (score === undefined) return undefined;
    return this.#tree.countBefore((other, name) => other < score || (other === score && name < member));
  }

  /** How many members have a score below a bound, or at it where `orEqual`. */
  countBelowScore(bound: number, orEqual: boolean): number {
    return this.#tree.countBefore((score) => score < bound || (orEqual && score === bound));
  }

  /**
   * How many members come before a name, or are it where `orEqual`. Only for sets in which all scores are
   * equal.
   */
  countBelowMember(bound: ByteString, orEqual: boolean): number {
    return this.#tree.countBefore((_, member) => member < bound || (orEqual && member === bound));
  }

  /** Whether all members have the same score. */
  hasOneScore(): boolean {
    return this.size === 0 || this.at(0)[1] === this.at(this.size - 1)[1];
  }

  /** Member and score of a rank, 0 ≤ rank < size. */
  at(rank: number): [ByteString, number] {
    for (const pair of this.#tree.range(rank, rank + 1)) return pair;
    throw new Error(`a sorted set of ${this.size} members has none of rank ${rank}`);
  }

  /** Members and scores, `from` ≤ rank < `to`, lowest first. The set must not change meanwhile. */
  range(from: number, to: number): Generator<[ByteString, number]> {
    return this.#tree.range(from, Math.min(to, this.size));
  }

  /** The same, highest first. */
  reverseRange(from: number, to: number): Generator<[ByteString, number]> {
    return this.#tree.reverseRange(from, Math.min(to, this.size));
  }
}
