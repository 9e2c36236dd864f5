/**
 * The list of a cluster's members in a canonical text form: root keys sign its bytes, and their hash identifies it.
 * Which list may follow others, which is in force, and how lists are sent: as the only command of an envelope that an
 * administrator signs (`CLUSTER MEMBERS text`), as a text that members sign, and in messages between members. Source:
 * docs/decisions/0038-members-are-a-signed-list.md; docs/protocol-v2.md "Members by list".
 */
import { type ByteString, bytesOf } from "../byte-string.js";
import type { RespReader } from "../resp/resp-reader.js";
import { HASH_BYTES, hexOf, readBody } from "../version-2/envelope.js";
import { readShort } from "./member-elements.js";

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

/** The maximum number of members. A daemon represents each of the other 31 members by one bit of a number. */
export const LIST_MEMBERS_MAX = 32;
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
function problemOf({ number, parents, members, removed }: MemberList): string | null {
  if (number > LIST_NUMBER_MAX) return `a list's number is at most ${LIST_NUMBER_MAX}`;
  if (parents.length > PARENTS_MAX) return `a list has at most ${PARENTS_MAX} parents`;
  if (parents.length > 0 && number === 1) return "the first list has no parent";
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

/** A member list, with the hash that identifies it. */
export interface KnownList {
  readonly hash: ByteString;
  readonly list: MemberList;
}

/**
 * The combined content of all known lists, which form a graph. A list is in force if it follows all other known lists.
 *
 * Two lists that were signed independently are *doubled*: a daemon that knows both accepts entries only from ids that
 * both name, until it receives a list that has both as parents. Otherwise a daemon that only the second list added
 * could receive entries that were missing when the order became final, from a daemon that the first list removed
 * (test/simulation/members). The daemon also does not report under either list, because it is not decided which one is
 * in force.
 */
export interface MembershipState {
  /** The lists that no other list follows; empty if there is no list. */
  readonly heads: readonly KnownList[];
  /** The list in force, or null if there is none or lists are doubled. */
  readonly inForce: KnownList | null;
  /** The daemons that are members in every head. */
  readonly members: ReadonlySet<ByteString>;
  /** The daemons that at least one list has removed. */
  readonly removed: ReadonlySet<ByteString>;
}

/** The daemons to add and to remove. */
export interface MemberChange {
  readonly add?: readonly ByteString[];
  readonly leave?: readonly ByteString[];
}

const RETURNS = "a daemon that was removed can never return";

/**
 * Returns why a list cannot follow the lists that it names; null if it can.
 * @param parents  all lists that it names
 */
export function successionProblem(
  list: MemberList,
  parents: readonly MemberList[],
  cluster: ByteString,
): string | null {
  const problem = problemOf(list);
  if (problem !== null) return problem;

  if (list.cluster !== cluster) return "it belongs to another cluster";
  if (parents.some((parent) => parent.cluster !== cluster)) return "a parent belongs to another cluster";
  if (parents.length !== list.parents.length) return "a parent is not known";
  // Members that found a list again, because a daemon was lost, name what they have signed before as left out.
  if (parents.length === 0) return null;
  if (list.number !== numberAfter(parents)) return `its number must be ${numberAfter(parents)}`;

  const members = new Set(list.members);
  const removed = removedAfter(parents, members);
  if (list.members.some((id) => removed.has(id))) return RETURNS;
  if (list.removed.length !== removed.size || list.removed.some((id) => !removed.has(id)))
    return "it must name exactly the daemons that were removed";
  if (parents.length > 1 && list.members.some((id) => parents.some((parent) => !parent.members.includes(id))))
    return "after two lists, only the members of both may remain";
  if (parents.length > 0 && !parents[0]?.members.some((id) => members.has(id)))
    return "at least one member must remain, so that new ones can receive the data from it";
  return null;
}

/**
 * Creates the list that follows earlier lists.
 * @param parents  the heads
 * @returns the list, or a string that says why there can be none
 */
export function nextList(
  parents: readonly KnownList[],
  { add = [], leave = [] }: MemberChange,
  cluster: ByteString,
): MemberList | string {
  const lists = parents.map(({ list }) => list);
  const members = new Set(inAll(lists));
  for (const id of leave) if (!members.delete(id)) return "the daemon to remove is not a member";
  const removed = new Set(lists.flatMap((list) => list.removed));
  if (add.some((id) => removed.has(id))) return RETURNS;
  for (const id of add) members.add(id);
  const list = listAfter(parents, [], members, cluster);
  return typeof list === "string" ? list : (successionProblem(list, lists, cluster) ?? list);
}

/**
 * Creates the list of given members that follows earlier lists, and texts of lists of which it is not known whether
 * enough members have signed them.
 * @param heads  the lists in force; none: the list is the first one
 * @param signed  the texts
 * @returns the list, or a string that says why there can be none
 */
export function listAfter(
  heads: readonly KnownList[],
  signed: readonly KnownList[],
  members: ReadonlySet<ByteString>,
  cluster: ByteString,
): MemberList | string {
  // A list has at most two parents. It follows the remaining ones because it names all their daemons. One parent is a
  // list in force, which proves that list to daemons that are added later; the texts may never be complete.
  const newestFirst = [...heads, ...signed].sort(
    (one, other) => other.list.number - one.list.number || (one.hash < other.hash ? -1 : 1),
  );
  const lists = newestFirst.map(({ list }) => list);
  const removed = removedAfter(lists, members);
  if ([...members].some((id) => removed.has(id))) return RETURNS;

  const list: MemberList = {
    cluster,
    number: numberAfter(lists),
    parents: (heads.length === 0 ? [] : parentsOf(newestFirst, heads)).map(({ hash }) => hash).sort(),
    members: [...members].sort(),
    removed: [...removed].sort(),
  };
  return problemOf(list) ?? list;
}

const parentsOf = ([newest, ...rest]: readonly KnownList[], heads: readonly KnownList[]): KnownList[] =>
  [...(newest === undefined ? [] : [newest]), ...rest.filter((one) => heads.includes(one))].slice(
    0,
    PARENTS_MAX,
  );

/** Finds the heads and the list in force. @param known  the lists, together with all lists that they follow */
export function membershipStateOf(known: Iterable<KnownList>): MembershipState {
  const all = [...known];
  const followed = new Set(all.flatMap(({ list }) => list.parents));
  const heads = all.filter(({ hash }) => !followed.has(hash));
  const members = new Set(inAll(heads.map(({ list }) => list)));
  const removed = new Set(heads.flatMap(({ list }) => list.removed));
  return { heads, inForce: heads.length === 1 ? (heads[0] as KnownList) : null, members, removed };
}

const numberAfter = (parents: readonly MemberList[]): number =>
  1 + Math.max(0, ...parents.map(({ number }) => number));

const inAll = (lists: readonly MemberList[]): readonly ByteString[] =>
  (lists[0]?.members ?? []).filter((id) => lists.every(({ members }) => members.includes(id)));

/** Returns the daemons that were removed earlier or are removed now. */
function removedAfter(parents: readonly MemberList[], members: ReadonlySet<ByteString>): Set<ByteString> {
  const removed = new Set(parents.flatMap((parent) => parent.removed));
  for (const parent of parents) for (const id of parent.members) if (!members.has(id)) removed.add(id);
  return removed;
}

/** The maximum number of conflicting lists that are stored. Administrators do not produce more by mistake. */
export const HEADS_MAX = 8;

/**
 * The result of receiving a list: the lists to store now, or the problem. `old`: the stored lists already follow it.
 */
type Taken<List extends KnownList> =
  | { readonly heads: readonly List[] }
  | "old"
  | { readonly problem: string };

/**
 * Adds a received list. The newest lists, which no other list follows, are stored, because they contain all information
 * of the earlier ones. A daemon that was down or is new may receive a list without its predecessors. The daemons that
 * the list names must then show that it follows the stored lists.
 * @param heads     the stored lists
 * @param received  the received list, with a valid signature
 */
export function takeList<List extends KnownList>(
  heads: readonly List[],
  received: List,
  cluster: ByteString,
): Taken<List> {
  const { list, hash } = received;
  const isOld = heads.some(
    (head) => head.hash === hash || head.list.parents.includes(hash) || accountsFor(head.list, list),
  );
  if (isOld) return "old";

  const parents = heads.filter((head) => list.parents.includes(head.hash));
  const problem =
    parents.length === list.parents.length
      ? successionProblem(
          list,
          parents.map((parent) => parent.list),
          cluster,
        )
      : problemOfOrphan(list, cluster);
  if (problem !== null) return { problem };

  const kept = heads.filter((head) => !parents.includes(head) && !accountsFor(list, head.list));
  if (kept.length >= HEADS_MAX) return { problem: "too many parallel lists" };
  return { heads: [...kept, received] };
}

/** Returns the problem of a list whose parents are not all known; null if there is none. */
function problemOfOrphan(list: MemberList, cluster: ByteString): string | null {
  return list.cluster === cluster ? problemOf(list) : "it belongs to another cluster";
}

/** Whether `later` lists every daemon of `earlier`, as a member or as removed, as every successor does. */
export function accountsFor(later: MemberList, earlier: MemberList): boolean {
  if (later.number <= earlier.number) return false;
  const removed = new Set(later.removed);
  const named = new Set([...later.members, ...later.removed]);
  return earlier.removed.every((id) => removed.has(id)) && earlier.members.every((id) => named.has(id));
}

/**
 * The message that names the sender's member list, with an envelope that proves a list. Source: docs/protocol-v2.md
 * "Members".
 */
export interface ListMessage {
  readonly kind: "list";
  /** The hash of the list that the sender uses from now on and has on disk; empty if the sender knows no list. */
  readonly hash: ByteString;
  /** Whether the sender's reports are valid under this list. */
  readonly isReporting: boolean;
  /**
   * Whether its open vote is dated at or before the watermark that it has published. A daemon can join it, but nothing
   * becomes final by its reports.
   */
  readonly hasEarlyVote: boolean;
  /**
   * A list and its proof, for a member that uses another list: see `SignedList`. Both fields are empty if only the hash
   * is sent. With the text of a list, some or all signatures may be missing: its members are about to agree on it.
   */
  readonly body: Buffer;
  readonly signature: Buffer;
}

/** The maximum length of the body, as for every envelope with CLUSTER. */
export const LIST_BODY_BYTES_MAX = 262_144;
/** The maximum length of the proof: RSA with 16,384 bits (2,048), or the signatures of 32 members (110 bytes each). */
const SIGNATURE_BYTES_MAX = 4096;

/** Reads the elements after the name. @throws MalformedFrame */
export function readListMessage(reader: RespReader): ListMessage {
  const hash = readShort(reader, HASH_BYTES);
  const reporting = readShort(reader, 1);
  const envelope = readListEnvelope(reader);
  const { body, signature } = envelope;
  const isHash = hash.length === 0 || hash.length === HASH_BYTES;
  const isWhole = isListText(body) || (body.length === 0) === (signature.length === 0);
  if (!isHash || !["0", "1", "2"].includes(reporting) || !isWhole)
    throw reader.malformed("expected a list of members");
  return { kind: "list", hash, isReporting: reporting !== "0", hasEarlyVote: reporting === "2", ...envelope };
}

/** Reads a list with its proof. Both fields may be empty. @throws MalformedFrame */
export function readListEnvelope(reader: RespReader): Pick<ListMessage, "body" | "signature"> {
  const [body, signature] = [reader.readBulkView(), reader.readBulkView()];
  if (body.length > LIST_BODY_BYTES_MAX || signature.length > SIGNATURE_BYTES_MAX)
    throw reader.malformed("expected a list of members");
  return { body, signature };
}

/** A list and its proof. */
export interface SignedList extends KnownList {
  /** The envelope in which an administrator has signed the list, or the text of a list that its members have signed. */
  readonly body: Buffer;
  /** The administrator's signature, or the signatures of all members: see members-proof.ts. */
  readonly signature: Buffer;
}

/** Whether a list is proved by its members, and not by an administrator. */
export const isListText = (body: Buffer): boolean => bytesOf(body, 0, FIRST_LINE.length) === FIRST_LINE;

/** The reason why an envelope does not prove a list. */
export interface RefusedList {
  readonly refused: string;
}

type Hash = (bytes: Buffer) => ByteString;

/** Whether a command contains a list or queries it. */
export function isMemberListCommand([name = "", sub = ""]: readonly ByteString[]): boolean {
  return sub.toUpperCase() === "MEMBERS" && name.toUpperCase() === "CLUSTER";
}

/**
 * Parses the text of a list, or the list of an envelope, which must be for this cluster and contain no other command.
 * Does not check the proof.
 * @throws MalformedFrame
 */
export function readListAlone(
  body: Buffer,
  signature: Buffer,
  cluster: ByteString,
  hash: Hash,
): SignedList | RefusedList {
  const tooLong = refusalOfLength(body);
  if (tooLong !== null) return tooLong;
  if (isListText(body)) {
    const signed = listOfText(body, signature, hash);
    return "refused" in signed || signed.list.cluster === cluster ? signed : { refused: OTHER_CLUSTER };
  }
  const { commands, cluster: meant, multi, if: conditions, only, as, decide } = readBody(body);
  if (meant !== cluster) return { refused: OTHER_CLUSTER };
  if (multi || conditions !== null || only !== null || as !== null || decide || commands.length !== 1)
    return { refused: "it is not the only command of its envelope" };
  return listIn(commands[0] ?? [], body, signature, hash);
}

/** Parses a list whose proof was checked earlier. @throws MalformedFrame */
export function readCheckedList(body: Buffer, signature: Buffer, hash: Hash): SignedList | RefusedList {
  if (isListText(body)) return listOfText(body, signature, hash);
  return listIn(readBody(body).commands[0] ?? [], body, signature, hash);
}

const OTHER_CLUSTER = "it is for another cluster";

/** Returns the refusal of an envelope that is too long for a list; null if it may be parsed. */
export const refusalOfLength = (body: Buffer): RefusedList | null =>
  body.length > LIST_BODY_BYTES_MAX ? { refused: "it is too long" } : null;

function listIn(
  argv: readonly ByteString[],
  body: Buffer,
  signature: Buffer,
  hash: Hash,
): SignedList | RefusedList {
  const [, , text] = argv;
  if (text === undefined || argv.length !== 3 || !isMemberListCommand(argv))
    return { refused: "it contains no member list" };
  return parsedList(text, body, signature, hash);
}

const listOfText = (body: Buffer, signature: Buffer, hash: Hash): SignedList | RefusedList =>
  parsedList(bytesOf(body), body, signature, hash);

function parsedList(text: ByteString, body: Buffer, signature: Buffer, hash: Hash): SignedList | RefusedList {
  const list = parseMemberList(text);
  if (typeof list === "string") return { refused: list };
  return { list, hash: listHash(text, hash), body, signature };
}
