/**
 * The beginning of the DigestInfo of SHA-256, which follows the padding of an RSA signature: DER (RFC 8017, 9.2, note
 * 1), as latin1 characters. The digest, 32 bytes, follows it.
 */
export const SHA256_DIGEST_INFO = Buffer.from("3031300d060960864801650304020105000420", "hex").toString(
  "latin1",
);
