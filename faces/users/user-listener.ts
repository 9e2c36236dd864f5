/**
 * A listener whose clients have names and passwords instead of keys, the interface of the daemon for such listeners,
 * and the dialect of their sessions. A `UserProtocol` describes what differs between protocols.
 */
import type { Socket } from "node:net";
import type { NamedDaemon } from "../../daemon/cluster/peers/shared/named-daemon.js";
import type { CommandPath } from "../../daemon/engine/backends/command-path.js";
import type { DurableCopies } from "../../daemon/engine/backends/durable-copies.js";
import type { WorkingMemoryFigures } from "../../daemon/engine/backends/working-memory.js";
import type { Channels } from "../../daemon/engine/channels/channels.js";
import type { InfoFields } from "../../daemon/engine/info/info-text.js";
import type { MemoryLimit } from "../../daemon/engine/memory/memory-limit.js";
import type { SlowLog } from "../../daemon/engine/slow-log/slow-log.js";
import {
  DaemonListener,
  type DaemonListenerParts,
  type DaemonSocketHost,
} from "../../daemon/listener/daemon-listener.js";
import { ClientConnection } from "../../daemon/net/connections/client-connection.js";
import { SharedInput } from "../../daemon/net/connections/client-socket.js";
import { type Answer, type ClientDoing, Dialect } from "../../daemon/net/connections/dialect.js";
import type { LogLevel } from "../../daemon/net/process/log-settings.js";
import type { EvictionPolicy } from "../../daemon/options/eviction-policy.js";
import type { UserListenerName } from "../../daemon/options/option-table.js";
import type { Settings } from "../../daemon/options/settings.js";
import type { DaemonCondition } from "../../protocol/daemon-states.js";
import type { UserCommands } from "./user-commands.js";
import type { Users } from "./users.js";

export interface UserListenerParts
  extends Omit<DaemonListenerParts, "name" | "options" | "fullText" | "connector"> {
  readonly path: CommandPath;
  readonly users: Users;
  readonly daemon: DaemonInterface;
  readonly memory: MemoryLimit;
}

/** The listener as its connections see it. */
export interface UserSocketHost extends DaemonSocketHost {
  readonly path: CommandPath;
  readonly users: Users;
  readonly memory: MemoryLimit;
}

/** @typeParam Server  the state that all connections share */
export interface UserProtocol<Request, Server> {
  /** The name of the listener's option and metrics. */
  readonly name: UserListenerName;
  /** The text that is sent to a client above the connection limit; if empty, nothing is sent. */
  readonly fullText: string;
  /** Creates the state that all connections share. Called once. */
  readonly makeServer: (host: UserSocketHost) => Server;
  /** Creates the dialect of a new connection. */
  readonly makeDialect: (server: Server, connection: ClientConnection<Request>) => Dialect<Request>;
  /** Sets up the socket of a new connection. */
  readonly prepare?: (server: Server, socket: Socket) => void;
}

export class UserListener<Request, Server = UserSocketHost> extends DaemonListener {
  protected readonly server: Server;

  constructor(parts: UserListenerParts, protocol: UserProtocol<Request, Server>) {
    const { path, users, memory } = parts;
    const { name, fullText, makeServer, makeDialect, prepare } = protocol;
    let created!: Server;
    super({
      ...parts,
      name,
      options: { address: `--${name}`, port: `--${name}` },
      fullText,
      connector(host) {
        const extended = Object.assign(host, { path, users, memory });
        const server = makeServer(extended);
        const dialectOf = (connection: ClientConnection<Request>) => makeDialect(server, connection);
        created = server;
        const input = new SharedInput();
        return (accepted) => {
          const socket = input.take(accepted);
          prepare?.(server, socket);
          return new ClientConnection(socket, extended, dialectOf);
        };
      },
    });
    this.server = created;
  }
}

/** The memory limit and memory usage, for CONFIG and INFO. */
interface MemorySettings {
  /** The limit in bytes; 0: no limit. */
  bytes: number;
  policy: EvictionPolicy;
  /** The policies that CONFIG SET accepts. */
  readonly policies: readonly EvictionPolicy[];
  /** The memory in use in bytes, including garbage that V8 has not collected yet. */
  readonly used: number;
  /** The working memory of queries. */
  readonly working: { readonly figures: WorkingMemoryFigures };
  /** The number of keys evicted since the start. */
  readonly evicted: number;
}

/** The interface of the daemon for its listeners, which do not know the daemon's components. */
export interface DaemonInterface {
  readonly settings: Settings;
  readonly memory: MemorySettings;
  readonly channels: Channels;
  /** The slow commands of all listeners. */
  readonly slowLog: SlowLog;
  /** The level of the daemon's log. */
  logLevel: LogLevel;
  /** Writes a client's message to the log. */
  writeLog(level: LogLevel, text: string): void;
  /** The address on which the listener listens. */
  readonly address: string;
  readonly port: number;
  /** The number of connected daemons. */
  readonly members: number;
  /** The fields that the listeners of faces add to INFO replication. */
  readonly replicationFields: InfoFields;
  /** The counter of copies of writes on other daemons, or null if nothing is recorded. */
  readonly copies: DurableCopies | null;
  /** The daemon's state for clients that do not sign, and the reason for it. */
  readonly condition: DaemonCondition;
  /** The daemon that sentinels name, or null if there is neither a timeline nor a listener for users. */
  readonly named: NamedDaemon | null;
  /** Stops the process once its work is finished; null if the process belongs to another program. */
  readonly shutDown: (() => void) | null;
}

interface AnsweringSession<Request, Reply> {
  readonly commands: UserCommands;
  /** Serves a request. @returns the answer, or null if the connection must be closed without one */
  serve(request: Request): Reply | Promise<Reply> | null;
}

/**
 * A dialect whose session handles logins and answers requests, one after the other. The dialect counts the answered
 * requests.
 */
export abstract class SessionDialect<Request, Reply = string> extends Dialect<Request> {
  readonly showsBytes = false;
  isProven = false;
  isClosing = false;
  readonly #host: DaemonSocketHost;
  readonly #session: AnsweringSession<Request, Reply>;

  constructor(host: DaemonSocketHost, session: AnsweringSession<Request, Reply>) {
    super();
    this.#host = host;
    this.#session = session;
  }

  get silenceMaxMs(): number {
    return this.#host.limits.respIdleTimeout;
  }

  override get doing(): ClientDoing {
    return this.#session.commands.doing;
  }

  serve(request: Request): Answer | Promise<Answer> {
    const reply = this.#session.serve(request);
    this.isClosing = reply === null;
    if (reply === null) return "";
    return reply instanceof Promise ? reply.then(this.#answerOf) : this.#answerOf(reply);
  }

  protected get needsLogin(): boolean {
    return this.#session.commands.needsLogin;
  }

  /** Returns the bytes of the session's answer. */
  protected abstract written(reply: Reply): Answer;

  /** Returns whether an answer is an error. */
  protected abstract isError(text: string): boolean;

  readonly #answerOf = (reply: Reply): Answer => {
    this.isProven ||= !this.#session.commands.needsLogin;
    const answer = this.written(reply);
    const isError = typeof answer === "string" && this.isError(answer);
    this.#host.observer.served(this.listener, 1, isError ? 1 : 0);
    return answer;
  };
}
