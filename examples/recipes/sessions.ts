/**
 * Sessions for several application servers: a hash each, whose fields are set by themselves, so that requests at the same time lose nothing
 * of each other. `seen` travels in the cookie with the id: the server of the next request asks a daemon that has what the previous one
 * wrote.
 */
import type { Client, CommandInput } from "dbsyncd";

/** Set once. A hash without it was written by a request that did not know yet that the session has ended. */
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

  /** @param id  never given before, and not to be guessed: randomUUID()  @returns `seen` */
  async begin(id: string, fields: Session["fields"]): Promise<string | null> {
    return await this.set(id, { ...fields, [BORN]: new Date().toISOString() });
  }

  /**
   * @param seen  as the last request of this session returned it; null: there was none
   * @returns null: the session has ended
   */
  async load(id: string, seen: string | null): Promise<Session | null> {
    const after = seen ?? undefined;
    const pairs = ((await this.#client.call(["HGETALL", keyOf(id)], { after })) ?? []) as string[];
    const fields: Record<string, string> = {};
    for (let i = 0; i < pairs.length; i += 2) fields[String(pairs[i])] = String(pairs[i + 1]);
    return BORN in fields ? { fields } : null;
  }

  /** Sets some fields; of two writers of the same field the later counts. @returns `seen` */
  async set(id: string, fields: Session["fields"]): Promise<string | null> {
    return await this.#write(id, ["HSET", keyOf(id), ...Object.entries(fields).flat()]);
  }

  /** Adds to a field that is a number; no addition is lost. @returns `seen` */
  async add(id: string, field: string, by: number): Promise<string | null> {
    return await this.#write(id, ["HINCRBY", keyOf(id), field, by]);
  }

  /** Ends a session: nothing that is written at the same time, or later, restores it. @returns `seen` */
  async end(id: string): Promise<string | null> {
    return await this.#write(id, ["DEL", keyOf(id)]);
  }

  async #write(id: string, command: CommandInput): Promise<string | null> {
    await this.#client.multi([command, ["PEXPIRE", keyOf(id), this.#ttlMs]]);
    return this.#client.lastWrite;
  }
}

const keyOf = (id: string) => `session:${id}`;
