/** As which user, and how, a Redis server is spoken to. */
export interface RedisAccess {
  readonly db: number;
  readonly username: string | null;
  readonly password: string | null;
  readonly tls: boolean;
}
