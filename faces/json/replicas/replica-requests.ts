/**
 * Creates requests that make the documents of an original server equal to ours: the client's own request if it has the
 * same effect there, otherwise the complete document. Source: test/vectors/json; docs/json-documents.md "Differences
 * from the original".
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
import type { JsonRequest } from "../messages/json-request.js";
import type { Contents, DocumentEntry, DocumentStore } from "./document-store.js";

/** Maximum characters of a request. The original treats the result of one read, at most 64 KiB, as one request. */
export const REQUEST_CHARS_MAX = 60_000;

/** Members of an update that select or add entries other than entry 0. */
const NOT_IN_ORIGINAL = ["query", "where", "sort", "limit", "offset", "upsert"];
/** Matches a number in its usual form, such as `12`. An id in another form, such as `012`, may mean another entry. */
const ENTRY_NUMBER = /^(?:0|[1-9]\d{0,14})$/;

/** The requests that are sent for a write, one after the other. */
export interface Forwarded {
  readonly requests: readonly string[];
  /** Whether the first request may be refused, because it drops a document that may not exist. */
  readonly dropsFirst: boolean;
}

/** Returns the requests for an original server, which has no indexes. @param store  the store after the write */
export function requestsForOriginal(
  request: JsonRequest,
  document: ByteString,
  store: DocumentStore,
): Forwarded {
  const { action } = request;
  if (action === "createindex" || action === "dropindex") return { requests: [], dropsFirst: false };

  const name = textOfBytes(document);
  if (action === "insert") return { requests: insertOf(request, name), dropsFirst: false };
  if (action === "create" || action === "drop" || action === "empty")
    return { requests: [requestText(action, name)], dropsFirst: false };
  const isComplete = action === "addmember" || action === "dropmember";
  const changeOf = action === "delete" ? deletionOf : entryUpdateOf;
  const more = isComplete ? null : changeOf(request, document, store);
  if (more === null) return documentRequest(document, store.contentsOf(document));

  return { requests: [requestText(action ?? "", name, more)], dropsFirst: false };
}

/**
 * Returns the members of a request that deletes an entry. The original renumbers the later entries. @returns null if
 * the document there would then differ from ours
 */
function deletionOf({ id = "" }: JsonRequest, document: ByteString, store: DocumentStore): string | null {
  if (phpNumeric(textOfBytes(id)) === undefined || !store.hasConsecutiveIds(document)) return null;
  return `"id":${writePhpString(textOfBytes(id))}`;
}

/**
 * Returns the members of a request that updates one entry. Without an id, the original changes entry 0. For a numeric
 * id, it replaces all entries. For an id that only begins with a number, such as `5x`, it changes the entry with that
 * number, so an x is appended to the id here. The original permits only the members that entry 0 has.
 * Source: test/vectors/json, "update-with-nonnumeric-id-edits-fields".
 * @returns null if no request changes only this entry
 */
function entryUpdateOf(request: JsonRequest, document: ByteString, store: DocumentStore): string | null {
  const { id } = request;
  const data = request.get("data");
  if (NOT_IN_ORIGINAL.some((name) => request.get(name) !== undefined)) return null;
  const isEntry =
    data instanceof JsonObject &&
    (data.names.length === 0 || (!isListLike(data.names) && data.names[0]?.startsWith("$") !== true));
  if (!isEntry || (id !== undefined && !ENTRY_NUMBER.test(id))) return null;
  if (store.firstKey(document) !== "0") return null;
  return `"data":${writePhpJson(data)}${id === undefined ? "" : `,"id":"${id}x"`}`;
}

/** Returns the requests that copy a document, without indexes and expiry times, which an original does not have. */
export function documentRequest(document: ByteString, contents: Contents): Forwarded {
  const name = textOfBytes(document);
  const drop = requestText("drop", name);
  if (contents === null) return { requests: [drop], dropsFirst: true };
  const names = isNumbered(contents) ? null : contents.map(({ key }) => textOfBytes(key));
  const inserts = inserting(
    name,
    names,
    contents.map(({ text }) => phpFormOf(text)),
  );
  return { requests: [drop, requestText("create", name), ...inserts], dropsFirst: true };
}

function insertOf(request: JsonRequest, document: string): string[] {
  const data = request.get("data");
  if (!isContainer(data)) return [];
  // Even an empty insertion is sent, because its answer confirms that the document exists.
  if (memberValues(data).length === 0) return [requestText("insert", document, '"data":[]')];
  const names = request.isOff("auto-increment") ? memberNames(data) : null;
  return inserting(
    document,
    names,
    memberValues(data).map((value: JsonValue) => writePhpJson(value)),
  );
}

const isNumbered = (entries: readonly DocumentEntry[]) =>
  entries.every(({ key }, index) => key === String(index));

/** Returns requests that insert entries. @param names  their names, or null if they are numbered */
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
    requests.push(requestText("insert", document, data));
    from = to;
  }

  return requests;
}

function requestText(action: string, document: string, more = ""): string {
  const members = [
    `"action":"${action}"`,
    `"document":${writePhpString(document)}`,
    more,
    '"replicate":false',
  ];
  return `{${members.filter((member) => member !== "").join(",")}}`;
}
