/** User and transport of connections to a Redis server. */
export interface RedisAccess {
  readonly db: number;
  readonly username: string | null;
  readonly password: string | null;
  readonly tls: boolean;
}

/**
 * Decodes a user or a password of an address; null: the address has none.
 * @param shown  the address, without the password
 * @throws RangeError
 */
export function decoded(text: string, shown: string): string | null {
  try {
    return text === "" ? null : decodeURIComponent(text);
  } catch {
    throw new RangeError(`"${shown}": a % in a user or a password is written %25.`);
  }
}
