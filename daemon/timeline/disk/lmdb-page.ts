/**
 * One page of a tree in LMDB's file, read from its bytes. Nothing in it is trusted, because LMDB's own code ends the
 * process on a page that is zeroed or torn. Numbers are in the machine's byte order. Source: `MDB_page`, `MDB_node` and
 * `MDB_ovpage` in LMDB's mdb.c, as in the package lmdb.
 */
import { endianness } from "node:os";

/** Whether LMDB writes numbers with the lowest byte first: it uses the machine's byte order. */
export const IS_LITTLE = endianness() === "LE";

/** A branch of the tree, or a leaf with the nodes themselves. */
export interface TreePage {
  readonly isLeaf: boolean;
  readonly nodes: readonly PageNode[];
}

export interface PageNode {
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
export type PageProblem = string;

const FLAGS_AT = 18;
const LOWER_AT = 20;
const UPPER_AT = 22;
const PAGES_AT = 20;
export const PAGE_HEAD_BYTES = 24;

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
export function readTreePage(bytes: Buffer, number: number): TreePage | PageProblem {
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
export function readLongPages(head: Buffer, number: number): number | PageProblem {
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
