/** Encodes the DigestInfo that follows the padding of an RSA signature, as DER (RFC 8017, 9.2, note 1). */

/** The DigestInfo of SHA-256, up to the digest. */
const START = Buffer.from("3031300d060960864801650304020105000420", "hex").toString("latin1");

/** Returns the DigestInfo of a digest. @param digest  SHA-256, 32 bytes as latin1 characters, like the result */
export const digestInfo = (digest: string): string => START + digest;
