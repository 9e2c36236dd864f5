/**
 * Parts of entries: their requested members. A pattern cuts entries of the same shape without parsing them. Source:
 * docs/json-documents.md.
 */
import { type ByteString, bytesOfText } from "../../../../protocol/byte-string.js";
import type { DocumentEntries, DocumentEntriesReply } from "../../../../protocol/document-replies.js";
import { JsonObject } from "../../../../protocol/json/json-value.js";
import {
  endOfValue,
  labelsIn,
  type MemberName,
  memberAt,
  memberName,
  membersIn,
  valueAt,
} from "../values/member-value.js";
import { textOfEntry, valueOfEntry } from "./document-entries.js";

/** The number of characters of entries that are cut or parsed in one step. */
const STEP_CHARS = 64 * 1024;
/** Minimum number of entries for which patterns are made. */
const SHAPE_ENTRIES_MIN = 64;
/** Maximum number of members that are searched for one by one; for more, an object is read once. */
const SEARCHED_MAX = 2;
/** Maximum length of an entry that a pattern cuts, because the engine's memory for backtracking grows with it. */
const SHAPE_CHARS_MAX = 64 * 1024;
/** Maximum number of members of a shape. */
const SHAPE_MEMBERS_MAX = 64;
/** Maximum number of shapes that one read tries, because creating a pattern takes as long as cutting many entries. */
const SHAPES_MAX = 16;

const NOTHING = "{}";
const OBJECT = 0x7b;
const POINT = ".";

/** Values by which entries are cut. Entries with deeper nesting than lists and objects of scalars have no shape. */
const STRING = String.raw`"[^"\\]*(?:\\.[^"\\]*)*"`;
const WITHIN = String.raw`(?:[^"[\]{}]|${STRING})*`;
const VALUE = String.raw`(?:${STRING}|[-+.\w]+|\[${WITHIN}\]|\{${WITHIN}\})`;
const TO_QUOTE = /[\\^$.*+?()[\]{}|/-]/g;

/** The members to return of each entry. */
export class EntryPart {
  readonly #fields: readonly string[];
  /** The names of the fields, or null if one of them is a path. */
  readonly #names: readonly MemberName[] | null;
  /** The positions of the names by their labels. */
  readonly #positions: ReadonlyMap<ByteString, number>;

  constructor(fields: readonly string[]) {
    this.#fields = fields;
    this.#names = fields.some((field) => field.includes(POINT))
      ? null
      : [...new Set(fields)].map((field) => memberName(bytesOfText(field)));
    this.#positions = new Map(this.#names?.map(({ label }, at) => [label, at]));
  }

  /** The names of the members; none if one of them is a path. */
  get names(): readonly MemberName[] {
    return this.#names ?? [];
  }

  /** Returns an entry with only these members, in their order. */
  of(text: ByteString): ByteString {
    if (this.#fields.length === 0) return NOTHING;
    const names = this.#names;
    if (names === null || text.charCodeAt(0) !== OBJECT) return this.#parsed(text);
    if (names.length > SEARCHED_MAX)
      return `{${membersIn(text, this.#positions)
        .filter((member) => member !== undefined)
        .join(",")}}`;

    const members: ByteString[] = [];
    for (const name of names) {
      const from = valueAt(text, name);
      if (from >= 0) members.push(`${name.label}:${text.slice(from, endOfValue(text, from))}`);
    }

    return `{${members.join(",")}}`;
  }

  /** Finds entries in steps. Their parts are cut when they are written, so that few of them are in memory at a time. */
  *ofEntries(reply: DocumentEntriesReply): Generator<void, DocumentEntries> {
    const { keys, texts } = yield* reply.steps();
    const cutter = new EntryCutter(this, texts.length < SHAPE_ENTRIES_MIN ? 0 : SHAPES_MAX);
    return { keys, texts, parts: (from, to) => cutter.cut(texts, from, to) };
  }

  #parsed(text: ByteString): ByteString {
    const value = valueOfEntry(text);
    const part = new JsonObject();
    for (const field of this.#fields) {
      const member = memberAt(value, field);
      if (member !== undefined) part.set(field, member);
    }
    return textOfEntry(part);
  }
}

/** The cutter of the entries of one read, by the shapes that it finds. */
class EntryCutter {
  readonly #part: EntryPart;
  /** The number of shapes that may still be tried. */
  #shapesLeft: number;
  /** The shape that was found last, or null if the entry after it had none. */
  #shape: Shape | null = null;
  /** The number of characters that are still cut in this step. */
  #charsLeft = STEP_CHARS;

  constructor(part: EntryPart, shapes: number) {
    this.#part = part;
    this.#shapesLeft = shapes;
  }

  /** Returns the parts of the texts from one index up to another. */
  *cut(texts: readonly ByteString[], from: number, to: number): Generator<void, readonly ByteString[]> {
    const parts: ByteString[] = [];
    const end = Math.min(to, texts.length);
    for (let at = from; at < end; at++) {
      const text = texts[at] as ByteString;
      parts.push(this.#partOf(text));
      this.#charsLeft -= text.length;
      if (this.#charsLeft > 0) continue;
      this.#charsLeft = STEP_CHARS;
      yield;
    }

    return parts;
  }

  #partOf(text: ByteString): ByteString {
    if (text.length > SHAPE_CHARS_MAX) return this.#part.of(text);
    const cut = this.#shape?.pattern.exec(text) ?? this.#firstOfShape(text);
    return cut === null || this.#shape === null ? this.#part.of(text) : partIn(cut, this.#shape);
  }

  /** Finds the shape of an entry, and cuts the entry; returns null if it has none. */
  #firstOfShape(text: ByteString): RegExpExecArray | null {
    if (this.#shapesLeft === 0) return null;
    this.#shapesLeft--;
    this.#shape = shapeOf(text, this.#part.names);
    return this.#shape?.pattern.exec(text) ?? null;
  }
}

/** Entries with the same members in the same order. */
interface Shape {
  readonly pattern: RegExp;
  /** The groups of the pattern that are the requested members, in the requested order. */
  readonly groups: readonly number[];
  /** The opening bracket of a part, unless it is in the first group. */
  readonly head: string;
}

function partIn(cut: RegExpExecArray, { head, groups }: Shape): ByteString {
  let part = head + cut[groups[0] as number];
  for (let at = 1; at < groups.length; at++) part += `,${cut[groups[at] as number]}`;
  return `${part}}`;
}

/** Returns the shape of an entry; null if it has none of the requested members, or too many members. */
function shapeOf(text: ByteString, names: readonly MemberName[]): Shape | null {
  const labels = text.charCodeAt(0) === OBJECT ? labelsIn(text, SHAPE_MEMBERS_MAX) : null;
  if (labels === null) return null;

  const found = names.map(({ label }) => labels.indexOf(label)).filter((position) => position >= 0);
  if (found.length === 0) return null;

  const sorted = found.toSorted((one, other) => one - other);
  // A requested member that this entry lacks may be anywhere in another entry, so the pattern has to match all members.
  const count = found.length < names.length ? labels.length : (sorted.at(-1) as number) + 1;
  // Members that follow each other share a group.
  const isInEntryOrder = found.every((position, at) => position === sorted[at]);
  const begins = sorted.filter((position) => !isInEntryOrder || !sorted.includes(position - 1));
  const ends = sorted.filter((position) => !isInEntryOrder || !sorted.includes(position + 1));
  const members = labels.slice(0, count).map((label, at) => {
    const member = `${label.replace(TO_QUOTE, "\\$&")}:${VALUE}`;
    const opening = at === 0 && isInEntryOrder ? "\\{" : "";
    return `${begins.includes(at) ? "(" : ""}${opening}${member}${ends.includes(at) ? ")" : ""}`;
  });
  return {
    pattern: new RegExp(
      `^${isInEntryOrder ? "" : "\\{"}${members.join(",")}${count === labels.length ? "\\}$" : ","}`,
    ),
    groups: isInEntryOrder
      ? begins.map((_, at) => at + 1)
      : found.map((position) => sorted.indexOf(position) + 1),
    head: isInEntryOrder && begins[0] === 0 ? "" : "{",
  };
}
