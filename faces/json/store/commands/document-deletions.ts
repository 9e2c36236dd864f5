/**
 * DOC.DELETE and DOC.EMPTY. Source: test/vectors/json; docs/json-documents.md describes the differences from the
 * original server.
 */

import type { Data, Typed } from "../../../../daemon/store/keyspace/mutators.js";
import type { Unit } from "../../../../daemon/store/keyspace/unit.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { integer, OK, type Reply } from "../../../../protocol/reply.js";
import { removeEntry, takeOutEntry } from "../keyspace/document-mutators.js";
import { Document } from "../values/document.js";
import { isNumberKey } from "../values/number-key.js";
import { choiceOf, claimed } from "./document-choice.js";
import { documentToChange, keyOf, noEntry } from "./document-entries.js";
import { CHOICE, hasOption, type OptionPosition, onlyOptions } from "./document-options.js";
import { checkRevision } from "./document-revisions.js";

const CONDITIONAL: OptionPosition = { from: 2, allowed: CHOICE, name: "doc.delete" };

/** Words that begin a condition in the position of an id. */
const CONDITIONS: ReadonlySet<ByteString> = new Set(["QUERY", "WHERE"]);

/**
 * `DOC.DELETE document id [REVISION revision]`, `DOC.DELETE document [QUERY json, WHERE json, SORT json, LIMIT offset
 * count]`. On a daemon without a timeline, the entries after a deleted one move up, and their ids decrease, as in the
 * original server. On a daemon with a timeline, the ids of entries are permanent.
 * @returns OK, or the number of entries that the conditions selected
 */
export function deleteEntries(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  return isCondition(argv) ? deleteChosen(data, argv, unit) : deleteOne(data, argv, unit);
}

/** Whether a condition begins in the position of an id. An id may be any word, even the name of a condition. */
function isCondition([, , word = "", next]: readonly ByteString[]): boolean {
  return CONDITIONS.has(word.toUpperCase()) && next !== undefined && next.toUpperCase() !== "REVISION";
}

/** Whether a call of DOC.DELETE removes a limited number of the entries that meet conditions. */
export const deletesLimited = (argv: readonly ByteString[]): boolean =>
  isCondition(argv) && hasOption(argv, CONDITIONAL, "LIMIT");

function deleteChosen(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  const options = onlyOptions(argv, CONDITIONAL);
  return claimed(options, unit, () => {
    const entry = documentToChange(data, argv[1]!);
    const keys = choiceOf(data, { document: entry.value, unit, options });
    const [key] = keys;
    if (unit.omitsChanges) return integer(keys.length);
    if (keys.length === 1) removeOne(data, entry, key as ByteString, unit);
    else if (keys.length > 0) removeMany({ data, entry, keys, unit });
    return integer(keys.length);
  });
}

function deleteOne(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  const { revision } = onlyOptions(argv, { from: 3, allowed: ["REVISION"], name: "doc.delete" });
  const entry = documentToChange(data, argv[1]!);
  const key = keyOf(entry.value, argv[2]!);
  if (key === undefined) throw noEntry();
  checkRevision(entry.value, key, revision);
  removeOne(data, entry, key, unit);
  return OK;
}

function removeOne(data: Data, entry: Typed<Document>, key: ByteString, { seq }: Unit): void {
  if (seq !== undefined) removeEntry(data, entry, key);
  else if (entry.value.isPlain) takeOutEntry(data, entry, Number(key));
  else data.put(entry.key, renumbered(entry.value, new Set([key])), entry.expire);
}

interface Removal {
  readonly data: Data;
  readonly entry: Typed<Document>;
  readonly keys: readonly ByteString[];
  readonly unit: Unit;
}

/** Cost in steps of each entry that is removed, or copied because many entries are removed. */
const REMOVED_STEPS = 14;

/**
 * Removes several entries: one by one if the document does not close its holes meanwhile, and otherwise in one change.
 * If the document closed its holes between separate changes, undoing these changes would take time quadratic in their
 * number.
 */
function removeMany({ data, entry, keys, unit: { seq } }: Removal): void {
  const { value } = entry;
  const isOneByOne = seq !== undefined && value.staysOpen(keys.length);
  data.effort.work(REMOVED_STEPS * (isOneByOne ? keys.length : value.size));
  if (seq === undefined) data.put(entry.key, renumbered(value, new Set(keys)), entry.expire);
  else if (isOneByOne) for (const key of keys) removeEntry(data, entry, key);
  else data.put(entry.key, remaining(value, new Set(keys)), entry.expire);
}

/** Returns a copy of a document without the given entries. */
function remaining(document: Document, without: ReadonlySet<ByteString>): Document {
  const copy = document.emptied();
  for (const [key, text] of document.entries())
    if (!without.has(key)) copy.push(key, text, document.expireOf(key));
  copy.raiseNext(document.next);
  return copy;
}

/** Returns a copy of a document without the given entries, in which the numeric keys count from 0 again. */
function renumbered(document: Document, without: ReadonlySet<ByteString>): Document {
  const copy = document.emptied();
  let number = 0;
  for (const [key, text] of document.entries()) {
    if (!without.has(key)) copy.push(isNumberKey(key) ? String(number++) : key, text, document.expireOf(key));
  }
  return copy;
}

/** `DOC.EMPTY document`. @returns whether the document exists already */
export function empty(data: Data, argv: readonly ByteString[]): number {
  const entry = data.getAs(Document, argv[1]!);
  if (entry === undefined) return 0;
  const { size, next } = entry.value;
  if (size > 0 || next > 0) data.put(entry.key, entry.value.emptied(), entry.expire);
  return 1;
}
