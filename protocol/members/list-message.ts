/**
 * The message that names the sender's member list, with an envelope that proves a list. Source: docs/protocol-v2.md
 * "Members".
 */
import type { ByteString } from "../byte-string.js";
import type { RespReader } from "../resp/resp-reader.js";
import { HASH_BYTES } from "../version-2/envelope.js";
import { readFlag, readShort } from "./member-elements.js";

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
