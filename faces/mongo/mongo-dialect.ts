/** The dialect of the MongoDB wire protocol: one message after the other, which the session executes. */
import type { DaemonSocketHost } from "../../daemon/listener/daemon-listener.js";
import type { ClientConnection } from "../../daemon/net/connections/client-connection.js";
import { type Closing, closing } from "../../daemon/net/connections/dialect.js";
import { type ForeignClient, foreignClient } from "../../daemon/net/connections/foreign-client.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { SessionDialect } from "../users/session-dialect.js";
import { isRefused } from "./bytes/mongo-answers.js";
import { MESSAGE_BYTES_MAX, type MongoMessage, MongoMessageParser } from "./bytes/mongo-message.js";
import { mongoCommandsByName } from "./commands/mongo-commands.js";
import type { MongoServer } from "./session/mongo-server.js";
import { MongoSession } from "./session/mongo-session.js";

export const MONGO_LISTENER = "mongo";
/** The maximum length of a message before a login, in bytes; greetings and logins fit into it. */
const LOGIN_BYTES_MAX = 16 * 1024;

export class MongoDialect extends SessionDialect<MongoMessage> {
  readonly listener = MONGO_LISTENER;
  protected readonly parser = new MongoMessageParser(0);
  readonly #host: DaemonSocketHost;
  readonly #session: MongoSession;

  /** @param isPrivate  whether the connection is protected from eavesdroppers */
  constructor(server: MongoServer, { remote }: ClientConnection<MongoMessage>, isPrivate: boolean) {
    const session = new MongoSession(server, mongoCommandsByName, { remote, id: server.nextId(), isPrivate });
    super(server.host, session);
    this.#host = server.host;
    this.#session = session;
  }

  override foreignClient(chunk: Buffer): ForeignClient | null {
    return foreignClient(chunk, "mongo");
  }

  override next(pending: number): MongoMessage | null {
    const maxBytes = Math.min(this.#host.limits.maxRequestBytes, MESSAGE_BYTES_MAX);
    this.parser.maxBytes = this.needsLogin ? Math.min(maxBytes, LOGIN_BYTES_MAX) : maxBytes;
    return super.next(pending);
  }

  override disconnected(): void {
    this.#session.leave();
  }

  bytesOf({ body, sequences }: MongoMessage): number {
    return sequences.reduce(
      (sum, { documents }) => documents.reduce((bytes, { length }) => bytes + length, sum),
      body.length,
    );
  }

  problem(): Closing | null {
    const { fault } = this.parser;
    return fault === null ? null : closing("malformed", fault);
  }

  protected written(answer: ByteString): ByteString {
    return answer;
  }

  protected isError(answer: ByteString): boolean {
    return isRefused(answer);
  }
}
