/**
 * Reads the two pages at the head of LMDB's file before LMDB does. LMDB trusts these pages: a truncated or torn file
 * would end the process without a message, or would be read as of the previous transaction. Source: `MDB_meta` and
 * `MDB_page` in LMDB's mdb.c, as in the package lmdb.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { IS_LITTLE } from "./lmdb-page.js";

/** The error for a file that is damaged in such a way that LMDB would end the process. */
export class DamagedFile extends Error {
  override readonly name = "DamagedFile";
}

/** Offsets from the beginning of a page. */
const FLAGS_AT = 18;
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
/** The root of an empty tree. */
const NO_PAGE = 2n ** 64n - 1n;
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
 * Checks the head of a file.
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
export function readHead(descriptor: number, path: string): FileHead {
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
