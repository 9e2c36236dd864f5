/**
 * DOC.MEMBER: adds a member to all entries of an existing document, or removes it from all.
 * Source: docs/json-documents.md "Members added later".
 */

import { custom } from "../../../../daemon/store/arguments/command-errors.js";
import type { Data } from "../../../../daemon/store/keyspace/mutators.js";
import { type ByteString, bytesOfText, textOfBytes } from "../../../../protocol/byte-string.js";
import {
  isContainer,
  type JsonContainer,
  JsonObject,
  type JsonValue,
  memberNames,
  memberOf,
  memberValues,
} from "../../../../protocol/json/json-value.js";
import { integer, type Reply } from "../../../../protocol/reply.js";
import { setEntry } from "../keyspace/document-mutators.js";
import { documentToChange, jsonArgument, notMembers, textOfEntry, valueOfEntry } from "./document-entries.js";
import { checkDepth } from "./entry-operators.js";

/**
 * `DOC.MEMBER ADD document name value`: entries that have the member keep their values.
 * @returns the number of entries to which the member was added
 */
export function addMember(data: Data, argv: readonly ByteString[]): Reply {
  const name = nameArgument(argv[3]!);
  const value = jsonArgument(argv[4]!);
  checkDepth(value, argv[3]!);
  return rewrite(data, argv[2]!, (entry) => {
    if (memberOf(entry, name) !== undefined) return null;
    const copy = copied(entry);
    copy.set(name, value);
    return copy;
  });
}

/** `DOC.MEMBER DROP document name`. @returns the number of entries that had the member */
export function dropMember(data: Data, argv: readonly ByteString[]): Reply {
  const name = nameArgument(argv[3]!);
  return rewrite(data, argv[2]!, (entry) =>
    memberOf(entry, name) === undefined ? null : copied(entry, name),
  );
}

/** Cost in steps of each entry that is read and rewritten. */
const REWRITTEN_STEPS = 60;
/** Number of bytes of a rewritten entry that cost one more step. */
const REWRITTEN_BYTES_PER_STEP = 8;

/**
 * Changes all entries that have to change, or none if there is an error.
 * @param change returns null if the entry does not change
 * @returns the number of changed entries
 */
function rewrite(
  data: Data,
  document: ByteString,
  change: (entry: JsonContainer) => JsonObject | null,
): Reply {
  const entry = documentToChange(data, document);
  const changed: (readonly [key: ByteString, text: ByteString])[] = [];
  for (const [key, text] of entry.value.entries()) {
    data.effort.work(REWRITTEN_STEPS + text.length / REWRITTEN_BYTES_PER_STEP);
    const value = valueOfEntry(text);
    if (!isContainer(value)) throw notMembers();
    const other = change(value);
    if (other !== null) changed.push([key, textOfEntry(other)]);
  }
  for (const [key, text] of changed) setEntry(data, entry, key, text);
  return integer(changed.length);
}

function copied(entry: JsonContainer, without?: string): JsonObject {
  const copy = new JsonObject();
  const values = memberValues(entry);
  for (const [at, name] of memberNames(entry).entries())
    if (name !== without) copy.set(name, values[at] as JsonValue);
  return copy;
}

/** @throws CommandFailure */
function nameArgument(bytes: ByteString): string {
  const name = textOfBytes(bytes);
  if (bytesOfText(name) !== bytes) throw custom("ERR not UTF-8");
  return name;
}
