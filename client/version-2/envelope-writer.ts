/** Builds the frame that all daemons receive for a batch, in three steps: header, signed bytes, frame. */
import type { ByteString } from "../../protocol/byte-string.js";
import { bodyOf, signedBytes } from "../../protocol/version-2/envelope.js";
import { writeBody } from "../../protocol/version-2/envelope-body.js";
import { commandFrame, type Wait } from "../../protocol/version-2/messages-v2.js";
import type { SignedEnvelope } from "../calls/sending.js";
import type { Seal } from "../shared/sealer.js";
import type { Batch } from "./call-batch.js";

/** An unsigned envelope. */
export interface Draft {
  readonly at: number;
  readonly seq: number;
  readonly cluster: ByteString;
  /** See SignedEnvelope. */
  readonly after: ByteString | null;
  /** The bytes to sign. */
  readonly bytes: Buffer;
}

/**
 * Builds the envelope of a batch.
 * @param session  the write to name in `after`, unless the caller has named one, or null if there is none
 */
export function draftOf(
  batch: Batch,
  header: { key: ByteString; cluster: ByteString; at: number; seq: number; nonce: ByteString },
  session: ByteString | null,
): Draft {
  const commands: ByteString[] = [];
  for (const { bytes } of batch.calls) {
    if (typeof bytes === "string") commands.push(bytes);
    else for (const each of bytes) commands.push(each);
  }
  const { at, seq, cluster } = header;
  const { options: requested, decides } = batch;
  // Most envelopes request no decision: for V8, other fields after a spread take a microsecond.
  const options = requested?.decide === true && !decides ? { ...requested, decide: false } : requested;
  const after = options?.after ? null : session;
  const fields = after === null ? { ...header, ...options } : { ...header, ...options, after };
  return { at, seq, cluster, after, bytes: signedBytes(writeBody(fields, commands)) };
}

/** Adds the seal to an envelope. @param wait  the condition that the answer waits for */
export function sealed(
  { at, seq, cluster, after, bytes }: Draft,
  seal: Seal,
  wait: Wait | null,
): SignedEnvelope {
  return {
    at,
    seq,
    cluster,
    after,
    message: commandFrame(bodyOf(bytes), seal.signature, wait),
    get id() {
      return seal.id;
    },
  };
}
