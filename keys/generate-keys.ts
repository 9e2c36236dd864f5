/**
 * Generates a key pair, RSA or Ed25519: the private key as PKCS#8, the public key as SubjectPublicKeyInfo, both as PEM.
 */
import { generateKeyPair as generate } from "node:crypto";
import { promisify } from "node:util";
import { fingerprint } from "./fingerprint.js";
import { encodePem } from "./pem.js";

/** The supported types. The first is the default, because version 1 supports no other. */
export const KEY_TYPES = ["rsa", "ed25519"] as const;

export type KeyType = (typeof KEY_TYPES)[number];

/** The supported sizes of RSA keys in bits. The first is the default; see keygen's help. */
export const KEY_BITS = [2048, 3072, 4096] as const;

export type KeyBits = (typeof KEY_BITS)[number];

export interface KeyPairPem {
  readonly privatePem: string;
  readonly publicPem: string;
  /** The pair's fingerprint; see fingerprint.ts. */
  readonly fingerprint: string;
}

const RSA_EXPONENT = 65537;

/**
 * Generates a new pair. The search for primes (several seconds for 4096 bits) runs on a pool thread.
 * @param options.bits        the size of an RSA key; an Ed25519 key has one size
 * @param options.passphrase  encrypts the private key (AES-256-CBC); at most 1024 bytes, because a longer one could not
 *   be loaded
 */
export async function generateKeyPair(options: {
  type?: KeyType;
  bits: KeyBits;
  passphrase?: string | Buffer | undefined;
}): Promise<KeyPairPem> {
  const { type = "rsa", bits, passphrase } = options;
  const pair =
    type === "ed25519"
      ? await promisify(generate)("ed25519")
      : await promisify(generate)("rsa", { modulusLength: bits, publicExponent: RSA_EXPONENT });

  const cipher = passphrase === undefined ? {} : { cipher: "aes-256-cbc", passphrase };
  return {
    privatePem: encodePem(
      passphrase === undefined ? "PRIVATE KEY" : "ENCRYPTED PRIVATE KEY",
      pair.privateKey.export({ type: "pkcs8", format: "der", ...cipher }),
    ),
    publicPem: encodePem("PUBLIC KEY", pair.publicKey.export({ type: "spki", format: "der" })),
    fingerprint: fingerprint(pair.publicKey),
  };
}
