/** The listener of --memcached. */

import { type Closing, closing, isTextByte } from "../../daemon/net/connections/dialect.js";
import { type ForeignClient, foreignClient } from "../../daemon/net/connections/foreign-client.js";
import {
  SessionDialect,
  UserListener,
  type UserListenerParts,
  type UserSocketHost,
} from "../users/user-listener.js";
import { MemcachedParser, type MemcachedRequest } from "./bytes/memcached-requests.js";
import { KeyQueues } from "./key-queues.js";
import { DelayedFlush, itemBytesMax, MemcachedSession } from "./memcached-session.js";

const MEMCACHED_LISTENER = "memcached";
/** The maximum length of an item before a login, in bytes; a login fits into it. */
const LOGIN_ITEM_BYTES_MAX = 2048;
const BINARY_REQUEST = 0x80;
const REFUSALS = /^(?:ERROR|CLIENT_ERROR|SERVER_ERROR)/;

export class MemcachedListener extends UserListener<MemcachedRequest, MemcachedServer> {
  constructor(parts: UserListenerParts) {
    super(parts, {
      name: MEMCACHED_LISTENER,
      fullText: "ERROR Too many open connections\r\n",
      makeServer: (host) => ({
        host,
        delayedFlush: new DelayedFlush(host.environment),
        queues: new KeyQueues(),
      }),
      makeDialect: (server) => new MemcachedDialect(server),
    });
  }

  override stop(): Promise<void> {
    this.server.delayedFlush.cancel();
    return super.stop();
  }
}

/** What all connections share. */
interface MemcachedServer {
  readonly host: UserSocketHost;
  readonly delayedFlush: DelayedFlush;
  readonly queues: KeyQueues;
}

/** The dialect of memcached's text protocol: one request after the other, which the session executes. */
class MemcachedDialect extends SessionDialect<MemcachedRequest> {
  readonly listener = MEMCACHED_LISTENER;
  protected readonly parser = new MemcachedParser(0);
  readonly #host: UserSocketHost;

  constructor({ host, delayedFlush, queues }: MemcachedServer) {
    super(host, new MemcachedSession(host, delayedFlush, queues));
    this.#host = host;
  }

  override foreignClient(chunk: Buffer): ForeignClient | null {
    return foreignClient(chunk, "memcached");
  }

  /** Also accepts the first byte of memcached's binary protocol, which is not text. */
  override isFirstByte(byte: number): boolean {
    return isTextByte(byte) || byte === BINARY_REQUEST;
  }

  override next(pending: number): MemcachedRequest | null {
    this.parser.maxItemBytes = this.needsLogin ? LOGIN_ITEM_BYTES_MAX : itemBytesMax(this.#host.limits);
    return super.next(pending);
  }

  bytesOf(request: MemcachedRequest): number {
    return request.kind === "store" ? request.data.length : 0;
  }

  problem(): Closing | null {
    if (this.parser.isBinary) return closing("malformed", "the binary protocol", "ERROR\r\n");
    if (!this.parser.isTooLong) return null;
    return closing("malformed", "a line that is longer than any request", "CLIENT_ERROR line too long\r\n");
  }

  protected written(answer: string): string {
    return answer;
  }

  protected isError(answer: string): boolean {
    return REFUSALS.test(answer);
  }
}
