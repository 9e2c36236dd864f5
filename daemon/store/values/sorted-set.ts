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
    effort.produce(this.size);
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

/** Maximum number of pairs in a leaf, or of children in a branch. Measured: 32 and 128 are no faster. */
const NODE_MAX = 64;
/** A node smaller than this is merged with a neighbour if the result has room left. */
const NODE_MIN = NODE_MAX / 4;
const JOINED_MAX = (NODE_MAX * 3) / 4;

/** Whether a pair precedes a position. Once false, it must be false for all greater pairs. */
type Before = (score: number, member: ByteString) => boolean;

/**
 * Pairs of score and member in the order (score, member bytes), found by pair or by rank: a B+ tree whose inner nodes
 * count the pairs below them. All operations are O(log n); up to NODE_MAX pairs the tree is one flat sorted array. Its
 * shape depends on its history, its order only on its contents.
 */
export class RankedTree {
  #root: Node = new Leaf();

  get size(): number {
    return this.#root.size;
  }

  /** Adds a new pair. */
  insert(score: number, member: ByteString): void {
    const right = this.#root.insert(score, member);
    if (right !== undefined) this.#root = new Branch([this.#root, right]);
  }

  /** Removes an existing pair. */
  delete(score: number, member: ByteString): void {
    this.#root.delete(score, member);
    while (this.#root instanceof Branch) {
      const [child, ...others] = this.#root.children;
      if (others.length > 0) break;
      this.#root = child ?? new Leaf();
    }
  }

  /** Counts the pairs before the given position. */
  countBefore(before: Before): number {
    return this.#root.countBefore(before);
  }

  /** Yields the pairs `from` ≤ rank < `to`, lowest first. The tree must not change meanwhile. */
  *range(from: number, to: number): Generator<[ByteString, number]> {
    while (from < to) {
      const { leaf, index: start } = this.#find(from);
      const end = Math.min(leaf.size, start + to - from);
      for (let index = start; index < end; index++) yield [leaf.members[index]!, leaf.scores[index]!];
      from += end - start;
    }
  }

  /** Yields the same pairs, highest first. */
  *reverseRange(from: number, to: number): Generator<[ByteString, number]> {
    while (from < to) {
      const { leaf, index: start } = this.#find(to - 1);
      const end = Math.max(0, start + 1 - (to - from));
      for (let index = start; index >= end; index--) yield [leaf.members[index]!, leaf.scores[index]!];
      to -= start + 1 - end;
    }
  }

  clone(): RankedTree {
    const copy = new RankedTree();
    copy.#root = this.#root.clone();
    return copy;
  }

  /** Returns the position of the pair with the given rank. */
  #find(rank: number): { leaf: Leaf; index: number } {
    let node = this.#root;
    while (node instanceof Branch) {
      let at = 0;
      while (rank >= node.children[at]!.size) rank -= node.children[at++]!.size;
      node = node.children[at]!;
    }
    return { leaf: node, index: rank };
  }
}

type Node = Leaf | Branch;

class Leaf {
  readonly scores: number[];
  readonly members: ByteString[];
  /**
   * The lower bound of the node: no pair of this node precedes it, and all pairs of nodes to the left do. The pair
   * itself need not be present.
   */
  floorScore: number;
  floorMember: ByteString;

  constructor(scores: number[] = [], members: ByteString[] = []) {
    this.scores = scores;
    this.members = members;
    this.floorScore = scores[0] ?? Number.NEGATIVE_INFINITY;
    this.floorMember = members[0] ?? "";
  }

  get size(): number {
    return this.members.length;
  }

  /** Number of items in the node. */
  get length(): number {
    return this.members.length;
  }

  /** @returns the right half, if this node was split */
  insert(score: number, member: ByteString): Leaf | undefined {
    const index = this.#index(score, member);
    if (index === 0) this.#lowerFloor(score, member);
    this.scores.splice(index, 0, score);
    this.members.splice(index, 0, member);
    if (this.size <= NODE_MAX) return undefined;
    // Pairs that are added in order leave full leaves.
    const splitIndex = index === this.size - 1 ? index : this.size >> 1;
    return new Leaf(this.scores.splice(splitIndex), this.members.splice(splitIndex));
  }

  delete(score: number, member: ByteString): void {
    const index = this.#index(score, member);
    this.scores.splice(index, 1);
    this.members.splice(index, 1);
  }

  countBefore(before: Before): number {
    let low = 0;
    let high = this.size;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (before(this.scores[middle]!, this.members[middle]!)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Appends the pairs of the node to the right. */
  absorb(right: Node): void {
    this.scores.push(...(right as Leaf).scores);
    this.members.push(...(right as Leaf).members);
  }

  clone(): Leaf {
    const copy = new Leaf(this.scores.slice(), this.members.slice());
    copy.#lowerFloor(this.floorScore, this.floorMember);
    return copy;
  }

  /**
   * Counts the pairs of this leaf that precede a pair: countBefore without a closure, because every insertion needs it.
   */
  #index(score: number, member: ByteString): number {
    let low = 0;
    let high = this.size;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (precedes(this.scores[middle]!, this.members[middle]!, score, member)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #lowerFloor(score: number, member: ByteString): void {
    if (!precedes(score, member, this.floorScore, this.floorMember)) return;
    this.floorScore = score;
    this.floorMember = member;
  }
}

class Branch {
  readonly children: Node[];
  floorScore: number;
  floorMember: ByteString;
  /** Number of pairs below this node. */
  size: number;

  constructor(children: Node[]) {
    this.children = children;
    this.floorScore = children[0]!.floorScore;
    this.floorMember = children[0]!.floorMember;
    this.size = sizeOf(children);
  }

  get length(): number {
    return this.children.length;
  }

  insert(score: number, member: ByteString): Branch | undefined {
    if (precedes(score, member, this.floorScore, this.floorMember)) {
      this.floorScore = score;
      this.floorMember = member;
    }
    this.size++;
    const at = this.#childOf(score, member);
    const right = this.children[at]!.insert(score, member);
    if (right === undefined) return undefined;
    this.children.splice(at + 1, 0, right);
    if (this.length <= NODE_MAX) return undefined;
    const moved = new Branch(this.children.splice(this.length >> 1));
    this.size -= moved.size;
    return moved;
  }

  delete(score: number, member: ByteString): void {
    this.size--;
    const at = this.#childOf(score, member);
    const child = this.children[at]!;
    child.delete(score, member);
    if (child.length < NODE_MIN) this.#join(at);
  }

  countBefore(before: Before): number {
    const at = this.#lastChild((child) => before(child.floorScore, child.floorMember));
    let count = 0;
    for (let i = 0; i < at; i++) count += this.children[i]!.size;
    return count + this.children[at]!.countBefore(before);
  }

  absorb(right: Node): void {
    this.children.push(...(right as Branch).children);
    this.size += right.size;
  }

  clone(): Branch {
    const copy = new Branch(this.children.map((child) => child.clone()));
    copy.floorScore = this.floorScore;
    copy.floorMember = this.floorMember;
    return copy;
  }

  /** Returns the child that contains a pair, or that should contain it. */
  #childOf(score: number, member: ByteString): number {
    return this.#lastChild((child) => !precedes(score, member, child.floorScore, child.floorMember));
  }

  /** Returns the last child for which a test holds, or the first child if it holds for none. */
  #lastChild(holds: (child: Node) => boolean): number {
    let low = 0;
    let high = this.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (holds(this.children[middle]!)) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Removes an empty child, or merges a small one with a neighbour. */
  #join(at: number): void {
    if (this.children[at]!.length === 0) {
      this.children.splice(at, 1);
      return;
    }
    for (const left of [at, at - 1]) {
      const child = this.children[left];
      const right = this.children[left + 1];
      if (child === undefined || right === undefined || child.length + right.length > JOINED_MAX) continue;
      child.absorb(right);
      this.children.splice(left + 1, 1);
      return;
    }
  }
}

function sizeOf(nodes: readonly Node[]): number {
  let size = 0;
  for (const node of nodes) size += node.size;
  return size;
}

/** Scores compare as numbers (0 and -0 are equal), members as bytes. */
function precedes(score: number, member: ByteString, otherScore: number, otherMember: ByteString): boolean {
  return score < otherScore || (score === otherScore && member < otherMember);
}
