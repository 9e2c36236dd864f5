/**
 * Calculates how many bytes a commit of LMDB writes at most. LMDB copies each page that a commit changes, from the leaf
 * to the root, and writes the list of free pages.
 */
import type { Database } from "lmdb";
import type { StorageOperation } from "../entries/storage-operation.js";

/** The size of the tree of entries, and of the list of free pages, before the commit. */
export interface TreeShape {
  readonly pageBytes: number;
  /** The number of levels of pages. */
  readonly depth: number;
  readonly branchPages: number;
  readonly leafPages: number;
  /** Pages of values that are too long for a leaf. */
  readonly longPages: number;
  /** Pages that contain the list of free pages. */
  readonly freeListPages: number;
}

/** Bytes that LMDB adds to a key and its value in a page: the head of the node, and its position. */
const NODE_BYTES = 10;
/** Bytes at the beginning of each page. */
const PAGE_HEAD_BYTES = 24;
/** The bytes of a page's number, which replaces a long value, and which the list of free pages contains. */
const PAGE_NUMBER_BYTES = 8;
/**
 * The maximum number of pages that the bytes of one full page are split into: a page that was split is at least a
 * quarter full, apart from the last one.
 */
const SPLIT_MAX = 4;
/** Pages of one replaced or removed value that are entered in the list of free pages. */
const FREED_MAX = 256;
/** Pages of the small trees: the marks, the names of the trees, the list of free pages, and the two heads. */
const FIXED_PAGES = 32;

/** The shape of an empty tree. */
export const emptyShape = (pageBytes: number): TreeShape => ({
  pageBytes,
  depth: 0,
  branchPages: 0,
  leafPages: 0,
  longPages: 0,
  freeListPages: 0,
});

/** Returns the end of LMDB's last page in the file, and the shape of a tree. */
export function sizesIn(tree: Database<Buffer, Buffer>): {
  readonly used: number;
  readonly shape: TreeShape;
} {
  const statistics = tree.getStats() as Statistics;
  const { pageSize: pageBytes, free } = statistics;
  const shape = {
    pageBytes,
    depth: statistics.treeDepth,
    branchPages: statistics.treeBranchPageCount,
    leafPages: statistics.treeLeafPageCount,
    longPages: statistics.overflowPages,
    freeListPages: free.treeBranchPageCount + free.treeLeafPageCount + free.overflowPages,
  };
  return { used: (statistics.lastPageNumber + 1) * pageBytes, shape };
}

/** The pages of one tree. */
interface PageCounts {
  readonly treeDepth: number;
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
}

/** The result of `getStats`, which is missing from lmdb's types. */
interface Statistics extends PageCounts {
  readonly pageSize: number;
  readonly lastPageNumber: number;
  readonly free: PageCounts;
}

/** Returns the maximum bytes that a commit of the given operations writes. */
export function commitBytesMax(operations: readonly StorageOperation[], shape: TreeShape): number {
  const { pageBytes, depth } = shape;
  const { changed, marks, keyBytes, inlineBytes, longPages } = sizeOf(operations, pageBytes);
  // Removing a node can also change a neighboring page.
  const copiedLeaves = Math.min(2 * changed, shape.leafPages) + marks;
  const newLeaves = Math.min(changed + marks, copiedLeaves + pagesOf(SPLIT_MAX * inlineBytes, pageBytes));
  const copiedBranches = Math.min(copiedLeaves * depth, shape.branchPages);
  const branchBytes = newLeaves * (NODE_BYTES + PAGE_NUMBER_BYTES + keyBytes);
  const newBranches =
    Math.min(newLeaves, copiedBranches + pagesOf(SPLIT_MAX * branchBytes, pageBytes)) + depth;
  const freed = copiedLeaves + copiedBranches + Math.min(changed * FREED_MAX, shape.longPages);
  const freeListPages = 2 * shape.freeListPages + pagesOf(freed * PAGE_NUMBER_BYTES, pageBytes);
  const pages = copiedLeaves + newLeaves + copiedBranches + newBranches + longPages + freeListPages;
  return (pages + FIXED_PAGES) * pageBytes;
}

function sizeOf(operations: readonly StorageOperation[], pageBytes: number) {
  const marks = new Set<string>();
  let [changed, keyBytes, inlineBytes, longPages] = [0, 0, 0, 0];
  for (const operation of operations) {
    const key = operation.kind === "mark" ? operation.name.length : operation.orderKey.length;
    if (operation.kind === "mark") marks.add(operation.name);
    else changed++;
    keyBytes = Math.max(keyBytes, key);
    if (operation.kind === "remove") continue;
    const value = operation.value.length;
    const isLong = NODE_BYTES + key + value > pageBytes / 2;
    inlineBytes += NODE_BYTES + key + (isLong ? PAGE_NUMBER_BYTES : value);
    if (isLong) longPages += pagesOf(PAGE_HEAD_BYTES + value, pageBytes);
  }
  return { changed, marks: marks.size, keyBytes, inlineBytes, longPages };
}

const pagesOf = (bytes: number, pageBytes: number): number => Math.ceil(bytes / pageBytes);
