/**
 * What is sent to a server of the original's kind so that its documents become as ours: the client's own request where both do
 * the same with it, else the document as a whole. Source: test/vectors/json; docs/json-documents.md "Differences".
 */
import { type ByteString, textOfBytes } from "../../../protocol/byte-string.js";
import {
  isContainer,
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

/** A document as it is: keys and texts of its entries; null: it is not there. */
export type Contents = readonly (readonly [key: string, text: ByteString])[] | null;

/** What is sent for a write, one after the other. */
export interface Forwarded {
  readonly requests: readonly string[];
  /** Whether the first one may be refused: it drops what need not be there. */
  readonly dropsFirst: boolean;
}

/** For a daemon of ours. Of members of one name the last one counts. */
export const repeated = ({ text }: JsonRequest): string => `${text.slice(0, -1)},"replicate":false}`;

/** For a server of the original's kind, which knows nothing of indexes. @param contents  of the document, with the request done */
export function translated(request: JsonRequest, document: ByteString, contents: () => Contents): Forwarded {
  const { action } = request;
  if (action === "createindex" || action === "dropindex") return { requests: [], dropsFirst: false };
  const name = textOfBytes(document);
  if (action === "insert") return { requests: insertOf(request, name), dropsFirst: false };
  if (action === "create" || action === "drop" || action === "empty")
    return { requests: [asked(action, name)], dropsFirst: false };
  const { id } = request;
  const data = request.get("data");
  // The original swaps updates with and without an id, and numbers entries anew at a deletion.
  const isAlike =
    action === "delete"
      ? phpNumeric(textOfBytes(id ?? "")) !== undefined && isNumbered(contents())
      : id === undefined && data instanceof JsonObject;
  if (!isAlike) return wholeDocument(document, contents());
  const more =
    action === "delete"
      ? `"id":${writePhpString(textOfBytes(id ?? ""))}`
      : `"data":${writePhpJson(data ?? null)}`;
  return { requests: [asked(action ?? "", name, more)], dropsFirst: false };
}

/** What makes a document what it is here. */
export function wholeDocument(document: ByteString, contents: Contents): Forwarded {
  const name = textOfBytes(document);
  const drop = asked("drop", name);
  if (contents === null) return { requests: [drop], dropsFirst: true };
  const names = contents.map(([key]) => key);
  const texts = contents.map(([, text]) => phpFormOf(text));
  const inserts = inserting(name, isNumbered(contents) ? null : names, texts);
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

function isNumbered(contents: Contents): boolean {
  return contents?.every(([key], place) => key === String(place)) ?? true;
}
