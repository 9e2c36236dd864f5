/** As which user, and how, a Redis server is spoken to. */
export interface RedisAccess {
  readonly db: number;
  readonly username: string | null;
  readonly password: string | null;
  readonly tls: boolean;
}

/**
 * A user or a password as it stands in an address; null: none does.
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
