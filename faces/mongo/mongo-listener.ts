/** The listener of --mongo. */

import type { DaemonSocketHost } from "../../daemon/listener/daemon-listener.js";
import type { ClientConnection } from "../../daemon/net/connections/client-connection.js";
import { type CloseAnswer, closing } from "../../daemon/net/connections/dialect.js";
import { type ForeignClient, foreignClient } from "../../daemon/net/connections/foreign-client.js";
import { isLoopback } from "../../daemon/net/process/host-and-port.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { SessionDialect } from "../users/session-dialect.js";
import { UserListener, type UserListenerOptions } from "../users/user-listener.js";
import { isErrorMessage } from "./bytes/mongo-answers.js";
import { MESSAGE_BYTES_MAX, type MongoMessage, MongoMessageParser } from "./bytes/mongo-message.js";
import { collectionCommands } from "./commands/collection-commands.js";
import { greetings } from "./commands/greeting-commands.js";
import { logins } from "./commands/login-commands.js";
import { cursorCommands, readCommands } from "./commands/read-commands.js";
import { sessionCommands } from "./commands/session-commands.js";
import { writeCommands } from "./commands/write-commands.js";
import { MongoServer } from "./session/mongo-server.js";
import { type MongoCommand, MongoSession } from "./session/mongo-session.js";

const MONGO_LISTENER = "mongo";
/** The maximum length of a message before a login, in bytes; greetings and logins fit into it. */
const LOGIN_BYTES_MAX = 16 * 1024;

export class MongoListener extends UserListener<MongoMessage, MongoServer> {
  constructor(options: UserListenerOptions) {
    const { daemon, gate } = options;
    super(options, {
      name: MONGO_LISTENER,
      fullText: "",
      makeServer: (host) => new MongoServer(host, daemon),
      makeDialect(server, connection) {
        const isPrivate = gate !== null || isLoopback(connection.address) === true;
        return new MongoDialect(server, connection, isPrivate);
      },
    });
  }

  /** The bytes that connections and cursors hold in memory. */
  override get bufferedBytes(): number {
    return super.bufferedBytes + this.server.cursors.bytes;
  }

  override async stop(): Promise<void> {
    await super.stop();
    this.server.cursors.stop();
  }
}

/** The dialect of the MongoDB wire protocol: one message after the other, which the session executes. */
class MongoDialect extends SessionDialect<MongoMessage> {
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

  problem(): CloseAnswer | null {
    const { fault } = this.parser;
    return fault === null ? null : closing("malformed", fault);
  }

  protected written(answer: ByteString): ByteString {
    return answer;
  }

  protected isError(answer: ByteString): boolean {
    return isErrorMessage(answer);
  }
}

/** All commands of MongoDB clients, as listed in docs/mongo.md. Other commands fail with CommandNotFound. */
export const mongoCommands: readonly MongoCommand[] = [
  ...greetings,
  ...logins,
  ...sessionCommands,
  ...readCommands,
  ...writeCommands,
  ...collectionCommands,
  ...cursorCommands,
];

const mongoCommandsByName: ReadonlyMap<string, MongoCommand> = new Map(
  mongoCommands.flatMap((command) => command.names.map((name) => [name, command] as const)),
);
