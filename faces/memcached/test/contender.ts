/** Clients of memcached that write under a condition. */
import { RawClient } from "../../../test/support/raw-client.js";
import {
  type Answer,
  type Contender,
  type FaceTransport,
  type Next,
  NOT_APPLIED,
} from "../../../test/system/contenders.js";
import { ask } from "./memcached-lines.js";

export const transport: FaceTransport = {
  option: "memcached",
  clients: "memcached clients",
  async open(t, port) {
    const raw = await RawClient.open(port);
    t.after(() => raw[Symbol.dispose]());
    return new MemcachedContender("memcached", raw);
  },
};

/** A memcached client of a sidecar or a daemon. Its keys and values have no spaces. */
class MemcachedContender implements Contender {
  readonly name: string;
  readonly #client: RawClient;

  constructor(name: string, client: RawClient) {
    this.name = name;
    this.#client = client;
  }

  async get(key: string): Promise<string | null> {
    return (await this.#read(key))?.value ?? null;
  }

  setAbsent(key: string, value: string, lifetimeMs: number): Promise<Answer> {
    return this.#write(`add ${key} 0 ${lifetimeMs / 1000} ${value.length}\r\n${value}\r\n`);
  }

  async change(key: string, next: Next): Promise<Answer> {
    const read = await this.#read(key);
    const value = await next(read?.value ?? null);
    if (value === undefined) return "refused";
    if (value === null) return await this.#write(`md ${key} C${read?.version}\r\n`);
    const item = `${key} 0 0 ${value.length}`;
    const line = read === null ? `add ${item}` : `cas ${item} ${read.version}`;
    return await this.#write(`${line}\r\n${value}\r\n`);
  }

  async #read(key: string): Promise<{ readonly value: string; readonly version: string } | null> {
    const answer = await ask(this.#client, `gets ${key}\r\n`);
    const [, version, value] = /^VALUE \S+ \d+ \d+ (\d+)\r\n(.*)\r\nEND\r\n$/.exec(answer) ?? [];
    return version === undefined || value === undefined ? null : { version, value };
  }

  async #write(request: string): Promise<Answer> {
    const answer = await ask(this.#client, request);
    if (/^(STORED|HD)\r\n/.test(answer)) return "applied";
    if (/^(NOT_STORED|EXISTS|NOT_FOUND|EX|NF)\r\n/.test(answer)) return "nil";
    return NOT_APPLIED.test(answer.replace(/^SERVER_ERROR /, "")) ? "refused" : "unknown";
  }
}
