/**
 * Reads the two pages at the head of LMDB's file before LMDB does: LMDB trusts them, so that a truncated or torn file
 * would end the process without a message, or would be read as it was one transaction ago. Source: `MDB_meta` and
 * `MDB_page` in LMDB's mdb.c, as the package lmdb has them.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { IS_LITTLE } from "./lmdb-page.js";

/** LMDB would be lost in it, and the process with it. */
export class DamagedFile extends Error {
  override readonly name = "DamagedFile";
}

/** Offsets from the beginning of a page. */
const FLAGS_AT = 18;
const MAGIC_AT = 24;
const VERSION_AT = 28;
const MAP_BYTES_AT = 40;
const PAGE_BYTES_AT = 48;
/** Offsets of the roots: of the tree of free pages, and of the main one. */
const ROOTS_AT = [88, 136] as const;
const LAST_PAGE_AT = 144;
const TRANSACTION_AT = 152;
const HEAD_BYTES = 168;

const IS_META = 0x08;
const MAGIC = 0xbeefc0de;
/** The version of the file's layout, in the lower half of its number. */
const VERSION = 2;
const PAGE_BYTES_MIN = 512;
const PAGE_BYTES_MAX = 65_536;
/** A tree of nothing has this root. */
const NO_PAGE = 2n ** 64n - 1n;
const META_PAGES = 2;

/** The contents of a sound file's head, as of its last transaction. */
export interface FileHead {
  /** Its number. */
  readonly transaction: bigint;
  readonly pageBytes: number;
  /** Complete pages of the file. */
  readonly pages: number;
  /** Number of the page where a tree begins; 2^64-1: nothing is in it. */
  readonly freeRoot: bigint;
  readonly mainRoot: bigint;
}

/**
 * @param path  of the file; one that is not there or empty is begun by LMDB
 * @returns whether it is there
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

/** @param path  for the message. @throws DamagedFile */
export function readHead(descriptor: number, path: string): FileHead {
  let newest: FileHead | null = null;
  for (let page = 0; page < META_PAGES; page++) {
    const head = new DataView(new ArrayBuffer(HEAD_BYTES));
    const from: number = page * (newest?.pageBytes ?? 0);
    if (readSync(descriptor, head, 0, HEAD_BYTES, from) < HEAD_BYTES) throw damaged(path, "it is cut off");
    // The size is read after the head: a file that is being written is longer before its head says so.
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

/** @param file.pageBytes  from the previous page; null: there is none */
function problemOf(head: DataView, file: { size: number; pageBytes: number | null }): string | null {
  if ((head.getUint16(FLAGS_AT, IS_LITTLE) & IS_META) === 0 || head.getUint32(MAGIC_AT, IS_LITTLE) !== MAGIC)
    return "its head is not LMDB's";
  if ((head.getUint32(VERSION_AT, IS_LITTLE) & 0xffff) !== VERSION) return "its head is of another version";
  const pageBytes = head.getUint32(PAGE_BYTES_AT, IS_LITTLE);
  const isPossible =
    pageBytes >= PAGE_BYTES_MIN && pageBytes <= PAGE_BYTES_MAX && (pageBytes & (pageBytes - 1)) === 0;
  if (!isPossible || pageBytes !== (file.pageBytes ?? pageBytes)) return "its head names no length of pages";
  const last = head.getBigUint64(LAST_PAGE_AT, IS_LITTLE);
  // The file may be shorter: pages at its end that were freed immediately were never written.
  if ((last + 1n) * BigInt(pageBytes) > head.getBigUint64(MAP_BYTES_AT, IS_LITTLE))
    return "its head names a last page that cannot be";
  const pages = BigInt(Math.floor(file.size / pageBytes));
  for (const at of ROOTS_AT) {
    const root = head.getBigUint64(at, IS_LITTLE);
    if (root !== NO_PAGE && (root < META_PAGES || root > last || root >= pages))
      return "its head names a page that is not there";
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
