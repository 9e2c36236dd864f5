/** From a batch to the frame that all daemons get: header, bytes to be signed, id, frame. */
import { hash, randomBytes } from "node:crypto";
import { type ByteString, bytesOf } from "../../protocol/byte-string.js";
import { bodyOf, NONCE_BYTES, signedBytes } from "../../protocol/version-2/envelope.js";
import { writeBody } from "../../protocol/version-2/envelope-body.js";
import { commandFrame, type Wait } from "../../protocol/version-2/messages-v2.js";
import type { SignedEnvelope } from "../calls/sending.js";
import type { Batch } from "./batch.js";

/** Nonces are cut from random bytes that are fetched for so many of them at once. */
const NONCES_AT_ONCE = 256;

/** An envelope that wants its signature. */
export interface Draft {
  readonly at: number;
  readonly seq: number;
  readonly cluster: ByteString;
  /** What is signed. */
  readonly bytes: Buffer;
  /** SHA-256 of it, computed when it is asked for. */
  readonly id: ByteString;
}

export function draftOf(
  batch: Batch,
  header: { key: ByteString; cluster: ByteString; at: number; seq: number },
): Draft {
  const commands: ByteString[] = [];
  for (const { bytes } of batch.calls) {
    if (typeof bytes === "string") commands.push(bytes);
    else commands.push(...bytes);
  }
  const { at, seq, cluster, key } = header;
  const body = writeBody({ key, cluster, at, seq, nonce: nonce(), ...batch.options }, commands);
  return new WrittenDraft(at, seq, cluster, signedBytes(body));
}

/** @param wait  what the answer waits for */
export function sealed(draft: Draft, signature: Buffer, wait: Wait | null): SignedEnvelope {
  const { at, seq, cluster, bytes } = draft;
  let id: ByteString | null = null;
  let signed: Draft | null = draft;
  return {
    at,
    seq,
    cluster,
    message: commandFrame(bodyOf(bytes), signature, wait),
    // Where signing did not need it, it is asked for when the frame has been written: the daemons work meanwhile.
    // From then on the bytes that were signed are let go: a daemon that hangs may keep the envelope for long.
    get id() {
      if (signed !== null) id = signed.id;
      signed = null;
      return id as ByteString;
    },
  };
}

class WrittenDraft implements Draft {
  readonly at: number;
  readonly seq: number;
  readonly cluster: ByteString;
  readonly bytes: Buffer;
  #id: ByteString | null = null;

  constructor(at: number, seq: number, cluster: ByteString, bytes: Buffer) {
    this.at = at;
    this.seq = seq;
    this.cluster = cluster;
    this.bytes = bytes;
  }

  get id(): ByteString {
    // "binary" is latin1's older name.
    this.#id ??= hash("sha256", this.bytes, "binary");
    return this.#id;
  }
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
