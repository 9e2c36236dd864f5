/**
 * A sorted set value: distinct members, each with a score, in the order (score, member bytes). Ranks begin with 0.
 * Scores are never NaN, and -0 is stored as 0. A small set is one packed string of members and scores in the order of
 * their ranks; once it has grown larger, it remains a tree by rank and a table by member. The table's order is for
 * ZSCAN only: it is not part of the state, and no write may depend on it.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { DigestMix } from "./digest-mix.js";
import { REFERENCE, sampledBytes, tableBytes, textBytes } from "./memory-estimate.js";
import {
  type CopyEffort,
  ITEMS_PER_STEP,
  type ObjectValue,
  type ValueKind,
  type ValueWriter,
} from "./object-value.js";
import { type Before, precedes, RankedTree } from "./ranked-tree.js";
import { type DenseTable, tableOfNames } from "./tables/dense-table.js";
import {
  copied,
  elementAt,
  findPacked,
  isPackable,
  offsetOf,
  PACKED_ELEMENTS_MAX,
  splicePacked,
  unpacked,
} from "./tables/packed-elements.js";
import { type PageRequest, type ScanPage, smallPage } from "./tables/scan-page.js";

const MEMBERS_PACKED_MAX = PACKED_ELEMENTS_MAX / 2;
/**
 * Bytes of a score and a reference in the tree by score, whose nodes are at least half full, and of the score in the
 * table by member.
 */
const SCORED = 4 * REFERENCE;

/** A sorted set that is not small. */
interface Ranked {
  readonly table: DenseTable<ByteString>;
  /** The scores, each at the slot of its member in the table. */
  readonly scores: number[];
  readonly tree: RankedTree;
}

export class SortedSet implements ObjectValue {
  /** In a small set: member, score as text, member, score, … */
  #content: ByteString | Ranked = "";
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get type(): "zset" {
    return "zset";
  }

  get allElements(): number {
    return this.size;
  }

  /**
   * Whether a change of one member may move other members within `members`. If so, a scan must return all members in
   * one page.
   */
  get isSmall(): boolean {
    return typeof this.#content === "string";
  }

  /**
   * The members in dense order, for scans; the caller must not change them. A small set creates a new array for each
   * call.
   */
  get members(): readonly ByteString[] {
    const content = this.#content;
    return typeof content === "string" ? unpacked(content, 0, 2) : content.table.items;
  }

  /**
   * The scores, each at its member's index in `members`; the caller must not change them. A small set creates a new
   * array for each call.
   */
  get scores(): readonly number[] {
    const content = this.#content;
    return typeof content === "string" ? unpacked(content, 1, 2).map(Number) : content.scores;
  }

  /** Returns a page of a scan. */
  page(request: PageRequest): ScanPage {
    const content = this.#content;
    return typeof content === "string" ? smallPage(this.members, request) : content.table.page(request);
  }

  /** Returns the member's score, or undefined if there is no such member. */
  get(member: ByteString): number | undefined {
    const content = this.#content;
    if (typeof content !== "string") {
      const slot = content.table.find(member);
      return slot < 0 ? undefined : content.scores[slot];
    }
    const rank = findPacked(content, member, 2);
    return rank < 0 ? undefined : Number(elementAt(content, offsetOf(content, 2 * rank + 1)));
  }

  /** Adds a member or changes its score. */
  set(member: ByteString, score: number): void {
    if (Number.isNaN(score)) throw new Error("the score of a sorted set's member is not a number");
    score += 0; // turns -0 into 0
    const content = this.#contentFor(member);
    if (typeof content === "string") this.#setPacked(content, member, score);
    else this.#setRanked(content, member, score);
  }

  /** Removes a member if it exists. */
  delete(member: ByteString): void {
    const content = this.#content;
    if (typeof content === "string") {
      const rank = findPacked(content, member, 2);
      if (rank < 0) return;
      this.#content = splicePacked(content, 2 * rank, 2, []);
    } else {
      const { table, scores, tree } = content;
      const slot = table.find(member);
      if (slot < 0) return;
      tree.delete(scores[slot]!, member);
      table.removeAt(slot);
      const last = scores.pop()!;
      if (slot < scores.length) scores[slot] = last;
    }
    this.#size--;
  }

  clone(): SortedSet {
    const copy = new SortedSet();
    const content = this.#content;
    copy.#size = this.#size;
    copy.#content =
      typeof content === "string"
        ? content
        : {
            table: tableOfNames(content.table.items),
            scores: content.scores.slice(),
            tree: content.tree.clone(),
          };
    return copy;
  }

  countCopy(effort: CopyEffort): void {
    effort.countProduced(this.size);
  }

  canonical(): readonly unknown[] {
    return [...this.range(0, this.#size)].map(([member, score]) => [member, String(score)]);
  }

  addTo(digest: DigestMix): void {
    for (const [member, score] of this.range(digest.from, digest.to)) {
      digest.part(member);
      digest.text(String(score));
    }
  }

  estimatedBytes(samples: number): number {
    const bytesOf = (count: number) => count * (SCORED + REFERENCE) + textBytes(this.members.slice(0, count));
    return sampledBytes(this.#size, samples, bytesOf) + tableBytes(this.#size);
  }

  get form(): "zset" {
    return "zset";
  }

  *write(writer: ValueWriter): Generator<undefined> {
    for (const [member, score] of this.range(0, this.#size)) {
      writer.bytes(member);
      writer.double(score);
      if (writer.isFull) yield;
    }
  }

  /** Returns the number of members before the given member, or undefined if the set does not contain it. */
  rank(member: ByteString): number | undefined {
    const score = this.get(member);
    if (score === undefined) return undefined;
    return this.#countBefore((other, name) => precedes(other, name, score, member));
  }

  /** Counts the members whose score is below the bound or, if `orEqual`, equal to it. */
  countBelowScore(bound: number, orEqual: boolean): number {
    return this.#countBefore((score) => score < bound || (orEqual && score === bound));
  }

  /**
   * Counts the members that precede the bound or, if `orEqual`, equal it. Only for sets in which all scores are equal.
   */
  countBelowMember(bound: ByteString, orEqual: boolean): number {
    return this.#countBefore((_, member) => member < bound || (orEqual && member === bound));
  }

  /** Whether all members have the same score. */
  hasOneScore(): boolean {
    return this.size === 0 || this.at(0)[1] === this.at(this.size - 1)[1];
  }

  /** Returns the member with the given rank and its score, 0 ≤ rank < size. */
  at(rank: number): [ByteString, number] {
    for (const pair of this.range(rank, rank + 1)) return pair;
    throw new Error(`a sorted set of ${this.size} members has none of rank ${rank}`);
  }

  /** Returns members and scores, `from` ≤ rank < `to`, lowest first. The set must not change meanwhile. */
  range(from: number, to: number): Iterable<[ByteString, number]> {
    const content = this.#content;
    if (typeof content === "string") return pairsOf(content).slice(from, Math.max(from, to));
    return content.tree.range(from, Math.min(to, this.#size));
  }

  /** Returns the same members and scores, highest first. */
  reverseRange(from: number, to: number): Iterable<[ByteString, number]> {
    const content = this.#content;
    if (typeof content === "string") return pairsOf(content).slice(from, Math.max(from, to)).reverse();
    return content.tree.reverseRange(from, Math.min(to, this.#size));
  }

  #countBefore(before: Before): number {
    const content = this.#content;
    if (typeof content !== "string") return content.tree.countBefore(before);
    const count = pairsOf(content).findIndex(([member, score]) => !before(score, member));
    return count < 0 ? this.#size : count;
  }

  #setPacked(content: ByteString, member: ByteString, score: number): void {
    const old = findPacked(content, member, 2);
    const others = old < 0 ? content : splicePacked(content, 2 * old, 2, []);
    this.#content = splicePacked(others, 2 * rankIn(others, score, member), 0, [member, String(score)]);
    if (old < 0) this.#size++;
  }

  #setRanked({ table, scores, tree }: Ranked, member: ByteString, score: number): void {
    const slot = table.find(member);
    if (slot < 0) {
      table.push(member);
      scores.push(score);
      tree.insert(score, member);
      this.#size++;
      return;
    }

    // The tree and the table share one string of the member's bytes.
    const sharedMember = table.items[slot]!;
    tree.delete(scores[slot]!, sharedMember);
    tree.insert(score, sharedMember);
    scores[slot] = score;
  }

  /** Returns the content, converted to the large form if the added member is too large for a packed string. */
  #contentFor(member: ByteString): ByteString | Ranked {
    const content = this.#content;
    if (typeof content !== "string") return content;
    if (this.#size < MEMBERS_PACKED_MAX && isPackable(member)) return content;

    const pairs = pairsOf(content).map(([name, score]): [ByteString, number] => [copied(name), score]);
    const ranked = {
      table: tableOfNames(pairs.map(([name]) => name)),
      scores: pairs.map(([, score]) => score),
      tree: new RankedTree(),
    };
    for (const [name, score] of pairs) ranked.tree.insert(score, name);
    this.#content = ranked;
    return ranked;
  }
}

export const SORTED_SET_KIND: ValueKind = {
  forms: ["zset"],
  *read(reader, size) {
    const value = new SortedSet();
    for (let index = 1; index <= size; index++) {
      value.set(reader.bytes(), reader.double());
      if (index % ITEMS_PER_STEP === 0) yield;
    }
    return value;
  },
};

/** Counts the pairs of a packed string that precede a pair. */
function rankIn(content: ByteString, score: number, member: ByteString): number {
  let rank = 0;
  for (let at = 0; at < content.length; rank++) {
    const scoreAt = offsetOf(content, 1, at);
    const other = Number(elementAt(content, scoreAt));
    if (score < other || (score === other && member < elementAt(content, at))) return rank;
    at = offsetOf(content, 1, scoreAt);
  }
  return rank;
}

function pairsOf(content: ByteString): [ByteString, number][] {
  const elements = unpacked(content);
  const pairs: [ByteString, number][] = [];
  for (let i = 0; i < elements.length; i += 2) pairs.push([elements[i]!, Number(elements[i + 1])]);
  return pairs;
}
