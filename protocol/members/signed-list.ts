/**
 * A member list in the form that an administrator signs: `CLUSTER MEMBERS text` as the only command of an envelope.
 * Daemons and administrators' programs parse it by the same rules. Source: docs/protocol-v2.md "Members by list".
 */
import type { ByteString } from "../byte-string.js";
import type { RespReader } from "../resp/resp-reader.js";
import { HASH_BYTES, readBody } from "../version-2/envelope.js";
import type { KnownList } from "./list-succession.js";
import { readFlag, readShort } from "./member-elements.js";
import { listHash, parseMemberList } from "./member-list.js";

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
  /** An envelope with a list, for a member that uses another list; both fields are empty if only the hash is sent. */
  readonly body: Buffer;
  readonly signature: Buffer;
}

/** The maximum length of the body, as for every envelope with CLUSTER. */
export const LIST_BODY_BYTES_MAX = 262_144;
/** The maximum length of the signature: RSA with 16,384 bits. */
const SIGNATURE_BYTES_MAX = 2048;

/** Reads the elements after the name. @throws MalformedFrame */
export function readListMessage(reader: RespReader): ListMessage {
  const hash = readShort(reader, HASH_BYTES);
  const isReporting = readFlag(reader);
  const envelope = readListEnvelope(reader);
  const { body, signature } = envelope;
  const isHash = hash.length === 0 || hash.length === HASH_BYTES;
  if (!isHash || (body.length === 0) !== (signature.length === 0))
    throw reader.malformed("expected a list of members");
  return { kind: "list", hash, isReporting, ...envelope };
}

/** Reads an envelope with a list. Both fields may be empty. @throws MalformedFrame */
export function readListEnvelope(reader: RespReader): Pick<ListMessage, "body" | "signature"> {
  const [body, signature] = [reader.readBulkView(), reader.readBulkView()];
  if (body.length > LIST_BODY_BYTES_MAX || signature.length > SIGNATURE_BYTES_MAX)
    throw reader.malformed("expected a list of members");
  return { body, signature };
}

/** A list and the envelope that proves it. */
export interface SignedList extends KnownList {
  readonly body: Buffer;
  readonly signature: Buffer;
}

/** The reason why an envelope does not prove a list. */
export interface RefusedList {
  readonly refused: string;
}

type Hash = (bytes: Buffer) => ByteString;

/** The maximum number of members. A daemon represents each of the other 31 members by one bit of a number. */
const MAX_DAEMONS = 32;

/** Whether a command contains a list or queries it. */
export function isMemberListCommand([name = "", sub = ""]: readonly ByteString[]): boolean {
  return sub.toUpperCase() === "MEMBERS" && name.toUpperCase() === "CLUSTER";
}

/**
 * Parses the list of an envelope, which must be for this cluster and contain no other command. Does not check the
 * signature.
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
  const { commands, cluster: meant, multi, if: conditions, only, as } = readBody(body);
  if (meant !== cluster) return { refused: "it is for another cluster" };
  if (multi || conditions !== null || only !== null || as !== null || commands.length !== 1)
    return { refused: "it is not the only command of its envelope" };
  return listIn(commands[0] ?? [], body, signature, hash);
}

/** Parses the list of an envelope that was checked earlier. @throws MalformedFrame */
export function readCheckedList(body: Buffer, signature: Buffer, hash: Hash): SignedList | RefusedList {
  return listIn(readBody(body).commands[0] ?? [], body, signature, hash);
}

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
  const list = parseMemberList(text);
  if (typeof list === "string") return { refused: list };
  if (list.members.length > MAX_DAEMONS) return { refused: `a cluster has at most ${MAX_DAEMONS} daemons` };
  return { list, hash: listHash(text, hash), body, signature };
}
