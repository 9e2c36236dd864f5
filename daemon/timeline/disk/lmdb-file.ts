/**
 * A reader of LMDB's file without LMDB: it opens nothing for writing, enters no reader in LMDB's lock table, and
 * reports a damaged page instead of ending the process. It reads the pages of one transaction consistently, in short
 * steps. LMDB does not overwrite a page before the second transaction after the one that released it, so pages that
 * were read while no transaction ended are consistent.
 *
 * Nothing in a page is trusted, because LMDB's own code ends the process on a page that is zeroed or torn. Numbers are
 * in the machine's byte order. Source: `MDB_page`, `MDB_node`, `MDB_ovpage` and `MDB_meta` in LMDB's mdb.c, as in the
 * package lmdb.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { endianness } from "node:os";

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
/** The root of an empty tree. */
const NO_PAGE = 2n ** 64n - 1n;
/** The maximum number of levels of pages: LMDB's own bound. */
const DEPTH_MAX = 32;

interface Bounds {
  readonly from: Buffer | null;
  readonly to: Buffer | null;
}

export class LmdbFile {
  readonly path: string;
  readonly #descriptor: number;

  /** @throws Error  the system's error. @throws DamagedFile  the head is damaged */
  constructor(path: string) {
    this.path = path;
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
    return readHead(this.#descriptor, this.path);
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

/** Whether LMDB writes numbers with the lowest byte first: it uses the machine's byte order. */
const IS_LITTLE = endianness() === "LE";

/** A branch of the tree, or a leaf with the nodes themselves. */
interface TreePage {
  readonly isLeaf: boolean;
  readonly nodes: readonly PageNode[];
}

interface PageNode {
  /** The key; empty for the first node of a branch. */
  readonly key: Buffer;
  /** In a branch, the page below; in a leaf, the page at which a long value begins, or null if the value is here. */
  readonly page: number | null;
  /** The bytes of a leaf's value. */
  readonly length: number;
  /** The value of a leaf, unless it is long. */
  readonly value: Buffer;
}

/** The problem of a page, as a clause without a final period. */
type PageProblem = string;

const FLAGS_AT = 18;
const LOWER_AT = 20;
const UPPER_AT = 22;
const PAGES_AT = 20;
const PAGE_HEAD_BYTES = 24;

const IS_BRANCH = 0x01;
const IS_LEAF = 0x02;
const IS_OVERFLOW = 0x04;

const NODE_HEAD_BYTES = 8;
/** The value is stored on separate pages. */
const IS_LONG = 0x01;
const NUMBER_BYTES = 8;

/**
 * Parses a page of a tree.
 * @param bytes   the complete page; not copied
 * @param number  the number that the page must have
 */
function readTreePage(bytes: Buffer, number: number): TreePage | PageProblem {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const flags = view.getUint16(FLAGS_AT, IS_LITTLE);
  const problem = headProblem(view, number);
  if (problem !== null) return problem;
  if (flags !== IS_BRANCH && flags !== IS_LEAF) return "it is not a page of a tree";
  const [lower, upper] = [view.getUint16(LOWER_AT, IS_LITTLE), view.getUint16(UPPER_AT, IS_LITTLE)];
  const count = lower >> 1;
  if (count === 0 || lower > upper || PAGE_HEAD_BYTES + upper > bytes.length)
    return "its bounds are impossible";

  const isLeaf = flags === IS_LEAF;
  const nodes: PageNode[] = [];
  for (let i = 0; i < count; i++) {
    const at = PAGE_HEAD_BYTES + view.getUint16(PAGE_HEAD_BYTES + 2 * i, IS_LITTLE);
    const node = at < PAGE_HEAD_BYTES + lower ? null : readNode(bytes, view, at, isLeaf);
    if (node === null) return `its node ${i} is impossible`;
    nodes.push(node);
  }
  return { isLeaf, nodes };
}

/** Reads the first page of a long value. @returns the number of pages that the value takes, including this one */
function readLongPages(head: Buffer, number: number): number | PageProblem {
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  const problem = headProblem(view, number);
  if (problem !== null) return problem;
  if (view.getUint16(FLAGS_AT, IS_LITTLE) !== IS_OVERFLOW) return "it is not a page of a long value";
  return view.getUint32(PAGES_AT, IS_LITTLE);
}

function headProblem(view: DataView, number: number): PageProblem | null {
  const found = view.getBigUint64(0, IS_LITTLE);
  if (found === BigInt(number)) return null;
  return found === 0n && view.getUint16(FLAGS_AT, IS_LITTLE) === 0 ? "it is empty" : "it is a different page";
}

function readNode(bytes: Buffer, view: DataView, at: number, isLeaf: boolean): PageNode | null {
  if (at + NODE_HEAD_BYTES > bytes.length) return null;
  const first = view.getUint16(at, IS_LITTLE);
  const second = view.getUint16(at + 2, IS_LITTLE);
  const low = IS_LITTLE ? first + second * 2 ** 16 : second + first * 2 ** 16;
  const flags = view.getUint16(at + 4, IS_LITTLE);
  const keyEnd = at + NODE_HEAD_BYTES + view.getUint16(at + 6, IS_LITTLE);
  if (keyEnd > bytes.length) return null;

  const key = bytes.subarray(at + NODE_HEAD_BYTES, keyEnd);
  if (!isLeaf) return { key, page: low + flags * 2 ** 32, length: 0, value: NOTHING };

  const isLong = (flags & IS_LONG) !== 0;
  const end = keyEnd + (isLong ? NUMBER_BYTES : low);
  if (end > bytes.length) return null;
  if (!isLong) return { key, page: null, length: low, value: bytes.subarray(keyEnd, end) };
  return { key, page: Number(view.getBigUint64(keyEnd, IS_LITTLE)), length: low, value: NOTHING };
}

const NOTHING = Buffer.alloc(0);

/** The error for a file that is damaged in such a way that LMDB would end the process. */
export class DamagedFile extends Error {
  override readonly name = "DamagedFile";
}

/** Offsets from the beginning of a page. */
const MAGIC_AT = 24;
const VERSION_AT = 28;
const MAP_BYTES_AT = 40;
const PAGE_BYTES_AT = 48;
/** Offsets of the roots: of the tree of free pages, and of the main tree. */
const ROOTS_AT = [88, 136] as const;
const LAST_PAGE_AT = 144;
const TRANSACTION_AT = 152;
const HEAD_BYTES = 168;

const IS_META = 0x08;
const MAGIC = 0xbeefc0de;
/** The version of the file's layout, which is in the lower 16 bits of the version field. */
const VERSION = 2;
const PAGE_BYTES_MIN = 512;
export const PAGE_BYTES_MAX = 65_536;
const META_PAGES = 2;

/** The contents of an intact file's head, as of its last transaction. */
export interface FileHead {
  /** The number of the transaction. */
  readonly transaction: bigint;
  readonly pageBytes: number;
  /** The number of complete pages in the file. */
  readonly pages: number;
  /** The number of the page where the tree of free pages begins, or 2^64-1 if the tree is empty. */
  readonly freeRoot: bigint;
  readonly mainRoot: bigint;
}

/**
 * Checks the head of a file, its first two pages, before LMDB reads it. LMDB trusts these pages: a truncated or torn
 * file would end the process without a message, or would be read as of the previous transaction.
 * @param path  the file; LMDB creates a missing or empty file
 * @returns whether the file exists and has contents
 * @throws DamagedFile
 */
export function checkHeader(path: string): boolean {
  const descriptor = openIfThere(path);
  if (descriptor === null) return false;
  try {
    if (fstatSync(descriptor).size === 0) return false;
    readHead(descriptor, path);
    return true;
  } finally {
    closeSync(descriptor);
  }
}

/** Reads the head of an open file. @param path  for messages @throws DamagedFile */
function readHead(descriptor: number, path: string): FileHead {
  let newest: FileHead | null = null;
  for (let page = 0; page < META_PAGES; page++) {
    const head = new DataView(new ArrayBuffer(HEAD_BYTES));
    const from: number = page * (newest?.pageBytes ?? 0);
    if (readSync(descriptor, head, 0, HEAD_BYTES, from) < HEAD_BYTES) throw damaged(path, "it is cut off");

    // Read the size after the head, because a file that is being written grows before its head reports the growth.
    const { size } = fstatSync(descriptor);
    const problem = problemOf(head, { size, pageBytes: newest?.pageBytes ?? null });
    if (problem !== null) throw damaged(path, problem);

    const found = fileHead(head, size);
    if (newest === null || found.transaction > newest.transaction) newest = found;
  }
  return newest as FileHead;
}

function fileHead(head: DataView, size: number): FileHead {
  const pageBytes = head.getUint32(PAGE_BYTES_AT, IS_LITTLE);
  const [freeRoot, mainRoot] = [
    head.getBigUint64(ROOTS_AT[0], IS_LITTLE),
    head.getBigUint64(ROOTS_AT[1], IS_LITTLE),
  ];
  const transaction = head.getBigUint64(TRANSACTION_AT, IS_LITTLE);
  return { transaction, pageBytes, pages: Math.floor(size / pageBytes), freeRoot, mainRoot };
}

/** @param file.pageBytes  from the previous page, or null if there is none */
function problemOf(head: DataView, file: { size: number; pageBytes: number | null }): string | null {
  if ((head.getUint16(FLAGS_AT, IS_LITTLE) & IS_META) === 0 || head.getUint32(MAGIC_AT, IS_LITTLE) !== MAGIC)
    return "its head is not LMDB's";
  if ((head.getUint32(VERSION_AT, IS_LITTLE) & 0xffff) !== VERSION) return "its head is of another version";

  const pageBytes = head.getUint32(PAGE_BYTES_AT, IS_LITTLE);
  const isPossible =
    pageBytes >= PAGE_BYTES_MIN && pageBytes <= PAGE_BYTES_MAX && (pageBytes & (pageBytes - 1)) === 0;
  if (!isPossible || pageBytes !== (file.pageBytes ?? pageBytes)) return "its head names no valid page size";

  const last = head.getBigUint64(LAST_PAGE_AT, IS_LITTLE);
  // The file may be shorter: pages at its end that were freed immediately were never written.
  if ((last + 1n) * BigInt(pageBytes) > head.getBigUint64(MAP_BYTES_AT, IS_LITTLE))
    return "its head names an impossible last page";

  const pages = BigInt(Math.floor(file.size / pageBytes));
  for (const at of ROOTS_AT) {
    const root = head.getBigUint64(at, IS_LITTLE);
    if (root !== NO_PAGE && (root < META_PAGES || root > last || root >= pages))
      return "its head names a page that does not exist";
  }
  return null;
}

function damaged(path: string, problem: string): DamagedFile {
  return new DamagedFile(`${path} is damaged: ${problem}`);
}

function openIfThere(path: string): number | null {
  try {
    return openSync(path, "r");
  } catch (problem) {
    if ((problem as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw problem;
  }
}
