/** What an RSA signature holds behind its padding: DER of a DigestInfo (RFC 8017, 9.2, note 1). */
import type { ByteString } from "../protocol/byte-string.js";

/** Of SHA-256, up to the digest. */
const START = Buffer.from("3031300d060960864801650304020105000420", "hex").toString("latin1");

/** @param digest  SHA-256, 32 bytes */
export const digestInfo = (digest: ByteString): ByteString => START + digest;
