/**
 * Sessions for several application servers. Each session is a hash whose fields are set separately, so that
 * concurrent requests do not lose each other's changes. The cookie contains `seen` in addition to the id. With it,
 * the next request reads from a daemon that has the writes of the previous one.
 */
import type { Client, CommandInput } from "dbsyncd";

/**
 * The field that is set once, at the beginning. A hash without this field was written by a request that did not
 * know that the session had ended.
 */
const BORN = "born";

export interface Session {
  readonly fields: Readonly<Record<string, string>>;
}

export class Sessions {
  readonly #client: Client;
  readonly #ttlMs: number;

  constructor(client: Client, ttlMs = 1_800_000) {
    this.#client = client;
    this.#ttlMs = ttlMs;
  }

  /** @param id  a new id that cannot be guessed: randomUUID()  @returns `seen` */
  async begin(id: string, fields: Session["fields"]): Promise<string | null> {
    return await this.set(id, { ...fields, [BORN]: new Date().toISOString() });
  }

  /**
   * @param seen  the value that the last request of this session returned, or null if there was none
   * @returns null if the session has ended
   */
  async load(id: string, seen: string | null): Promise<Session | null> {
    const after = seen ?? undefined;
    const pairs = ((await this.#client.call(["HGETALL", keyOf(id)], { after })) ?? []) as string[];
    const fields: Record<string, string> = {};
    for (let i = 0; i < pairs.length; i += 2) fields[String(pairs[i])] = String(pairs[i + 1]);
    return BORN in fields ? { fields } : null;
  }

  /** Sets some fields. If two requests write the same field, the later one counts. @returns `seen` */
  async set(id: string, fields: Session["fields"]): Promise<string | null> {
    return await this.#write(id, ["HSET", keyOf(id), ...Object.entries(fields).flat()]);
  }

  /** Adds to a number in a field. No addition is lost. @returns `seen` */
  async add(id: string, field: string, by: number): Promise<string | null> {
    return await this.#write(id, ["HINCRBY", keyOf(id), field, by]);
  }

  /** Ends a session. No concurrent or later write restores it. @returns `seen` */
  async end(id: string): Promise<string | null> {
    return await this.#write(id, ["DEL", keyOf(id)]);
  }

  async #write(id: string, command: CommandInput): Promise<string | null> {
    await this.#client.multi([command, ["PEXPIRE", keyOf(id), this.#ttlMs]]);
    return this.#client.lastWrite;
  }
}

const keyOf = (id: string) => `session:${id}`;
