/** The record of one public key in the ring. Records are immutable: a change replaces the record. */
import { type ByteString, textOfBytes } from "../../../protocol/byte-string.js";
import { hasControlCharacter } from "../../../protocol/control-characters.js";
import { bulk, bulks, integer, map, NIL, namesAndValues, type Reply } from "../../../protocol/reply.js";
import { hexOf } from "../../../protocol/version-2/envelope.js";
import { custom } from "../arguments/command-errors.js";
import type { Acl } from "./acl.js";
import { type Algorithm, pemOfSpki } from "./spki.js";

/** The purpose of a key. Rules determine what it may do; only daemons may use `as` in a header. */
export type Role = "application" | "root" | "daemon";

export type Validity = "valid" | "revoked" | "not-yet-valid" | "expired";

export interface KeyRecord {
  /** The raw SHA-256 of `spki`. */
  readonly id: ByteString;
  /** The SubjectPublicKeyInfo in DER. */
  readonly spki: ByteString;
  readonly algorithm: Algorithm;
  /** Number of bits of the modulus; 256 for Ed25519. */
  readonly bits: number;
  readonly role: Role;
  /** The label, in UTF-8. */
  readonly label: ByteString;
  /** The first moment at which the key is valid, in milliseconds since 1970; null means no lower limit. */
  readonly notBefore: number | null;
  /** The last moment at which the key is valid; null means no upper limit. */
  readonly notAfter: number | null;
  /** Date of the unit that revoked the key, or null if the key is not revoked. */
  readonly revokedAt: number | null;
  /** Maximum number of envelopes per second; 0 means no limit. Only envelopes sent directly by a client count. */
  readonly rate: number;
  readonly acl: Acl;
  /** The original texts of the rules, one each. */
  readonly rules: readonly ByteString[];
  /**
   * Date of the unit that added the key, or null for a genesis key. Envelopes of the key with an earlier date are
   * rejected.
   */
  readonly addedAt: number | null;
  /** Id of the key that added this key, or null for a genesis key. */
  readonly addedBy: ByteString | null;
  /** The version of the record, which starts with 1 and increases by 1 with each change. */
  readonly version: number;
}

const LABEL_BYTES_MAX = 128;

/** Returns the label of a new key. @throws CommandFailure if it is too long, or does not show what it contains */
export function checkedLabel(label: ByteString): ByteString {
  if (label.length > LABEL_BYTES_MAX)
    throw custom(`ERR the label has ${label.length} bytes, more than ${LABEL_BYTES_MAX}`);
  if (hasControlCharacter(textOfBytes(label)))
    throw custom(
      "ERR a label cannot contain control characters, or characters that are invisible or change the direction of text",
    );
  return label;
}

/**
 * Returns whether a key may sign. A revoked key may not sign, whatever the envelope's date. An envelope whose position
 * in the order is before the revocation is not affected: it is checked with the key's record at that position.
 * @param at milliseconds since 1970
 */
export function validity({ revokedAt, addedAt, notBefore, notAfter }: KeyRecord, at: number): Validity {
  if (revokedAt !== null) return "revoked";
  if (addedAt !== null && at < addedAt) return "not-yet-valid";
  if (notBefore !== null && at < notBefore) return "not-yet-valid";
  return notAfter !== null && at > notAfter ? "expired" : "valid";
}

/**
 * Returns a record in the form of KEY LIST, names and values: `id` (hexadecimal), `label`, `role`, `algorithm` (rsa,
 * ed25519), `bits`, `state` (as `validity`), `from`, `until`, `revoked` (milliseconds since 1970 or nil), `rate` (0: no
 * limit), `rules` (array), `added-by` (id, nil: genesis), `version`.
 */
export function describe(record: KeyRecord, at: number): Reply {
  return map(fields(record, at));
}

/** Returns the same fields and `public-key` as PEM, the reply of KEY INFO. */
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
