/** Which list of members the sender goes by, and an envelope that proves one. Source: docs/protocol-v2.md "Members". */
import type { ByteString } from "../byte-string.js";
import type { RespReader } from "../resp/resp-reader.js";
import { HASH_BYTES } from "../version-2/envelope.js";
import { readFlag, readShort } from "./member-elements.js";

export interface ListMessage {
  readonly kind: "list";
  /** Of what the sender goes by from here on, and has on its disk; empty: it knows no list. */
  readonly hash: ByteString;
  /** Whether its reports are made under it. */
  readonly isReporting: boolean;
  /** An envelope that holds a list, for a member that goes by another; both empty: the hash alone is told. */
  readonly body: Buffer;
  readonly signature: Buffer;
}

/** The word of a hello by which a member says that it takes them. */
export const KNOWS_LISTS = "lists";

/** As of every envelope with CLUSTER. */
export const LIST_BODY_BYTES_MAX = 262_144;
/** Of an RSA key of 16,384 bits. */
const SIGNATURE_BYTES_MAX = 2048;

/** Behind the name. @throws MalformedFrame */
export function readListMessage(reader: RespReader): ListMessage {
  const hash = readShort(reader, HASH_BYTES);
  const isReporting = readFlag(reader);
  const [body, signature] = [reader.readBulkView(), reader.readBulkView()];
  const isHash = hash.length === 0 || hash.length === HASH_BYTES;
  const isShort = body.length <= LIST_BODY_BYTES_MAX && signature.length <= SIGNATURE_BYTES_MAX;
  if (!isHash || !isShort || (body.length === 0) !== (signature.length === 0))
    throw reader.malformed("expected a list of members");
  return { kind: "list", hash, isReporting, body, signature };
}
