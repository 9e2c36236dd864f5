/** memcached's text protocol as its connections see it: one request after the other; what they mean is the session's. */
import { MemcachedParser, type MemcachedRequest } from "../../../protocol/memcached-requests.js";
import { type Closing, closing, Dialect } from "../../../serving/connections/dialect.js";
import type { DaemonSocketHost } from "../daemon-listener.js";
import { MemcachedSession, type MemcachedSessionHost } from "./session.js";

export const MEMCACHED_LISTENER = "memcached";
/** Of an item while nobody has logged in who has to: a login is no longer. */
const STRANGER_ITEM_BYTES_MAX = 2048;
const REFUSALS = /^(?:ERROR|CLIENT_ERROR|SERVER_ERROR)/;

export type MemcachedHost = DaemonSocketHost & MemcachedSessionHost;

export class MemcachedDialect extends Dialect<MemcachedRequest> {
  readonly listener = MEMCACHED_LISTENER;
  isProven = false;
  isClosing = false;
  protected readonly parser = new MemcachedParser(0);
  readonly #host: MemcachedHost;
  readonly #session: MemcachedSession;

  constructor(host: MemcachedHost) {
    super();
    this.#host = host;
    this.#session = new MemcachedSession(host);
  }

  override next(pending: number): MemcachedRequest | null {
    const { maxRequestBytes } = this.#host.limits;
    this.parser.maxItemBytes = this.#session.isStranger ? STRANGER_ITEM_BYTES_MAX : maxRequestBytes;
    return super.next(pending);
  }

  get silenceMost(): number {
    return this.#host.limits.respIdleTimeout;
  }

  bytesOf(request: MemcachedRequest): number {
    return request.kind === "store" ? request.data.length : 0;
  }

  serve(request: MemcachedRequest): string | Promise<string> {
    const answer = this.#session.serve(request);
    this.isClosing = answer === null;
    if (answer === null) return "";
    return answer instanceof Promise ? answer.then(this.#told) : this.#told(answer);
  }

  problem(): Closing | null {
    if (!this.parser.isTooLong) return null;
    return closing("malformed", "a line longer than any request's", "CLIENT_ERROR line too long\r\n");
  }

  readonly #told = (answer: string): string => {
    this.isProven ||= !this.#session.isStranger;
    this.#host.observer.served(MEMCACHED_LISTENER, 1, REFUSALS.test(answer) ? 1 : 0);
    return answer;
  };
}
