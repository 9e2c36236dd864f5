/**
 * The server side of a SCRAM-SHA-256 login. The client proves that it knows the password; the server proves that it has
 * the secret derived from it. An unknown user receives the same answers as a known one.
 * Source: RFC 5802 and 7677.
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { Environment } from "../../../daemon/net/process/clock-and-randomness.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { PASSWORD_ITERATIONS, type PasswordSecret } from "../../users/password-secrets.js";

/** Maximum length of a client's message in bytes; usually it has about 100. */
const MESSAGE_BYTES_MAX = 4096;
const NONCE_BYTES = 24;
/** Matches a first message. It begins with `n,,` or `y,,`, which means that no channel is bound. */
const FIRST = /^([ny],(?:a=[^,]*)?,)(n=([^,]*),r=([!-+\--~]+))(?:,.*)?$/s;
const LAST = /^(c=([^,]+),r=([^,]+)),p=([A-Za-z0-9+/]+=*)$/;
const PROOF_BYTES = 32;

const hmac = (key: Buffer, data: ByteString) => createHmac("sha256", key).update(data, "latin1").digest();
const base64 = (bytes: ByteString) => Buffer.from(bytes, "latin1").toString("base64");

/** The secrets of an unknown user. No proof matches them, but the check takes the same time. */
const UNKNOWN_USER_SECRETS: readonly PasswordSecret[] = [
  { storedKey: Buffer.alloc(32), serverKey: Buffer.alloc(32) },
];

export interface ScramStart {
  /** The user's decoded name in UTF-8. */
  readonly user: ByteString;
  readonly gs2: ByteString;
  /** The part of the message that both sides sign. */
  readonly bare: ByteString;
  readonly nonce: ByteString;
}

/** Parses a client's first message; returns null if it is malformed. */
export function scramStart(message: ByteString): ScramStart | null {
  const [, gs2, bare, name, nonce] = (message.length <= MESSAGE_BYTES_MAX && FIRST.exec(message)) || [];
  if (gs2 === undefined || bare === undefined || name === undefined || nonce === undefined) return null;
  const user = name.replace(/=2C/g, ",").replace(/=3D/g, "=");
  return { user, gs2, bare, nonce };
}

export class ScramLogin {
  readonly user: ByteString;
  /** The server's first message. */
  readonly challenge: ByteString;
  readonly #start: ScramStart;
  readonly #secrets: readonly PasswordSecret[];
  readonly #nonce: ByteString;

  /** @param secrets  derived from the user's passwords; empty if the user does not exist or has no password */
  constructor(
    start: ScramStart,
    salt: ByteString,
    secrets: readonly PasswordSecret[],
    environment: Environment,
  ) {
    this.#start = start;
    this.#secrets = secrets;
    this.user = start.user;
    this.#nonce = `${start.nonce}${base64(environment.randomBytes(NONCE_BYTES))}`;
    this.challenge = `r=${this.#nonce},s=${base64(salt)},i=${PASSWORD_ITERATIONS}`;
  }

  /**
   * Checks the client's proof. @param message  the client's last message @returns the server's last message, or null if
   * the proof is invalid
   */
  finish(message: ByteString): ByteString | null {
    const { gs2, bare } = this.#start;
    const secrets = this.#secrets.length > 0 ? this.#secrets : UNKNOWN_USER_SECRETS;
    const [, unproved, binding, nonce, proof] =
      (message.length <= MESSAGE_BYTES_MAX && LAST.exec(message)) || [];
    if (unproved === undefined || binding !== base64(gs2) || nonce !== this.#nonce) return null;
    const proved = Buffer.from(proof as string, "base64");
    if (proved.length !== PROOF_BYTES) return null;
    const signed = `${bare},${this.challenge},${unproved}`;
    const known = secrets.find(({ storedKey }) => isProofOfPassword(proved, storedKey, signed));
    return known === undefined ? null : `v=${hmac(known.serverKey, signed).toString("base64")}`;
  }
}

function isProofOfPassword(proof: Buffer, storedKey: Buffer, signed: ByteString): boolean {
  const signature = hmac(storedKey, signed);
  const clientKey = Buffer.from(proof.map((byte, at) => byte ^ (signature[at] as number)));
  return timingSafeEqual(createHash("sha256").update(clientKey).digest(), storedKey);
}
