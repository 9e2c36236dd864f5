/**
 * A reader of LMDB's file without LMDB: it opens nothing for writing, enters no reader in LMDB's lock table, and
 * reports a damaged page instead of ending the process. It reads the pages of one transaction consistently, in short
 * steps. LMDB does not overwrite a page before the second transaction after the one that released it, so pages that
 * were read while no transaction ended are consistent.
 */
import { closeSync, openSync, readSync } from "node:fs";
import { type FileHead, readHead } from "./lmdb-header.js";
import {
  IS_LITTLE,
  PAGE_HEAD_BYTES,
  type PageNode,
  readLongPages,
  readTreePage,
  type TreePage,
} from "./lmdb-page.js";

/** The file's name in the folder of a timeline. */
export const DATA_FILE = "data.mdb";

/** A range of keys that cannot be read. */
export interface PageDamage {
  readonly page: number;
  /** The problem, as a clause without a final period. */
  readonly problem: string;
  /** The first key that may have been in the range, or null for the beginning. */
  readonly from: Buffer | null;
  /** The first key after the range, or null for no end. */
  readonly to: Buffer | null;
}

export type Found =
  | { readonly kind: "node"; readonly key: Buffer; readonly value: Buffer }
  | { readonly kind: "damage"; readonly damage: PageDamage };

/** The root of a tree. */
export interface Tree {
  readonly root: number;
  /** Whether its keys are in the order of their bytes. */
  readonly isOrdered: boolean;
}

/** The offset of the root's number in `MDB_db`, which describes a tree that is stored in the main tree. */
const ROOT_AT = 40;
const NO_PAGE = 2n ** 64n - 1n;
/** The maximum number of levels of pages: LMDB's own bound. */
const DEPTH_MAX = 32;

interface Bounds {
  readonly from: Buffer | null;
  readonly to: Buffer | null;
}

export class LmdbFile {
  readonly #path: string;
  readonly #descriptor: number;

  /** @throws Error  the system's error. @throws DamagedFile  the head is damaged */
  constructor(path: string) {
    this.#path = path;
    this.#descriptor = openSync(path, "r");
    try {
      this.head();
    } catch (problem) {
      this.close();
      throw problem;
    }
  }

  /** Reads the head as of the last transaction. @throws DamagedFile */
  head(): FileHead {
    return readHead(this.#descriptor, this.#path);
  }

  /** Returns a tree that the main tree names, or null if it does not exist. */
  tree(head: FileHead, name: string): Tree | PageDamage | null {
    const main = treeAt(head.mainRoot);
    if (main === null) return null;
    for (const found of this.nodes(head, main)) {
      if (found.kind === "damage") return found.damage;
      const end = found.key.at(-1) === 0 ? -1 : found.key.length;
      if (found.key.subarray(0, end).toString() === name) return treeAt(rootIn(found.value));
    }
    return null;
  }

  /**
   * Yields the nodes of a tree in order. Damage is yielded in place of the nodes that it makes unreadable.
   * @param isBrief  whether long values are skipped: they are then empty
   */
  nodes(
    head: FileHead,
    tree: Tree,
    { from = null, isBrief = false }: { readonly from?: Buffer | null; readonly isBrief?: boolean } = {},
  ): Generator<Found> {
    const walk = { head, isOrdered: tree.isOrdered, start: from, isBrief };
    return this.#below(walk, tree.root, { from: null, to: null }, 1);
  }

  /** Returns the greatest key, or null if it cannot be read. */
  last(head: FileHead, tree: Tree): Buffer | null {
    let number = tree.root;
    for (let depth = 1; depth <= DEPTH_MAX; depth++) {
      const bytes = this.#bytes(head, number, head.pageBytes);
      const page = bytes === null ? null : readTreePage(bytes, number);
      if (page === null || typeof page === "string") return null;
      const node = page.nodes.at(-1) as PageNode;
      if (page.isLeaf) return node.key;
      number = node.page as number;
    }
    return null;
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  *#below(walk: Walk, number: number, bounds: Bounds, depth: number): Generator<Found> {
    const page = this.#treePage(walk, number, bounds, depth);
    if (typeof page === "string") {
      yield { kind: "damage", damage: { page: number, problem: page, ...bounds } };
      return;
    }
    for (const [i, node] of page.nodes.entries()) {
      if (page.isLeaf) {
        if (walk.start === null || node.key.compare(walk.start) >= 0) yield this.#found(walk, node);
        continue;
      }
      const to = page.nodes[i + 1]?.key ?? bounds.to;
      if (walk.start !== null && to !== null && to.compare(walk.start) <= 0) continue;
      const from = i === 0 ? bounds.from : node.key;
      yield* this.#below(walk, node.page as number, { from, to }, depth + 1);
    }
  }

  #treePage({ head, isOrdered }: Walk, number: number, bounds: Bounds, depth: number): TreePage | string {
    if (depth > DEPTH_MAX) return "it is its own branch";
    const bytes = this.#bytes(head, number, head.pageBytes);
    if (bytes === null) return "it does not exist";
    const page = readTreePage(bytes, number);
    if (typeof page === "string" || !isOrdered) return page;
    return areInOrder(page, bounds) ? page : "its keys are not in order";
  }

  #found({ head, isBrief }: Walk, { key, page, length, value }: PageNode): Found {
    if (page === null) return { kind: "node", key, value };
    const bytes = this.#bytes(head, page, PAGE_HEAD_BYTES + (isBrief ? 0 : length));
    const pages = bytes === null ? "it does not exist" : readLongPages(bytes, page);
    const isShort = typeof pages === "number" && pages * head.pageBytes < PAGE_HEAD_BYTES + length;
    if (bytes !== null && typeof pages === "number" && !isShort)
      return { kind: "node", key, value: bytes.subarray(PAGE_HEAD_BYTES) };
    const problem = typeof pages === "string" ? pages : "it is too short for its value";
    return { kind: "damage", damage: { page, problem, from: key, to: keyAfter(key) } };
  }

  /** Reads bytes of the file, or returns null if the file is too short. */
  #bytes({ pageBytes, pages }: FileHead, number: number, length: number): Buffer | null {
    if (number >= pages || number * pageBytes + length > pages * pageBytes) return null;
    const bytes = Buffer.allocUnsafeSlow(length);
    return readSync(this.#descriptor, bytes, 0, length, number * pageBytes) === length ? bytes : null;
  }
}

interface Walk {
  readonly head: FileHead;
  readonly isOrdered: boolean;
  readonly start: Buffer | null;
  readonly isBrief: boolean;
}

/**
 * Returns the first damage in the file, or null if none was found. Called before LMDB opens the file, because LMDB ends
 * the process when it reads a damaged page. No process may write to the file in the meantime.
 * @param max  the number of keys after which the search ends; damage after them is not found
 * @throws DamagedFile  the head is damaged
 */
export function findDamage(path: string, names: readonly string[], max: number): PageDamage | null {
  const file = new LmdbFile(path);
  try {
    const head = file.head();
    const free = treeAt(head.freeRoot, false);
    const trees = [free, ...names.map((name) => file.tree(head, name))];
    let left = max;
    for (const tree of trees) {
      if (tree === null) continue;
      if ("problem" in tree) return tree;
      for (const found of file.nodes(head, tree, { isBrief: true })) {
        if (found.kind === "damage") return found.damage;
        if (--left < 0) return null;
      }
    }
    return null;
  } finally {
    file.close();
  }
}

function treeAt(root: bigint, isOrdered = true): Tree | null {
  return root === NO_PAGE ? null : { root: Number(root), isOrdered };
}

function rootIn(value: Buffer): bigint {
  if (value.length < ROOT_AT + 8) return 0n;
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  return view.getBigUint64(ROOT_AT, IS_LITTLE);
}

/** Whether the keys of a page are in order. The first node of a branch has no key. */
function areInOrder({ isLeaf, nodes }: TreePage, { from, to }: Bounds): boolean {
  let before: Buffer | null = null;
  for (const { key } of isLeaf ? nodes : nodes.slice(1)) {
    if (before === null ? from !== null && key.compare(from) < 0 : key.compare(before) <= 0) return false;
    before = key;
  }
  return before === null || to === null || before.compare(to) < 0;
}

/** Returns the smallest possible key after the given key. */
export function keyAfter(key: Buffer): Buffer {
  return Buffer.concat([key, Buffer.alloc(1)]);
}
