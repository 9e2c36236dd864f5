/**
 * DOC.INSERT. Entries without keys are numbered: in memory as the original does, one behind the highest; where a fold may move
 * the unit, by a number that follows from the unit, so that a client that was told one can rely on it.
 * Source: docs/consistency.md "Ids of a document's entries"; stream-add.ts does the same.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { isContainer, type JsonContainer, type JsonValue, memberNames } from "../../protocol/json-value.js";
import { bulks, type Reply } from "../../protocol/reply.js";
import { wrongArity } from "../errors.js";
import type { Data } from "../mutators.js";
import type { Unit } from "../unit.js";
import type { Document } from "../values/document.js";
import {
  documentToChange,
  hasNames,
  jsonArgument,
  notMembers,
  textOfEntry,
  valueOfEntry,
  wrongMembers,
} from "./document-entries.js";
import { LIFETIME, leadingOptions } from "./document-options.js";

/** Numbers of one millisecond: 63 bits less the 42 of a date. */
const PLACE_BITS = 21;
const PLACES = 2 ** PLACE_BITS;
/** Odd, and far from all small fractions of PLACES: the units of an envelope do not get in each other's way. */
const UNIT_STRIDE = 1_296_135;

interface NewEntry {
  /** null: it is to be numbered. */
  readonly key: ByteString | null;
  readonly text: ByteString;
}

/**
 * `DOC.INSERT document [EX seconds | …] [NOCHECK] [entry …]`, `DOC.INSERT document [EX seconds | …] [NOCHECK] KEYS key entry [key entry …]`:
 * all entries, or none; all have the members of the first one unless NOCHECK says that they need not.
 */
export function insert(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  const { options, end } = leadingOptions(argv, {
    from: 2,
    allowed: [...LIFETIME, "NOCHECK"],
    name: "doc.insert",
    at: unit.at,
  });
  const hasKeys = argv[end]?.toUpperCase() === "KEYS";
  if (hasKeys && (argv.length - end) % 2 === 0) throw wrongArity("doc.insert");
  const entry = documentToChange(data, argv[1]!);
  const added: NewEntry[] = [];
  let expected = entry.value.first === undefined ? undefined : valueOfEntry(entry.value.first[1]);
  for (let at = hasKeys ? end + 1 : end; at < argv.length; at++) {
    const key = hasKeys ? argv[at++]! : null;
    const value = jsonArgument(argv[at]!);
    if (expected !== undefined && options.noCheck !== true) checkNames(value, expected);
    expected ??= value;
    added.push({ key, text: textOfEntry(value) });
  }
  const next = numbering(entry.value, unit);
  const keys = added.map(({ key, text }) => {
    const given = key ?? next();
    if (entry.value.get(given) === undefined) data.documents.push(entry, given, text);
    else data.documents.set(entry, given, text);
    data.documents.expire(entry, given, options.expire ?? undefined);
    return given;
  });
  return bulks(keys);
}

/** All entries have the members of the first one. @throws CommandFailure */
function checkNames(value: JsonValue, first: JsonValue): void {
  if (!isContainer(value) || !isContainer(first)) throw notMembers();
  const names = memberNames(first as JsonContainer);
  if (!hasNames(value, names)) throw wrongMembers(names, memberNames(value));
}

/** @returns what tells the next entry's number, which the document does not have */
export function numbering(document: Pick<Document, "get" | "next">, unit: Unit): () => ByteString {
  if (unit.seq === undefined) return () => String(document.next);
  const base = BigInt(unit.at) << BigInt(PLACE_BITS);
  const first = placeOf(unit);
  let tried = 0;
  return () => {
    for (;;) {
      // Who has tried all places of the millisecond goes on in those behind it.
      const place = tried < PLACES ? (first + tried) % PLACES : tried;
      tried++;
      const key = String(base + BigInt(place));
      if (document.get(key) === undefined) return key;
    }
  };
}

/** Somewhere among the places of a millisecond, told by the envelope's id and the unit's index. */
function placeOf({ id, step = 0 }: Unit): number {
  const start = (id.charCodeAt(0) << 16) | (id.charCodeAt(1) << 8) | id.charCodeAt(2);
  const index = (id.charCodeAt(id.length - 2) << 8) | id.charCodeAt(id.length - 1);
  return (start + (index + step) * UNIT_STRIDE) % PLACES;
}
