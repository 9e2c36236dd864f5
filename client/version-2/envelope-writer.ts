/** From a batch to the frame that all daemons get: header, bytes to be signed, frame. */
import type { ByteString } from "../../protocol/byte-string.js";
import { bodyOf, signedBytes } from "../../protocol/version-2/envelope.js";
import { writeBody } from "../../protocol/version-2/envelope-body.js";
import { commandFrame, type Wait } from "../../protocol/version-2/messages-v2.js";
import type { SignedEnvelope } from "../calls/sending.js";
import type { Seal } from "../shared/sealer.js";
import type { Batch } from "./batch.js";

/** An envelope that wants its seal. */
export interface Draft {
  readonly at: number;
  readonly seq: number;
  readonly cluster: ByteString;
  /** What is signed. */
  readonly bytes: Buffer;
}

export function draftOf(
  batch: Batch,
  header: { key: ByteString; cluster: ByteString; at: number; seq: number; nonce: ByteString },
): Draft {
  const commands: ByteString[] = [];
  for (const { bytes } of batch.calls) {
    if (typeof bytes === "string") commands.push(bytes);
    else commands.push(...bytes);
  }
  const { at, seq, cluster } = header;
  return { at, seq, cluster, bytes: signedBytes(writeBody({ ...header, ...batch.options }, commands)) };
}

/** @param wait  what the answer waits for */
export function sealed({ at, seq, cluster, bytes }: Draft, seal: Seal, wait: Wait | null): SignedEnvelope {
  return {
    ...{ at, seq, cluster, message: commandFrame(bodyOf(bytes), seal.signature, wait) },
    get id() {
      return seal.id;
    },
  };
}
