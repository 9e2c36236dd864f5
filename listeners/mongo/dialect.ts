/** The MongoDB wire protocol as its connections see it: one message after the other; what they mean is the session's. */

import type { ClientConnection } from "../../net/connections/client-connection.js";
import { type Closing, closing } from "../../net/connections/dialect.js";
import { type ForeignClient, foreignClient } from "../../net/connections/foreign-client.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { isRefused } from "../../protocol/mongo/answers.js";
import type { MongoMessage } from "../../protocol/mongo/message.js";
import { MESSAGE_BYTES_MAX } from "../../protocol/mongo/message.js";
import { MongoMessageParser } from "../../protocol/mongo/message-parser.js";
import type { DaemonSocketHost } from "../daemon-listener.js";
import { SessionDialect } from "../session-dialect.js";
import { MongoSession, type MongoSessionHost } from "./session/session.js";

export const MONGO_LISTENER = "mongo";
/** While nobody has logged in who has to: greetings and logins are no longer. */
const STRANGER_BYTES_MAX = 16 * 1024;

export type MongoHost = DaemonSocketHost &
  MongoSessionHost & {
    readonly nextId: () => number;
    /** Whether what is said to a client cannot be heard by others. */
    readonly isPrivate: (connection: Pick<ClientConnection<MongoMessage>, "address">) => boolean;
  };

export class MongoDialect extends SessionDialect<MongoMessage> {
  readonly listener = MONGO_LISTENER;
  protected readonly parser = new MongoMessageParser(0);
  readonly #host: MongoHost;
  readonly #session: MongoSession;

  constructor(host: MongoHost, connection: ClientConnection<MongoMessage>) {
    const isPrivate = host.isPrivate(connection);
    const session = new MongoSession(host, { remote: connection.remote, id: host.nextId(), isPrivate });
    super(host, session);
    this.#host = host;
    this.#session = session;
  }

  override foreignClient(chunk: Buffer): ForeignClient | null {
    return foreignClient(chunk, "mongo");
  }

  override next(pending: number): MongoMessage | null {
    const most = Math.min(this.#host.limits.maxRequestBytes, MESSAGE_BYTES_MAX);
    this.parser.maxBytes = this.isStranger ? Math.min(most, STRANGER_BYTES_MAX) : most;
    return super.next(pending);
  }

  override gone(): void {
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
