/**
 * Selects and sorts the entries of a read. An index is used if it leaves at most half of the entries to check. Each
 * entry that the index finds is checked, so an index never changes a result. Source: docs/json-documents.md "Indexes".
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import {
  CountReply,
  type DocumentEntries,
  DocumentEntriesReply,
  keyIn,
} from "../../../../protocol/document-replies.js";
import { integer, type Reply } from "../../../../protocol/reply.js";
import { STEP_ITEMS, sortedInSteps } from "../../../../protocol/steps.js";
import type { Work } from "../../../mongo/store/queries/mongo-failure.js";
import type { Document, DocumentEntry, SelectedEntries } from "../values/document.js";
import { type Alike, PASSES } from "../values/document-columns.js";
import type { DocumentIndex } from "../values/document-index.js";
import { compareMembers, type MemberName, type MemberValue, memberIn } from "../values/member-value.js";
import { testedInSlice, testedInSlices } from "./entry-conditions.js";
import { type IndexCondition, LISTS, type Spans } from "./index-conditions.js";
import type { NumberTests } from "./number-tests.js";

export interface SortKey {
  readonly field: ByteString;
  readonly name: MemberName;
  readonly isFalling: boolean;
}

/** The entries that a read returns: those that pass a test, sorted, within a limit. */
interface Query {
  readonly test: (text: ByteString) => boolean;
  /** Counts the work of the test; null if the test takes little time. */
  readonly work: Work | null;
  readonly sort: readonly SortKey[];
  readonly limit: { readonly offset: number; readonly count: number } | null;
}

/** A query, with the part of its test that an index can use. */
export interface Selection extends Query {
  /**
   * The condition that an index can use. It holds for all entries that pass the test and, if it is exact, for no other
   * entries, unless they have a list.
   */
  readonly condition: IndexCondition;
  readonly isExact: boolean;
  /** A value that all passing entries have, or undefined if none is known. */
  readonly alike?: Alike | undefined;
  /** The tests of a read by columns of numbers, or null if there are none. */
  readonly numbers: NumberTests | null;
  /** Number of the members and operators in the conditions. */
  readonly tests: number;
}

/**
 * The indexes that find the entries to check, with the ranges of values to look up, and the number of these entries.
 */
interface Access {
  readonly parts: readonly { readonly index: DocumentIndex; readonly spans: Spans }[];
  readonly count: number;
}

/** An index is used only if it leaves at most this share of the entries to check. */
const WORTH = 0.5;

/** @param at the unit's date: expired entries count as absent */
export function selected(document: Document, at: number, selection: Selection): DocumentEntriesReply {
  if (isScan(document, selection))
    return new DocumentEntriesReply(scan(candidates(document, at, selection), selection));
  const keys: ByteString[] = [];
  const texts: ByteString[] = [];
  for (const [key, text] of limited(document, at, selection)) {
    keys.push(key);
    texts.push(text);
  }
  return new DocumentEntriesReply({ keys, texts });
}

/** Whether all entries are checked to find the matching ones. */
export function isScan(document: Document, { condition, sort, limit }: Selection): boolean {
  if (worthwhileAccess(document, condition) !== null) return false;
  if (limit === null) return true;
  const [first] = sort;
  if (first === undefined) return !(condition.kind === "all" && condition.parts.length === 0);
  return sort.length > 1 || document.index(first.field) === undefined;
}

/** The current entries, and the keys of those that have expired. */
interface Candidates {
  readonly entries: SelectedEntries;
  readonly expired: ReadonlySet<ByteString> | null;
  /** By slot, whether the entry passes the test; null if all entries must be tested. */
  readonly verdicts: Uint8Array | null;
}

function candidates(document: Document, at: number, selection?: Selection): Candidates {
  const { expiries } = document;
  const expired = expiries?.mayHaveExpired(at) === true ? new Set(expiries.expired(at)) : null;
  const entries = document.select(selection?.alike, selection?.numbers?.tests);
  return { entries, expired, verdicts: selection?.numbers?.areAll === true ? entries.verdicts : null };
}

/** Checks entries in steps, since a document may be large. */
function* scan(
  { entries, expired, verdicts }: Candidates,
  { test, work, sort, limit }: Query,
): Generator<void, DocumentEntries> {
  const { keys, texts, slots, memoOf } = entries;
  const max = limit === null ? Number.POSITIVE_INFINITY : limit.offset + limit.count;
  const isSorted = sort.length > 0;
  const found = { texts: [], slots: [] };
  // The keys of a plain document are its slots.
  const matches: Found = { ...found, keys: keys === null ? found.slots : [] };
  work?.effort.beginSlices();
  for (let position = 0; position < texts.length && (isSorted || matches.texts.length < max); position++) {
    if (position % STEP_ITEMS === STEP_ITEMS - 1) yield;
    const text = texts[position] as ByteString;
    if (expired?.has(keyIn(entries, position)) === true) continue;
    const slot = slots === null ? position : (slots[position] as number);
    if (verdicts?.[slot] !== PASSES) {
      const isMet = work === null ? test(text) : testedInSlice(test, text, work);
      if (!(isMet ?? (yield* testedInSlices(test, text, work as Work)))) continue;
    }
    if (keys !== null) matches.keys.push(keys[position] as ByteString | number);
    matches.texts.push(text);
    matches.slots.push(slot);
  }

  const result = isSorted ? yield* sortedEntries(matches, sort, limit) : partOf(matches, limit);
  return { keys: result.keys, texts: result.texts, memo: memoOf(result.slots) };
}

interface Found {
  readonly texts: ByteString[];
  readonly slots: number[];
  readonly keys: (ByteString | number)[];
}

/** Returns the entries within a limit, of entries up to its end. */
function partOf(found: Found, limit: Selection["limit"]): Found {
  const from = limit?.offset ?? 0;
  if (from === 0) return found;
  return { keys: found.keys.slice(from), texts: found.texts.slice(from), slots: found.slots.slice(from) };
}

function* sortedEntries(
  { keys, texts, slots }: Found,
  sort: readonly SortKey[],
  limit: Selection["limit"],
): Generator<void, Found> {
  const rows: Row<number>[] = [];
  for (const [position, text] of texts.entries()) {
    rows.push(rowOf(position, text, sort));
    if (position % STEP_ITEMS === STEP_ITEMS - 1) yield;
  }

  const sorted = yield* sortedInSteps(rows, inOrderOf(sort));
  const from = limit?.offset ?? 0;
  const to = Math.min(sorted.length, from + (limit?.count ?? sorted.length));
  const result: Found = { keys: [], texts: [], slots: [] };
  for (let at = from; at < to; at++) {
    const position = (sorted[at] as Row<number>).item;
    result.keys.push(keys[position] as ByteString | number);
    result.texts.push(texts[position] as ByteString);
    result.slots.push(slots[position] as number);
    if (at % STEP_ITEMS === STEP_ITEMS - 1) yield;
  }

  return result;
}

function* limited(document: Document, at: number, selection: Selection): Generator<DocumentEntry> {
  const { limit } = selection;
  const [from, to] =
    limit === null ? [0, Number.POSITIVE_INFINITY] : [limit.offset, limit.offset + limit.count];
  if (from >= to) return;
  let passed = 0;
  for (const entry of inOrder(document, at, selection)) {
    if (passed++ >= from) yield entry;
    if (passed >= to) return;
  }
}

/** Counts the entries that pass the test. */
export function countSelected(document: Document, at: number, selection: Selection): Reply {
  const access = countingAccess(document, at, selection);
  if (access !== null) return integer(access.count);
  return new CountReply(selected(document, at, { ...selection, sort: [], limit: null }));
}

/** Returns the index that can count the passing entries without checking any, or null if there is none. */
export function countingAccess(document: Document, at: number, selection: Selection): Access | null {
  const isComplete = document.expiries?.mayHaveExpired(at) !== true;
  const { condition } = selection;
  if (!isComplete || !selection.isExact || condition.kind !== "member" || !condition.isExact) return null;
  return document.index(condition.field)?.count(LISTS) === 0 ? accessOf(document, condition) : null;
}

/** Counts the entries that have not expired. */
export function countAll(document: Document, at: number): number {
  const { expiries, size } = document;
  return expiries?.mayHaveExpired(at) === true ? size - expiries.expired(at).length : size;
}

/** Returns the first entry that has not expired, or undefined if there is none. */
export function firstPresent(document: Document, at: number): DocumentEntry | undefined {
  if (document.expiries?.mayHaveExpired(at) !== true) return document.first;
  const [first] = present(document, at);
  return first;
}

/** Returns all current entries that have not expired. */
export function presentEntries(document: Document, at: number): DocumentEntriesReply {
  const all = candidates(document, at);
  if (all.expired === null) return new DocumentEntriesReply(all.entries);
  return new DocumentEntriesReply(scan(all, { test: () => true, work: null, sort: [], limit: null }));
}

/** Yields the entries that have not expired. */
function* present(
  document: Document,
  at: number,
  test?: (text: ByteString) => boolean,
  alike?: Alike,
): Generator<DocumentEntry> {
  const isComplete = document.expiries?.mayHaveExpired(at) !== true;
  if (isComplete) yield* document.entries(test, alike);
  else for (const entry of document.entries(test, alike)) if (isPresent(document, at, entry[0])) yield entry;
}

export function isPresent(document: Document, at: number, key: ByteString): boolean {
  return at <= (document.expireOf(key) ?? Number.POSITIVE_INFINITY);
}

function* inOrder(document: Document, at: number, selection: Selection): Generator<DocumentEntry> {
  const { sort } = selection;
  const [first] = sort;
  if (first === undefined) return yield* passing(document, at, selection);
  const index = sortIndex(document, selection);
  if (index !== undefined) {
    const ranks = first.isFalling ? index.falling() : index.rising();
    return yield* entriesOf(document, at, ranks, selection.test);
  }
  yield* sorted(passing(document, at, selection), sort);
}

/** Yields the entries that pass the test, in the document's order. */
function* passing(
  document: Document,
  at: number,
  { test, condition, alike }: Selection,
): Generator<DocumentEntry> {
  const access = worthwhileAccess(document, condition);
  if (access === null) return yield* present(document, at, test, alike);
  const ranks = new Set<number>();
  for (const { index, spans } of access.parts)
    for (const span of spans) for (const rank of index.ranks(span)) ranks.add(rank);
  yield* entriesOf(document, at, Float64Array.from(ranks).sort(), test);
}

function* entriesOf(
  document: Document,
  at: number,
  ranks: Iterable<number>,
  test: (text: ByteString) => boolean,
): Generator<DocumentEntry> {
  for (const rank of ranks) {
    const entry = document.entryAt(rank);
    if (test(entry[1]) && isPresent(document, at, entry[0])) yield entry;
  }
}

function sorted(entries: Iterable<DocumentEntry>, sort: readonly SortKey[]): readonly DocumentEntry[] {
  const rows = [...entries].map((entry) => rowOf(entry, entry[1], sort));
  return rows.sort(inOrderOf(sort)).map(({ item }) => item);
}

/** An item, and the values by which it is sorted. */
interface Row<Item> {
  readonly item: Item;
  readonly values: readonly MemberValue[];
}

const rowOf = <Item>(item: Item, text: ByteString, sort: readonly SortKey[]): Row<Item> => ({
  item,
  values: sort.map(({ name }) => memberIn(text, name)),
});

function inOrderOf(sort: readonly SortKey[]): (a: Row<unknown>, b: Row<unknown>) => number {
  return (a, b) => {
    for (const [at, { isFalling }] of sort.entries()) {
      const order = compareMembers(a.values[at] as MemberValue, b.values[at] as MemberValue);
      if (order !== 0) return isFalling ? -order : order;
    }
    return 0;
  };
}

/** Returns the index in whose order entries are checked, or undefined if the entries are sorted after the search. */
export function sortIndex(
  document: Document,
  { sort, limit, condition }: Selection,
): DocumentIndex | undefined {
  const [first] = sort;
  const index =
    first !== undefined && sort.length === 1 && limit !== null ? document.index(first.field) : undefined;
  return index !== undefined && worthwhileAccess(document, condition) === null ? index : undefined;
}

export function worthwhileAccess(document: Document, condition: IndexCondition): Access | null {
  if (document.indexed.length === 0) return null;
  const access = accessOf(document, condition);
  return access !== null && access.count <= document.size * WORTH ? access : null;
}

/** Returns how indexes find the entries that may meet a condition, or null if no index helps. */
function accessOf(document: Document, condition: IndexCondition): Access | null {
  switch (condition.kind) {
    case "unknown":
      return null;
    case "member": {
      const index = document.index(condition.field);
      if (index === undefined) return null;
      const { spans } = condition;
      return { parts: [{ index, spans }], count: spans.reduce((sum, span) => sum + index.count(span), 0) };
    }
    case "all": {
      let cheapest: Access | null = null;
      for (const part of condition.parts) {
        const access = accessOf(document, part);
        if (access !== null && (cheapest === null || access.count < cheapest.count)) cheapest = access;
      }
      return cheapest;
    }
    default: {
      const parts: Access[] = [];
      for (const part of condition.parts) {
        const access = accessOf(document, part);
        if (access === null) return null;
        parts.push(access);
      }
      const count = parts.reduce((sum, access) => sum + access.count, 0);
      return { parts: parts.flatMap((access) => access.parts), count };
    }
  }
}
