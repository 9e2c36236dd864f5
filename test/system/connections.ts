/** Connections of Redis, MongoDB and memcached clients to the daemons of a cluster, opened again after a kill. */
import { Redis } from "ioredis";
import { MongoClient, MongoServerError } from "mongodb";
import { ask } from "../../faces/memcached/test/memcached-lines.js";
import type { ActiveCluster } from "../support/active-cluster.js";
import { RawClient } from "../support/raw-client.js";

const TIMEOUT_MS = 10_000;

/** What became of a call whose daemon may be killed. */
export type Outcome<Answer> =
  | { readonly kind: "answer"; readonly answer: Answer }
  /** The command was not executed. */
  | { readonly kind: "refused"; readonly reason: string }
  /** The daemon may have executed the command. */
  | { readonly kind: "unanswered" };

export class Connections implements AsyncDisposable {
  readonly #cluster: ActiveCluster;
  readonly #redis = new Map<string, Promise<Redis>>();
  readonly #mongo = new Map<number, MongoClient>();

  constructor(cluster: ActiveCluster) {
    this.#cluster = cluster;
  }

  /** Sends a command. @param lane  the connection: a command that blocks holds up its own connection only */
  async call(
    index: number,
    lane: number,
    ...argv: readonly [string, ...string[]]
  ): Promise<Outcome<unknown>> {
    const [name, ...rest] = argv;
    let redis: Redis;
    try {
      redis = await this.redis(index, lane);
    } catch (reason) {
      return { kind: "refused", reason: String(reason) };
    }
    try {
      return { kind: "answer", answer: await redis.call(name, ...rest) };
    } catch (reason) {
      const isReply = reason instanceof Error && reason.name === "ReplyError";
      return isReply ? outcomeOfError(reason.message) : { kind: "unanswered" };
    }
  }

  /** Returns the open connection of a lane to a daemon. */
  async redis(index: number, lane: number): Promise<Redis> {
    const name = `${index} ${lane}`;
    const known = await this.#redis.get(name)?.catch(() => null);
    if (known?.status === "ready") return known;
    const opening = openRedis(this.#cluster.respPort(index));
    this.#redis.set(name, opening);
    return await opening;
  }

  /** Calls a MongoDB driver. */
  async documents<Answer>(
    index: number,
    call: (client: MongoClient) => Promise<Answer>,
  ): Promise<Outcome<Answer>> {
    try {
      return { kind: "answer", answer: await call(this.mongo(index)) };
    } catch (reason) {
      return reason instanceof MongoServerError ? outcomeOfError(reason.message) : { kind: "unanswered" };
    }
  }

  /** Sends requests to a memcached listener, on a connection of its own. */
  async memcached(index: number, requests: string): Promise<Outcome<string>> {
    let client: RawClient;
    try {
      client = await RawClient.open(this.#cluster.memcachedPort(index));
    } catch (reason) {
      return { kind: "refused", reason: String(reason) };
    }

    using open = client;
    try {
      const answer = await ask(open, requests);
      if (!answer.endsWith("\r\n")) return { kind: "unanswered" };
      return answer.startsWith("SERVER_ERROR") ? outcomeOfError(answer) : { kind: "answer", answer };
    } catch {
      return { kind: "unanswered" };
    }
  }

  mongo(index: number): MongoClient {
    const known = this.#mongo.get(index);
    if (known !== undefined) return known;
    const url = `mongodb://127.0.0.1:${this.#cluster.mongoPort(index)}/?directConnection=true`;
    const client = new MongoClient(url, {
      retryWrites: false,
      retryReads: false,
      serverSelectionTimeoutMS: TIMEOUT_MS,
    });
    this.#mongo.set(index, client);
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const opening of this.#redis.values()) (await opening.catch(() => null))?.disconnect();
    for (const client of this.#mongo.values()) await client.close(true);
  }
}

/** Returns what became of a command that a daemon has answered with an error. */
const outcomeOfError = (reason: string): Outcome<never> =>
  reason.includes("MAYBEAPPLIED") ? { kind: "unanswered" } : { kind: "refused", reason };

async function openRedis(port: number): Promise<Redis> {
  const redis = new Redis({
    port,
    protocol: 2,
    lazyConnect: true,
    enableOfflineQueue: false,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
  });
  redis.on("error", () => {});
  await redis.connect();
  return redis;
}
