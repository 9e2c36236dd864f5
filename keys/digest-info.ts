/** What an RSA signature holds behind its padding: DER of a DigestInfo (RFC 8017, 9.2, note 1). */

/** Of SHA-256, up to the digest. */
const START = Buffer.from("3031300d060960864801650304020105000420", "hex").toString("latin1");

/** @param digest  SHA-256, its 32 bytes as latin1 characters; so is what is returned */
export const digestInfo = (digest: string): string => START + digest;
