/**
 * The list of a cluster's members in a canonical text form: root keys sign its bytes, and their hash identifies it.
 * Source: docs/decisions/0038-members-are-a-signed-list.md.
 */
import type { ByteString } from "../byte-string.js";
import { HASH_BYTES, hexOf } from "../version-2/envelope.js";

export interface MemberList {
  /** The cluster's id. */
  readonly cluster: ByteString;
  /** The list's number: one more than the highest number of its parents; 1 if it has none. */
  readonly number: number;
  /** The hashes of the lists that this list follows: none, one, or two that were signed independently. */
  readonly parents: readonly ByteString[];
  readonly members: readonly ByteString[];
  /** The daemons that this list or an earlier one removed. They can never return. */
  readonly removed: readonly ByteString[];
}

export const LIST_MEMBERS_MAX = 128;
/** The maximum number of removed daemons, enough for one removal per day for eleven years. */
export const LIST_REMOVED_MAX = 4096;
const LIST_NUMBER_MAX = 999_999_999;

const FIRST_LINE = "dbsync members 1";
const PARENTS_MAX = 2;
const HEX_CHARACTERS = 2 * HASH_BYTES;
/** The maximum length of a line: the longest keyword, `cluster `, the digits, and the line ending. */
const LINE_BYTES_MAX = 8 + HEX_CHARACTERS + 1;
/** The maximum length of a list. A longer text is not a list and is not parsed. */
export const LIST_BYTES_MAX = LINE_BYTES_MAX * (3 + PARENTS_MAX + LIST_MEMBERS_MAX + LIST_REMOVED_MAX);

const LINES =
  /^dbsync members 1\ncluster ([0-9a-f]{64})\nnumber ([1-9][0-9]{0,8})\n((?:parent [0-9a-f]{64}\n)*)((?:member [0-9a-f]{64}\n)*)((?:left [0-9a-f]{64}\n)*)$/;

/** Returns the unique text of a list. Hashes are sorted, regardless of their order in `list`. */
export function writeMemberList({ cluster, number, parents, members, removed }: MemberList): string {
  return [
    FIRST_LINE,
    `cluster ${hexOf(cluster)}`,
    `number ${number}`,
    ...linesOf("parent", parents),
    ...linesOf("member", members),
    ...linesOf("left", removed),
    "",
  ].join("\n");
}

/** Parses a list. @returns the list, or a string that says what is wrong with it */
export function parseMemberList(text: string): MemberList | string {
  if (text.length > LIST_BYTES_MAX) return `a list has at most ${LIST_BYTES_MAX} bytes`;
  const parts = LINES.exec(text);
  if (parts === null) return "these are not the lines of a member list";
  const [, cluster, number, ...groups] = parts as unknown as [string, string, string, string, string, string];
  const [parents, members, removed] = groups.map(hashesOf) as [ByteString[], ByteString[], ByteString[]];
  const list: MemberList = {
    cluster: bytesOfHex(cluster),
    number: Number(number),
    parents,
    members,
    removed,
  };
  const problem = problemOf(list);
  if (problem !== null) return problem;
  return writeMemberList(list) === text ? list : "the lines of a member list are not sorted";
}

/** Computes the hash of a list. @param hash  the function SHA-256 */
export function listHash(list: MemberList | string, hash: (bytes: Buffer) => ByteString): ByteString {
  return hash(Buffer.from(typeof list === "string" ? list : writeMemberList(list), "latin1"));
}

/** Returns what is wrong with a list, regardless of the lists that it follows; null if nothing is. */
export function problemOf({ number, parents, members, removed }: MemberList): string | null {
  if (number > LIST_NUMBER_MAX) return `a list's number is at most ${LIST_NUMBER_MAX}`;
  if (parents.length > PARENTS_MAX) return `a list has at most ${PARENTS_MAX} parents`;
  if ((parents.length === 0) !== (number === 1)) return "the first list, and no other, has no parent";
  if (members.length === 0) return "a list has at least one member";
  if (members.length > LIST_MEMBERS_MAX) return `a list has at most ${LIST_MEMBERS_MAX} members`;
  if (removed.length > LIST_REMOVED_MAX) return `a list has at most ${LIST_REMOVED_MAX} removed daemons`;
  const ids = new Set([...members, ...removed]);
  const isOnce = ids.size === members.length + removed.length && new Set(parents).size === parents.length;
  return isOnce ? null : "a list contains a duplicate";
}

const linesOf = (word: string, hashes: readonly ByteString[]): string[] =>
  hashes.map((bytes) => `${word} ${hexOf(bytes)}`).sort();

const bytesOfHex = (hex: string): ByteString => Buffer.from(hex, "hex").toString("latin1");

const hashesOf = (lines: string): ByteString[] =>
  lines
    .split("\n")
    .slice(0, -1)
    .map((line) => bytesOfHex(line.slice(line.indexOf(" ") + 1)));
