/** From a batch to the frame that all daemons get: header, bytes to be signed, id, frame. */
import { hash, randomBytes } from "node:crypto";
import { type ByteString, bytesOf } from "../protocol/byte-string.js";
import { NONCE_BYTES, signedBytes, writeBody } from "../protocol/envelope.js";
import { writeFrame } from "../protocol/frame.js";
import { writeCommandMessage } from "../protocol/messages-v2.js";
import type { Batch } from "./batch.js";
import type { SignedEnvelope } from "./sending.js";

/** Nonces are cut from random bytes that are fetched for so many of them at once. */
const NONCES_AT_ONCE = 256;

/** An envelope that wants its signature. */
export interface Draft {
  readonly at: number;
  readonly seq: number;
  readonly cluster: ByteString;
  readonly body: ByteString;
  /** What is signed. */
  readonly bytes: Buffer;
}

export function draftOf(
  batch: Batch,
  header: { key: ByteString; cluster: ByteString; at: number; seq: number },
): Draft {
  const commands = batch.calls.flatMap(({ bytes }) => bytes);
  const body = writeBody({ ...header, nonce: nonce(), ...batch.options }, commands);
  const { at, seq, cluster } = header;
  return { at, seq, cluster, body, bytes: signedBytes(Buffer.from(body, "latin1")) };
}

export function sealed({ at, seq, cluster, body, bytes }: Draft, signature: Buffer): SignedEnvelope {
  const payload = writeCommandMessage(body, bytesOf(signature));
  let id: ByteString | null = null;
  return {
    at,
    seq,
    cluster,
    message: Buffer.from(writeFrame(payload, 2), "latin1"),
    // Asked for when the frame has been written: the daemons work meanwhile. "binary" is latin1's older name.
    get id() {
      id ??= hash("sha256", bytes, "binary");
      return id;
    },
  };
}

let nonces = Buffer.alloc(0);
let nonceStart = 0;

function nonce(): ByteString {
  if (nonceStart === nonces.length) {
    nonces = randomBytes(NONCE_BYTES * NONCES_AT_ONCE);
    nonceStart = 0;
  }
  nonceStart += NONCE_BYTES;
  return bytesOf(nonces, nonceStart - NONCE_BYTES, nonceStart);
}
