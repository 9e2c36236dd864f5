/** Functions that the answers to all actions share. */
import { type ByteString, textOfBytes } from "../../../protocol/byte-string.js";
import {
  type DocumentEntries,
  DocumentEntriesReply,
  keyIn,
  type TextMemo,
} from "../../../protocol/document-replies.js";
import {
  ENTRIES_TOGETHER,
  isLongText,
  phpFormOf,
  phpFormPieces,
  phpForms,
  phpList,
  writePhpKey,
  writePhpMembers,
  writePhpString,
} from "../../../protocol/json/json-writer.js";
import { phpNumeric } from "../../../protocol/json/php-number.js";
import { SteppedReply } from "../../../protocol/lazy-replies.js";
import type { Reply } from "../../../protocol/reply.js";
import { finish } from "../../../protocol/steps.js";
import {
  bytesOf,
  type EntriesPiece,
  failure,
  itemsOf,
  joined,
  lengthOf,
  type Member,
  nameText,
  type Piece,
  sentenceOf,
  success,
} from "../messages/json-answers.js";
import type { Answer } from "./document-client.js";

/** The number of entries in one step. A step reads the clock once, which takes as long as writing a few entries. */
const STEP_ENTRIES = 4 * ENTRIES_TOGETHER;
/** The number of documents, with their names, in one step. */
const STEP_DOCUMENTS = 64;
/** The number of names that are written in one step. */
const NAMES_TOGETHER = 256;
/** Maximum characters of the texts of entries that are written together. */
const TOGETHER_CHARS_MAX = 256 * 1024;

export const NO_DOCUMENT = "No document provided.";
export const NO_DATA = "No data provided.";
export const NO_ID = "No id provided or not numeric value.";
export const NOT_MEMBERS = "Data must be provided in array.";
/** The messages for a document or an entry that does not exist. */
export const NOT_FOUND: ReadonlySet<string> = new Set([
  "Document provided does not exist.",
  "Key:id provided does not exist in document.",
]);

/** Returns the answer for a command's reply. The message of a failure is the text of the error. */
export function answerOf(reply: Reply, members: () => readonly Member[]): string {
  return reply.kind === "error" ? failure(sentenceOf(reply)) : success(...members());
}

export const replicatedMember = (replicated: boolean | null): Member[] =>
  replicated === null ? [] : [["replicated", String(replicated)]];

/** Returns the keys and texts of entries as JSON. */
export function entriesJson(reply: Reply): string {
  if (reply instanceof DocumentEntriesReply) return writtenEntries(reply);
  const keys: string[] = [];
  const texts: string[] = [];
  const items = itemsOf(reply);
  for (let at = 0; at < items.length; at += 2) {
    keys.push(textOfBytes(bytesOf(items[at])));
    const entry = items[at + 1];
    texts.push(phpFormOf(bytesOf(entry?.kind === "array" ? entry.items[0] : entry)));
  }
  return writePhpMembers(keys, texts);
}

/**
 * Returns whether entries are written in pieces. This is the case if there are many entries, if their texts are long,
 * or if the query is still running.
 */
export const isLong = (reply: DocumentEntriesReply) =>
  reply.isPending || reply.size > ENTRIES_TOGETHER || areLong(reply.found.texts);

const areLong = (texts: readonly ByteString[]) => lengthOf(texts) > TOGETHER_CHARS_MAX;

function writtenEntries(reply: DocumentEntriesReply): string {
  return finish(entriesPieces(reply)).map(joined).join("");
}

/** Writes entries in steps. Most texts are already in PHP's form, so many are written together. */
export function* entriesPieces(reply: DocumentEntriesReply): Generator<void, readonly Piece[]> {
  const { keys, texts, memo, parts } = yield* reply.steps();
  const isList = keys === null || keys.every((key, index) => key === index || key === String(index));
  const pieces: Piece[] = [isList ? "[" : "{"];
  for (let from = 0; from < texts.length; from += ENTRIES_TOGETHER) {
    const to = from + ENTRIES_TOGETHER;
    const names = isList ? null : keys.slice(from, to).map(nameJson);
    const some = parts === undefined ? texts.slice(from, to) : yield* parts(from, to);
    if (from > 0) pieces.push(",");
    if (areLong(some)) yield* longEntries(names, some, pieces);
    // Parts are joined immediately, because many short texts cost the garbage collector more than a long one.
    else if (parts !== undefined)
      pieces.push(names === null ? phpList(some) : joined({ names, texts: phpForms(some) }));
    else pieces.push({ names, texts: phpTexts(some, memo, from) });
    if (from % STEP_ENTRIES === 0) yield;
  }

  pieces.push(isList ? "]" : "}");
  return pieces;
}

/** Returns texts in PHP's form. @param from  the index of the first of them in what is remembered about them */
function phpTexts(texts: readonly ByteString[], memo: TextMemo | undefined, from: number): readonly string[] {
  if (memo?.areSame(from, from + texts.length) === true) return texts;
  const forms = phpForms(texts);
  if (forms === texts) memo?.noteSame(from, from + texts.length);
  return forms;
}

/** Writes a list of entries that are not stored yet, in steps. @returns null if the list is short */
export function longList(texts: readonly ByteString[]): Generator<void, readonly string[]> | null {
  return areLong(texts) ? listPieces(texts) : null;
}

function* listPieces(texts: readonly ByteString[]): Generator<void, readonly string[]> {
  const pieces = ["["];
  yield* longEntries(null, texts, pieces);
  pieces.push("]");
  return pieces;
}

/** Writes entries one by one, with commas between them. */
function* longEntries(
  names: EntriesPiece["names"],
  texts: readonly ByteString[],
  pieces: Piece[],
): Generator<void, void> {
  for (const [at, text] of texts.entries()) {
    if (at > 0) pieces.push(",");
    if (names !== null) pieces.push(`${nameText(names[at] as string | number)}:`);
    if (isLongText(text)) for (const piece of yield* phpFormPieces(text)) pieces.push(piece);
    else pieces.push(phpFormOf(text));
    yield;
  }
}

/** Writes all documents with their entries, in steps. @param reply  the reply to DOC.GETALL */
export function* documentsPieces(reply: Reply): Generator<void, readonly Piece[]> {
  const items = reply instanceof SteppedReply ? yield* reply.steps() : itemsOf(reply);
  let isList = true;
  for (let at = 0; at < items.length && isList; at += 2) isList = bytesOf(items[at]) === String(at / 2);
  const pieces: Piece[] = [];
  // Small documents share a piece, so that the array of pieces stays short.
  let piece = isList ? "[" : "{";
  for (let at = 0; at < items.length; at += 2) {
    if (at > 0) piece += ",";
    if (!isList) piece += `${writePhpString(textOfBytes(bytesOf(items[at])))}:`;

    const entries = items[at + 1] as DocumentEntriesReply;
    if (isLong(entries)) {
      pieces.push(piece);
      for (const each of yield* entriesPieces(entries)) pieces.push(each);
      piece = "";
    } else piece += writtenEntries(entries);

    if (at % STEP_DOCUMENTS !== 0) continue;
    pieces.push(piece);
    piece = "";
    yield;
  }

  pieces.push(piece, isList ? "]" : "}");
  return pieces;
}

/** Writes the ids of entries in order, in steps. */
export function* idsPieces(found: DocumentEntries): Generator<void, readonly string[]> {
  const pieces: string[] = ["["];
  for (let from = 0; from < found.texts.length; from += NAMES_TOGETHER) {
    const length = Math.min(NAMES_TOGETHER, found.texts.length - from);
    if (from > 0) pieces.push(",");
    pieces.push(Array.from({ length }, (_, at) => idJson(keyIn(found, from + at))).join(","));
    yield;
  }
  pieces.push("]");
  return pieces;
}

const nameIn = (item: Reply) => keyJson(bytesOf(item));

/** Writes a list of names, in steps. */
export function* namesPieces(reply: Reply): Generator<void, readonly string[]> {
  const names = reply instanceof SteppedReply ? yield* reply.steps() : itemsOf(reply);
  const pieces: string[] = ["["];
  for (let from = 0; from < names.length; from += NAMES_TOGETHER) {
    if (from > 0) pieces.push(",");
    pieces.push(
      names
        .slice(from, from + NAMES_TOGETHER)
        .map(nameIn)
        .join(","),
    );
    yield;
  }

  pieces.push("]");
  return pieces;
}

const nameJson = (key: ByteString | number) =>
  typeof key === "number" ? key : writePhpString(textOfBytes(key));

export const keyJson = (bytes: ByteString) => writePhpKey(textOfBytes(bytes));
/**
 * Returns an id as JSON. An integer with too many digits for a double is a string, so that clients in languages with
 * only doubles do not confuse two ids.
 */
export const idJson = (bytes: ByteString) =>
  Number.isSafeInteger(Number(bytes)) ? keyJson(bytes) : writePhpString(textOfBytes(bytes));
export const listOf = (items: readonly ByteString[], write: (bytes: ByteString) => string) =>
  `[${items.map(write).join(",")}]`;
export const isNumeric = (id: ByteString) => phpNumeric(textOfBytes(id)) !== undefined;

/**
 * Applies a step to a value, in the same turn if the value is available. Most commands are answered in the turn in
 * which they arrive.
 */
export function whenAvailable<A>(value: A | Promise<A>, next: (value: A) => Answer): Answer {
  return value instanceof Promise ? value.then(next) : next(value);
}
