/** Names of keys that are unique among all databases, for maps and sets. */
import type { ByteString } from "../../../protocol/byte-string.js";

/** A key in a database. */
export interface NamedKey {
  readonly db: number;
  readonly key: ByteString;
}

export const mapKeyOf = ({ db, key }: NamedKey): string => `${db} ${key}`;
