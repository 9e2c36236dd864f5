/** The database, user and transport of connections to a Redis server. */
export interface RedisAccess {
  readonly db: number;
  readonly username: string | null;
  readonly password: string | null;
  readonly tls: boolean;
}

/**
 * Decodes the user or the password of an address. Returns null if the address has none.
 * @param shown  the address without the password, for the error
 * @throws RangeError
 */
export function decoded(text: string, shown: string): string | null {
  try {
    return text === "" ? null : decodeURIComponent(text);
  } catch {
    throw new RangeError(`"${shown}": in a user name or a password, write % as %25.`);
  }
}
