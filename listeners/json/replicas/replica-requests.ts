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
} from "../../../protocol/json/json-value.js";
import {
  phpFormOf,
  writePhpJson,
  writePhpMembers,
  writePhpString,
} from "../../../protocol/json/json-writer.js";
import { phpNumeric } from "../../../protocol/json/php-number.js";
import type { JsonRequest } from "../messages/request.js";
import type { Contents, DocumentStore, Entry } from "./document-store.js";

/** Characters of a request: the original takes what one read brings, 64 KiB at most, for one. */
export const REQUEST_CHARS_MAX = 60_000;

/** Members of an update by which others than the entry 0 are chosen, or made. */
const BEYOND = ["query", "where", "sort", "limit", "offset", "upsert"];
/** An id that can be no other entry's. */
const ENTRY_NUMBER = /^(?:0|[1-9]\d{0,14})$/;

/** What is sent for a write, one after the other. */
export interface Forwarded {
  readonly requests: readonly string[];
  /** Whether the first one may be refused: it drops what need not be there. */
  readonly dropsFirst: boolean;
}

/** For a server of the original's kind, which knows nothing of indexes. @param store  with the request done */
export function translated(request: JsonRequest, document: ByteString, store: DocumentStore): Forwarded {
  const { action } = request;
  if (action === "createindex" || action === "dropindex") return { requests: [], dropsFirst: false };
  const name = textOfBytes(document);
  if (action === "insert") return { requests: insertOf(request, name), dropsFirst: false };
  if (action === "create" || action === "drop" || action === "empty")
    return { requests: [asked(action, name)], dropsFirst: false };
  const isWhole = action === "addmember" || action === "dropmember";
  const changeOf = action === "delete" ? deletionOf : entryUpdateOf;
  const more = isWhole ? null : changeOf(request, document, store);
  if (more === null) return wholeDocument(document, store.contentsOf(document));
  return { requests: [asked(action ?? "", name, more)], dropsFirst: false };
}

/** The original numbers entries anew at a deletion. @returns null: that would not be the same */
function deletionOf({ id = "" }: JsonRequest, document: ByteString, store: DocumentStore): string | null {
  if (phpNumeric(textOfBytes(id)) === undefined || !store.isCounted(document)) return null;
  return `"id":${writePhpString(textOfBytes(id))}`;
}

/**
 * The original changes the entry 0 if it is given no id, another one by an id that begins with its number and is none itself; by a number it
 * replaces all entries. It asks the entry 0 for the names of members. Source: test/vectors/json, "update-with-nonnumeric-id-edits-fields".
 * @returns null: it cannot be asked to change one entry
 */
function entryUpdateOf(request: JsonRequest, document: ByteString, store: DocumentStore): string | null {
  const { id } = request;
  const data = request.get("data");
  if (BEYOND.some((name) => request.get(name) !== undefined)) return null;
  const isEntry =
    data instanceof JsonObject &&
    (data.names.length === 0 || (!isListLike(data.names) && data.names[0]?.startsWith("$") !== true));
  if (!isEntry || (id !== undefined && !ENTRY_NUMBER.test(id))) return null;
  if (store.firstKey(document) !== "0") return null;
  return `"data":${writePhpJson(data)}${id === undefined ? "" : `,"id":"${id}x"`}`;
}

/** What makes a document what it is here, without indexes and lifetimes, which an original does not know. */
export function wholeDocument(document: ByteString, contents: Contents): Forwarded {
  const name = textOfBytes(document);
  const drop = asked("drop", name);
  if (contents === null) return { requests: [drop], dropsFirst: true };
  const names = isNumbered(contents) ? null : contents.map(({ key }) => textOfBytes(key));
  const inserts = inserting(
    name,
    names,
    contents.map(({ text }) => phpFormOf(text)),
  );
  return { requests: [drop, asked("create", name), ...inserts], dropsFirst: true };
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
  );
}

const isNumbered = (entries: readonly Entry[]) => entries.every(({ key }, place) => key === String(place));

/** @param names  null: they are numbered */
function inserting(document: string, names: readonly string[] | null, texts: readonly string[]): string[] {
  const requests: string[] = [];
  for (let from = 0; from < texts.length; ) {
    let to = from;
    let characters = 0;
    do {
      characters += texts[to]!.length + (names?.[to]?.length ?? 0);
      to++;
    } while (to < texts.length && characters + texts[to]!.length < REQUEST_CHARS_MAX);
    const some = texts.slice(from, to);
    const data =
      names === null
        ? `"data":[${some.join(",")}]`
        : `"data":${writePhpMembers(names.slice(from, to), some)},"auto-increment":false`;
    requests.push(asked("insert", document, data));
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
