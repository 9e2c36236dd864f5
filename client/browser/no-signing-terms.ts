/** Replaces version-2/signing-terms.ts in the bundle: a client in a page always has a key. */
import type { ByteString } from "../../protocol/byte-string.js";
import { type Hello, KNOWS_SIGNED } from "../../protocol/version-2/messages-v2.js";

const KEYLESS = "not-due";
export const isSigning = (): boolean => true;
export const clusterOrNoKey = (cluster: ByteString): ByteString => cluster;
export const finalRefusal = (): null => null;
export const isSigningMismatch = (detail: string): boolean => detail === KEYLESS;
export const disagreement = ({ knows }: Hello): string | null =>
  knows.includes(KNOWS_SIGNED) ? null : KEYLESS;
