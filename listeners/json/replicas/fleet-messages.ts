/**
 * What daemons of --json-replica say to each other: requests of the action `replica`, in JSON whose strings are bytes. Answers begin as all
 * of the JSON protocol. Source: docs/json-documents.md "Fleets".
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { JsonNumber, JsonObject, type JsonValue } from "../../../protocol/json/json-value.js";
import type { Contents, Entry } from "./document-store.js";
import type { Claim, Counts, DoneWrite, Level, WriteName } from "./fleet.js";

export const REPLICA_ACTION = "replica";

/** Characters and entries of one message that gives a document; what is longer comes in several, and is done with the last one. */
const PART_CHARS = 4 * 1024 * 1024;
const PART_ENTRIES = 100_000;
/** Characters of a write that is told as it is; of a longer one the document is given. */
export const WRITE_CHARS_MAX = 8 * 1024 * 1024;

/** Who a daemon follows, and what it has; it is answered with the same of the other one. */
export interface Meeting {
  /** Of the daemon itself. */
  readonly id: string;
  readonly claim: Claim;
  readonly counts: Counts;
}

/** What is told to a daemon that is met. */
export interface Met extends Meeting {
  /** Whether the daemon that is met has found that the connection is the asking one's: else nothing that it says of the order counts. */
  readonly isProven: boolean;
  /** Whether it has the asking daemon in its list, and could follow it. */
  readonly isListed: boolean;
  /** What it has and the asking daemon lacks. */
  readonly writes: readonly DoneWrite[];
  /** Whether there was more, which is not remembered. */
  readonly hasForgotten: boolean;
  /** Whether it has all that the one has whom it follows. */
  readonly isLevel: boolean;
  /** Whether the servers of its list have given it their documents. */
  readonly isReady: boolean;
}

interface Members {
  readonly get: (name: string) => JsonValue | undefined;
}

export type Leader = Pick<Claim, "id" | "term">;

/** A leader's write, for one that follows it. */
export interface LedWrite {
  readonly leader: Leader;
  readonly place: number;
  readonly write: DoneWrite;
}

/** Of terms, places, counts and dates: whoever counts on from there has exact numbers for longer than anything runs. */
const NUMBER_MOST = 2 ** 52;
const LINE_BREAKS = /[\r\n]/g;

const line = (does: string, members: object) => JSON.stringify({ action: REPLICA_ACTION, does, ...members });

/** @param mark  of the connection */
export const meet = (meeting: Meeting, mark: string) => line("meet", { ...meetingMembers(meeting), mark });
/** Whether a connection that bears a mark was opened by who is asked. */
export const vouch = (mark: string) => line("vouch", { mark });
export const LIST = line("list", {});
export const digest = (document: ByteString) => line("digest", { name: document });
export const contents = (document: ByteString) => line("contents", { name: document });
/** This daemon cannot reach the leader: who can, and is asked, is to lead. */
export const takeLead = ({ id, term }: Leader) => line("lead", { leader: id, term });
/** Whole documents come. */
export const begin = (claim: Claim) => line("begin", { claim });
/** They have come: who has taken them has all that the leader had. */
export const level = ({ id, term }: Leader, { counts, place, recent }: Level) =>
  line("level", {
    leader: id,
    term,
    place,
    counts: Object.fromEntries(counts),
    recent: recent.flatMap(({ by, number }) => [by, number]),
  });
/** For a daemon that follows nobody: it has no list. */
export const plain = ({ now, argv }: DoneWrite) => line("apply", { now, argv });
export const led = ({ leader: { id, term }, place, write }: LedWrite) =>
  line("apply", { leader: id, term, place, ...write });
/** A write that the other one has with the whole document. */
export const noted = ({ leader: { id, term }, place, write: { by, number, now } }: LedWrite) =>
  line("apply", { leader: id, term, place, by, number, now, argv: [] });
/** @param request  JSON @param isAgain  whether it may have been sent before */
export const submit = (by: string, number: number, isAgain: boolean, request: string) =>
  `${line("submit", { by, number, again: isAgain }).slice(0, -1)},"request":${request.replace(LINE_BREAKS, " ")}}`;

/** What gives a document, one after the other. @param isNew  whether it is to be the youngest @param leader  null: the other one has no list */
export function puts(
  document: ByteString,
  whole: Contents,
  { isNew, leader }: { readonly isNew: boolean; readonly leader: Leader | null },
): string[] {
  const from = leader === null ? {} : { leader: leader.id, term: leader.term };
  if (whole === null) return [line("put", { ...from, name: document, entries: null })];
  const lines: string[] = [];
  let part: (ByteString | number | null)[] = [];
  let chars = 0;
  for (const { key, text, expires } of whole.entries) {
    if (chars > PART_CHARS || part.length >= 3 * PART_ENTRIES) {
      lines.push(line("part", { entries: part }));
      part = [];
      chars = 0;
    }
    part.push(key, text, expires);
    chars += key.length + text.length;
  }
  lines.push(line("put", { ...from, name: document, entries: part, indexes: whole.indexes, isNew }));
  return lines;
}

export const contentsMembers = (whole: Exclude<Contents, null>) => ({
  entries: whole.entries.flatMap(({ key, text, expires }) => [key, text, expires]),
  indexes: whole.indexes,
});

export const meetingMembers = ({ id, claim, counts }: Meeting) => ({
  id,
  claim,
  counts: Object.fromEntries(counts),
});

/** @param members  behind the status */
export const answered = (members: object) => JSON.stringify({ status: "success", ...members });

/** @throws Error  it is something else */
export function textIn(value: JsonValue | undefined): string {
  if (typeof value === "string") return value;
  throw new Error("a text is missing");
}

/** @throws Error  it is none, or out of range */
export function numberIn(value: JsonValue | undefined, most = NUMBER_MOST): number {
  const number = value instanceof JsonNumber ? Number(value.text) : Number.NaN;
  if (Number.isSafeInteger(number) && number >= 0 && number <= most) return number;
  throw new Error(`a number from 0 to ${most} is missing`);
}

/** @throws Error */
export function listIn(value: JsonValue | undefined): readonly JsonValue[] {
  if (Array.isArray(value)) return value as readonly JsonValue[];
  throw new Error("a list is missing");
}

/** @throws Error */
export const textsIn = (value: JsonValue | undefined): string[] => listIn(value).map(textIn);

/** @throws Error */
export function claimIn(value: JsonValue | undefined): Claim {
  const { get } = membersIn(value);
  const after = get("after") === undefined ? undefined : membersIn(get("after"));
  return {
    ...(after && { after: { id: textIn(after.get("id")), term: numberIn(after.get("term")) } }),
    term: numberIn(get("term")),
    place: numberIn(get("place")),
    since: numberIn(get("since")),
    id: textIn(get("id")),
  };
}

/** @throws Error */
export function countsIn(value: JsonValue | undefined): Counts {
  if (!(value instanceof JsonObject)) throw new Error("counts are missing");
  return new Map(value.names.map((name, at) => [name, numberIn(value.values[at])]));
}

/** @throws Error */
export function levelIn({ get }: Members): Level {
  const names = listIn(get("recent"));
  const recent: WriteName[] = [];
  for (let at = 0; at < names.length; at += 2)
    recent.push({ by: textIn(names[at]), number: numberIn(names[at + 1]) });
  return { counts: countsIn(get("counts")), place: numberIn(get("place")), recent };
}

/** @throws Error */
export function writeIn({ get }: Members): DoneWrite {
  return {
    by: textIn(get("by")),
    number: numberIn(get("number")),
    now: numberIn(get("now")),
    argv: textsIn(get("argv")),
  };
}

/** @throws Error */
export function entriesIn(value: JsonValue | undefined): Entry[] {
  const list = listIn(value);
  const entries: Entry[] = [];
  for (let at = 0; at < list.length; at += 3) {
    const expires = list[at + 2];
    entries.push({
      key: textIn(list[at]),
      text: textIn(list[at + 1]),
      expires: expires === null ? null : numberIn(expires, Number.MAX_SAFE_INTEGER),
    });
  }
  return entries;
}

/** @param answer  to the question for a document @throws Error */
export function contentsIn(answer: JsonObject): Contents {
  if (answer.get("entries") === undefined) return null;
  return { entries: entriesIn(answer.get("entries")), indexes: textsIn(answer.get("indexes")) };
}

/** @returns null: it has no list @throws Error */
export function metIn(answer: JsonObject): Met | null {
  if (answer.get("claim") === undefined) return null;
  return {
    id: textIn(answer.get("id")),
    claim: claimIn(answer.get("claim")),
    counts: countsIn(answer.get("counts")),
    isProven: answer.get("isProven") === true,
    isListed: answer.get("isListed") === true,
    writes: listIn(answer.get("writes")).map((write) => writeIn(membersIn(write))),
    hasForgotten: answer.get("hasForgotten") === true,
    isLevel: answer.get("isLevel") === true,
    // Versions without this member serve from their start.
    isReady: answer.get("isReady") !== false,
  };
}

function membersIn(value: JsonValue | undefined): Members {
  if (value instanceof JsonObject) return { get: (name) => value.get(name) };
  throw new Error("an object is missing");
}
