/** Making a pair of RSA keys: the private one as PKCS#8, the public one as SubjectPublicKeyInfo, both PEM. */
import { generateKeyPair as generate } from "node:crypto";
import { promisify } from "node:util";
import { fingerprint } from "./fingerprint.js";
import { encodePem } from "./pem.js";

/** Sizes on offer, in bits. The first is the default: see keygen's help. */
export const KEY_BITS = [2048, 3072, 4096] as const;

export type KeyBits = (typeof KEY_BITS)[number];

export interface KeyPairPem {
  readonly privatePem: string;
  readonly publicPem: string;
  /** Of both; see fingerprint.ts. */
  readonly fingerprint: string;
}

const RSA_EXPONENT = 65537;

/**
 * A new pair. The search for primes (seconds, for 4096 bits) runs on a thread of the pool.
 * @param options.passphrase  encrypts the private key (AES-256-CBC); at most 1024 bytes, for loading it
 */
export async function generateKeyPair(options: {
  bits: KeyBits;
  passphrase?: string | Buffer | undefined;
}): Promise<KeyPairPem> {
  const { bits, passphrase } = options;
  const pair = await promisify(generate)("rsa", { modulusLength: bits, publicExponent: RSA_EXPONENT });
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
