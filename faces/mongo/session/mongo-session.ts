/**
 * The session of a MongoDB client: messages in, messages out. Each message is a command of the table. The session does
 * not handle sockets.
 */

import type { LastWrite } from "../../../daemon/engine/backends/command-path.js";
import { type ByteString, textOfBytes } from "../../../protocol/byte-string.js";
import type { Reply } from "../../../protocol/reply.js";
import { SessionCommandSender } from "../../users/session-command-sender.js";
import { UserCommands } from "../../users/user-commands.js";
import type { Denial, UserSession } from "../../users/user-session.js";
import { doneAnswer, messageBytes, refusedAnswer } from "../bytes/mongo-answers.js";
import type { MongoMessage } from "../bytes/mongo-message.js";
import { CommandDocument } from "../messages/command-document.js";
import { failure, failureOf, MongoFailure } from "../messages/failure-codes.js";
import { checkFields, type Fields } from "../messages/field-checks.js";
import { alternativeTo } from "../store/queries/mongodb-names.js";
import { MongoLogin } from "./login.js";
import type { MongoServer } from "./mongo-server.js";
import { awaitCopies, writeConcernOf } from "./write-concern.js";

/** A command, as a row of the table. */
export interface MongoCommand {
  /** The name as clients write it, and other names of the same command. */
  readonly names: readonly [string, ...string[]];
  readonly group: "connection" | "login" | "documents" | "collections" | "cursors";
  /** The description in docs/mongo.md. */
  readonly summary: string;
  readonly fields: Fields | "any";
  /** Whether the command may be executed before a login. */
  readonly isOpen?: true;
  /** Executes the command. @returns the elements of the answer @throws MongoFailure */
  readonly run: (session: MongoSession, command: CommandDocument) => ByteString | Promise<ByteString>;
}

/** The properties of a connection that its session needs. */
export interface MongoConnection {
  readonly remote: string;
  readonly id: number;
  /** Whether the connection is protected from eavesdroppers. */
  readonly isPrivate: boolean;
}

/** Matches the collection whose queries are greetings. */
const GREETED = /\.\$cmd$/;

export class MongoSession {
  readonly commands: UserCommands;
  readonly server: MongoServer;
  readonly login: MongoLogin;
  /** The client's address and port. */
  readonly remote: string;
  /** The connection's id. */
  readonly id: number;
  readonly #table: ReadonlyMap<string, MongoCommand>;
  readonly #userSession: UserSession;
  readonly #sender: MongoSender;
  /** Ends the wait for other daemons, if an answer is waiting for them. */
  #endWait = () => {};

  /** @param table  all commands by name */
  constructor(
    server: MongoServer,
    table: ReadonlyMap<string, MongoCommand>,
    { remote, id, isPrivate }: MongoConnection,
  ) {
    const { host } = server;
    this.server = server;
    this.#table = table;
    this.commands = new UserCommands(host, denied);
    this.#userSession = this.commands.userSession;
    this.#sender = new MongoSender(this.#userSession, host.environment);
    this.login = new MongoLogin(this.#userSession, host.users, isPrivate);
    [this.remote, this.id] = [remote, id];
  }

  /** Ends a pending wait or query, because the connection is closed. */
  leave(): void {
    this.#sender.isGone = true;
    this.#endWait();
  }

  /** Serves a message. @returns the answer, which is empty for a message without one */
  serve(request: MongoMessage): ByteString | Promise<ByteString> {
    this.#userSession.renew();
    const answer = this.#answer(request);
    const message = (done: ByteString) =>
      request.isSilent ? "" : messageBytes(request.id, request.kind, done);
    return typeof answer === "string" ? message(answer) : answer.then(message);
  }

  /** Checks that the user may run a command of the store now. @throws MongoFailure  the user may not */
  check(argv: readonly ByteString[]): void {
    const called = this.commands.permitted(argv);
    if ("kind" in called) throw failureOf(called);
  }

  /**
   * Runs a command of the store if the user is permitted to.
   * @param answered  creates the answer from a reply that is not an error
   * @throws MongoFailure
   */
  run<Answer>(
    argv: readonly ByteString[],
    answered: (reply: Reply) => Answer,
    sender = this.#sender,
  ): Answer | Promise<Answer> {
    const reply = this.commands.run(argv, sender);
    return reply instanceof Promise ? reply.then((one) => good(one, answered)) : good(reply, answered);
  }

  /** Runs a command that writes. The answer waits as its `writeConcern` requires. @throws MongoFailure */
  write(
    command: CommandDocument,
    argv: readonly ByteString[],
    answered: (reply: Reply) => ByteString,
  ): ByteString | Promise<ByteString> {
    const { daemon } = this.server;
    const concern = writeConcernOf(command, daemon);
    if (concern.others === 0) return this.run(argv, answered);
    const sender = new AwaitedSender(this.#userSession, this.server.host.environment);
    const wait = (answer: ByteString) =>
      awaitCopies(concern, sender.lastWrite.orderKey, answer, (end) => {
        this.#endWait = end;
      });
    const answer = this.run(argv, answered, sender);
    return typeof answer === "string" ? wait(answer) : answer.then(wait);
  }

  #answer(request: MongoMessage): ByteString | Promise<ByteString> {
    const refusal = (problem: unknown) => refusalOf(problem, request);
    try {
      const done = this.#execute(request);
      return typeof done === "string" ? doneAnswer(done) : done.then(doneAnswer).catch(refusal);
    } catch (problem) {
      return refusal(problem);
    }
  }

  #execute({ kind, collection, body, sequences }: MongoMessage): ByteString | Promise<ByteString> {
    const document = new CommandDocument(body, sequences);
    const command = this.#table.get(document.name);
    if (kind === "query" && !(GREETED.test(collection) && command?.names.some(isGreeting)))
      throw failure(59, "OP_QUERY is accepted only for greetings; send commands in OP_MSG");
    if (command === undefined)
      throw failure(59, `no such command: '${textOfBytes(document.name)}'${alternativeTo(document.name)}`);
    if (this.commands.needsLogin && command.isOpen !== true)
      throw failure(13, `Command ${command.names[0]} requires authentication`);
    if (command.fields !== "any") checkFields(document, command.fields);
    return command.run(this, document);
  }
}

/** A MongoDB client as the sender of commands. */
class MongoSender extends SessionCommandSender {
  /** Whether long answers are found in steps, between which other connections are served. */
  readonly takesSteps = true;
  isGone = false;
}

/** The sender of a single write, which stores the write's order key. */
class AwaitedSender extends MongoSender {
  readonly lastWrite: LastWrite = { orderKey: null, unapplied: 0 };
}

const isGreeting = (name: string) => /^(hello|ismaster)$/i.test(name);

function good<Answer>(reply: Reply, answered: (reply: Reply) => Answer): Answer {
  if (reply.kind === "error") throw failureOf(reply);
  return answered(reply);
}

/** @throws  the problem itself, if it is not a MongoFailure */
function refusalOf(problem: unknown, { kind }: MongoMessage): ByteString {
  if (problem instanceof MongoFailure) return refusedAnswer(problem, kind);
  throw problem;
}

/** Throws the failure for a denial. @throws MongoFailure */
function denied(denial: Denial): never {
  throw denial === "no-memory"
    ? failure(146, "not enough memory for more data")
    : failure(13, "not authorized: this user has no permission for this command or collection");
}
