/** The record of one public key in the ring. Records are immutable: a change replaces the record. */
import type { ByteString } from "../../protocol/byte-string.js";
import { bulk, bulks, integer, map, NIL, namesAndValues, type Reply } from "../../protocol/reply.js";
import { hexOf } from "../../protocol/version-2/envelope.js";
import type { Acl } from "./acl.js";
import { type Algorithm, pemOfSpki } from "./spki.js";

/** The purpose of a key; rules say what it may do, and `as` in a header is for daemons alone. */
export type Role = "application" | "root" | "daemon";

export type Validity = "valid" | "revoked" | "not-yet-valid" | "expired";

export interface KeyRecord {
  /** SHA-256 of `spki`, raw. */
  readonly id: ByteString;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: ByteString;
  readonly algorithm: Algorithm;
  /** Bits of the modulus; 256 for Ed25519. */
  readonly bits: number;
  readonly role: Role;
  /** UTF-8. */
  readonly label: ByteString;
  /** Milliseconds since 1970, the first that it is valid at; null: always was. */
  readonly notBefore: number | null;
  /** The last that it is valid at; null: no end. */
  readonly notAfter: number | null;
  /** Date of the unit that revoked it. */
  readonly revokedAt: number | null;
  /** Envelopes a second, 0: no limit. Counts first-hand only. */
  readonly rate: number;
  readonly acl: Acl;
  /** The original rules, one each. */
  readonly rules: readonly ByteString[];
  /** Date of the unit that added it; null: one of genesis. An envelope dated earlier was refused, and stays so. */
  readonly addedAt: number | null;
  /** Key that added it; null: one of genesis. */
  readonly addedBy: ByteString | null;
  /** 1, and one more with each change. */
  readonly version: number;
}

/**
 * Whether a key may sign. A revoked one may not, whatever its envelope's date: an envelope signed earlier has its position
 * before the revocation, where the ring does not yet contain it.
 * @param at  milliseconds since 1970
 */
export function validity({ revokedAt, addedAt, notBefore, notAfter }: KeyRecord, at: number): Validity {
  if (revokedAt !== null) return "revoked";
  if (addedAt !== null && at < addedAt) return "not-yet-valid";
  if (notBefore !== null && at < notBefore) return "not-yet-valid";
  return notAfter !== null && at > notAfter ? "expired" : "valid";
}

/**
 * A record as KEY LIST answers it, names and values: `id` (hexadecimal), `label`, `role`, `algorithm` (rsa, ed25519),
 * `bits`, `state` (as `validity`), `from`, `until`, `revoked` (milliseconds since 1970 or nil), `rate` (0: no limit),
 * `rules` (array), `added-by` (id, nil: genesis), `version`.
 */
export function describe(record: KeyRecord, at: number): Reply {
  return map(fields(record, at));
}

/** The same and the `public-key` as PEM: what KEY INFO answers. */
export function describeFully(record: KeyRecord, at: number): Reply {
  return map([...fields(record, at), bulk("public-key"), bulk(pemOfSpki(record.spki))]);
}

function fields(record: KeyRecord, at: number): Reply[] {
  return namesAndValues({
    id: bulk(hexOf(record.id)),
    label: bulk(record.label),
    role: bulk(record.role),
    algorithm: bulk(record.algorithm),
    bits: integer(record.bits),
    state: bulk(validity(record, at)),
    from: integerOrNil(record.notBefore),
    until: integerOrNil(record.notAfter),
    revoked: integerOrNil(record.revokedAt),
    rate: integer(record.rate),
    rules: bulks(record.rules),
    "added-by": record.addedBy === null ? NIL : bulk(hexOf(record.addedBy)),
    version: integer(record.version),
  });
}

function integerOrNil(value: number | null): Reply {
  return value === null ? NIL : integer(value);
}
