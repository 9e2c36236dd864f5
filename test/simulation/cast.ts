/** The keys of one run. The public keys have the real format; signatures.ts makes their signatures. */
import "../support/installed-families.js";
import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { KeyRing } from "../../daemon/store/key-ring.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { bytesOf } from "../../protocol/byte-string.js";
import type { SeededRandom } from "../support/seeded-random.js";
import { type SimulatedKey, sha256 } from "./signatures.js";

/** The beginning of an Ed25519 key's SubjectPublicKeyInfo. The 32 bytes of the key follow. */
const SPKI_HEAD = "\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";

export function makeKey(random: SeededRandom): SimulatedKey {
  const spki = SPKI_HEAD + randomBytes(random, 32);
  return { id: sha256(spki), spki };
}

export function randomBytes(random: SeededRandom, count: number): ByteString {
  let bytes = "";
  for (let i = 0; i < count; i++) bytes += String.fromCharCode(random.below(256));
  return bytes;
}

/** A daemon's identity. Its envelopes have real signatures. */
export interface SimulatedIdentity extends SimulatedKey {
  readonly key: KeyObject;
}

/** The beginning of an Ed25519 key's PKCS #8 form (RFC 8410). The 32 bytes of the key follow. */
const PKCS8_HEAD = "\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";

export function makeIdentity(random: SeededRandom): SimulatedIdentity {
  const der = Buffer.from(PKCS8_HEAD + randomBytes(random, 32), "latin1");
  const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  const spki = bytesOf(createPublicKey(key).export({ type: "spki", format: "der" }));
  return { id: sha256(spki), spki, key };
}

/** The keys with which a cluster starts. */
export interface Genesis {
  readonly cluster: ByteString;
  readonly applications: readonly SimulatedKey[];
  readonly roots: readonly SimulatedKey[];
  /** The key of clients whose rights no administrator changes; absent: there are none. */
  readonly contender?: SimulatedKey;
}

export function makeGenesis(random: SeededRandom): Genesis {
  const applications = [makeKey(random), ...(random.chance(0.4) ? [makeKey(random)] : [])];
  const roots = random.chance(0.85)
    ? [makeKey(random), ...(random.chance(0.5) ? [makeKey(random)] : [])]
    : [];
  const ids = [...applications, ...roots].map(({ id }) => id).sort();
  return { cluster: sha256(ids.join("")), applications, roots };
}

export function ringOf({ applications, roots, contender }: Genesis): KeyRing {
  const ring = new KeyRing({ hash: sha256 });
  if (contender !== undefined) ring.addGenesis("application", contender.spki);
  for (const { spki } of applications) ring.addGenesis("application", spki);
  for (const { spki } of roots) ring.addGenesis("root", spki);
  return ring;
}

/** Returns the ids of the keys with which a cluster starts. */
export const firstKeys = ({ applications, roots, contender }: Genesis): Set<ByteString> =>
  new Set([...applications, ...roots, ...(contender === undefined ? [] : [contender])].map(({ id }) => id));

/** Returns the first bytes of an id, for the trace. */
export const shortId = (id: ByteString): string =>
  Buffer.from(bytesOf(Buffer.from(id, "latin1"), 0, 4), "latin1").toString("hex");
