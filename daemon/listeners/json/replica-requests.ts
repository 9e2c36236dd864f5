/**
 * What is sent to a server of the original's kind so that its documents become as ours: the client's own request where both do
 * the same with it, else the document as a whole. Source: test/vectors/json; docs/json-documents.md "Differences".
 */
import { type ByteString, textOfBytes } from "../../../protocol/byte-string.js";
import {
  isContainer,
  isListLike,
  JsonObject,
  type JsonValue,
  memberNames,
  memberValues,
} from "../../../protocol/json-value.js";
import { phpFormOf, writePhpJson, writePhpMembers, writePhpString } from "../../../protocol/json-writer.js";
import { phpNumeric } from "../../../protocol/php-number.js";
import type { JsonRequest } from "./request.js";

/** Characters of a request: the original takes what one read brings, 64 KiB at most, for one. */
export const REQUEST_CHARS_MAX = 60_000;

/** An id that can be no other entry's. */
const ENTRY_NUMBER = /^(?:0|[1-9]\d{0,14})$/;

export interface Entry {
  readonly key: string;
  readonly text: ByteString;
  /** Seconds that are left to it; null: it stays. */
  readonly ttl: number | null;
}

/** A document as it is; null: it is not there. */
export type Contents = {
  readonly entries: readonly Entry[];
  /** Names of the members that have an index. */
  readonly indexes: readonly ByteString[];
} | null;

/** What is sent for a write, one after the other. */
export interface Forwarded {
  readonly requests: readonly string[];
  /** Whether the first one may be refused: it drops what need not be there. */
  readonly dropsFirst: boolean;
}

/** For a daemon of ours. Of members of one name the last one counts. */
export const repeated = ({ text }: JsonRequest): string => `${text.slice(0, -1)},"replicate":false}`;

/** A document, with the request done. */
export interface Changed {
  readonly contents: () => Contents;
  /** The id of its first entry; "": it has none that others could be compared with. */
  readonly firstKey: () => ByteString;
  /** Whether the ids are 0, 1, 2, …, where an entry was deleted just now. */
  readonly isCounted: () => boolean;
}

/** For a server of the original's kind, which knows nothing of indexes. */
export function translated(request: JsonRequest, document: ByteString, changed: Changed): Forwarded {
  const { action } = request;
  if (action === "createindex" || action === "dropindex") return { requests: [], dropsFirst: false };
  const name = textOfBytes(document);
  if (action === "insert") return { requests: insertOf(request, name), dropsFirst: false };
  if (action === "create" || action === "drop" || action === "empty")
    return { requests: [asked(action, name)], dropsFirst: false };
  const more = action === "delete" ? deletionOf(request, changed) : entryUpdateOf(request, changed);
  if (more === null) return wholeDocument(document, changed.contents(), { isDaemon: false });
  return { requests: [asked(action ?? "", name, more)], dropsFirst: false };
}

/** The original numbers entries anew at a deletion. @returns null: that would not be the same */
function deletionOf({ id = "" }: JsonRequest, { isCounted }: Changed): string | null {
  if (phpNumeric(textOfBytes(id)) === undefined || !isCounted()) return null;
  return `"id":${writePhpString(textOfBytes(id))}`;
}

/**
 * The original changes the entry 0 if it is given no id, another one by an id that begins with its number and is none itself; by a number it
 * replaces all entries. It asks the entry 0 for the names of members. Source: test/vectors/json, "update-with-nonnumeric-id-edits-fields".
 * @returns null: it cannot be asked to change one entry
 */
function entryUpdateOf(request: JsonRequest, { firstKey }: Changed): string | null {
  const { id } = request;
  const data = request.get("data");
  const isEntry = data instanceof JsonObject && (data.names.length === 0 || !isListLike(data.names));
  if (!isEntry || (id !== undefined && !ENTRY_NUMBER.test(id)) || firstKey() !== "0") return null;
  return `"data":${writePhpJson(data)}${id === undefined ? "" : `,"id":"${id}x"`}`;
}

/** What makes a document what it is here; an original passes over lifetimes. @param isDaemon  whether it knows indexes */
export function wholeDocument(
  document: ByteString,
  contents: Contents,
  { isDaemon }: { readonly isDaemon: boolean },
): Forwarded {
  const name = textOfBytes(document);
  const drop = asked("drop", name);
  if (contents === null) return { requests: [drop], dropsFirst: true };
  const { entries, indexes } = contents;
  const isNumbered = entries.every(({ key }, place) => key === String(place));
  const indexing = indexes.map((field) =>
    asked("createindex", name, `"field":${writePhpString(textOfBytes(field))}`),
  );
  const made = [drop, asked("create", name), ...(isDaemon ? indexing : [])];
  const texts = entries.map(({ text }) => phpFormOf(text));
  const names = isNumbered ? null : entries.map(({ key }) => key);
  const ttls = entries.map(({ ttl }) => ttl);
  return { requests: [...made, ...inserting(name, names, texts, ttls)], dropsFirst: true };
}

function insertOf(request: JsonRequest, document: string): string[] {
  const data = request.get("data");
  if (!isContainer(data)) return [];
  // It is asked to insert nothing, too: it confirms that the document is there.
  if (memberValues(data).length === 0) return [asked("insert", document, '"data":[]')];
  const names = request.isOff("auto-increment") ? memberNames(data) : null;
  return inserting(
    document,
    names,
    memberValues(data).map((value: JsonValue) => writePhpJson(value)),
    [],
  );
}

/** @param names  null: they are numbered @param ttls  by place, those of entries that do not stay */
function inserting(
  document: string,
  names: readonly string[] | null,
  texts: readonly string[],
  ttls: readonly (number | null)[],
): string[] {
  const requests: string[] = [];
  for (let from = 0; from < texts.length; ) {
    let to = from;
    let characters = 0;
    do {
      characters += texts[to]!.length + (names?.[to]?.length ?? 0);
      to++;
    } while (
      to < texts.length &&
      characters + texts[to]!.length < REQUEST_CHARS_MAX &&
      ttls[to] === ttls[from]
    );
    const some = texts.slice(from, to);
    const data =
      names === null
        ? `"data":[${some.join(",")}]`
        : `"data":${writePhpMembers(names.slice(from, to), some)},"auto-increment":false`;
    const ttl = ttls[from] ?? null;
    requests.push(asked("insert", document, ttl === null ? data : `${data},"ttl":${ttl}`));
    from = to;
  }
  return requests;
}

function asked(action: string, document: string, more = ""): string {
  const members = [
    `"action":"${action}"`,
    `"document":${writePhpString(document)}`,
    more,
    '"replicate":false',
  ];
  return `{${members.filter((member) => member !== "").join(",")}}`;
}
