/**
 * Signing version 1's commands: RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017, 8.2), so a text has one signature.
 * Source: test/vectors/php-dbsync/README.md "Signed frame".
 */
import { constants, type KeyObject, sign } from "node:crypto";

/**
 * The signature of a command's text; as long as the key's modulus.
 * @param text  the text with its NUL
 * @param key   a private RSA key from `loadPrivateKey`
 */
export function signCommand(text: Buffer, key: KeyObject): Buffer {
  return sign("sha256", text, { key, padding: constants.RSA_PKCS1_PADDING });
}
