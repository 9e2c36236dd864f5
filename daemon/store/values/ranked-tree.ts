import type { ByteString } from "../../../protocol/byte-string.js";

/** Maximum number of pairs in a leaf, or of children in a branch. Measured: 32 and 128 are no faster. */
const NODE_MAX = 64;
/** A node smaller than this is merged with a neighbour if the result has room left. */
const NODE_MIN = NODE_MAX / 4;
const JOINED_MAX = (NODE_MAX * 3) / 4;

/** Whether a pair precedes a position. Once false, it must be false for all greater pairs. */
export type Before = (score: number, member: ByteString) => boolean;

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
export function precedes(
  score: number,
  member: ByteString,
  otherScore: number,
  otherMember: ByteString,
): boolean {
  return score < otherScore || (score === otherScore && member < otherMember);
}
