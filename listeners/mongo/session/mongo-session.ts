/**
 * The session of a MongoDB client: messages in, messages out, each a command of the table. It knows nothing of
 * sockets.
 */

import { foundInTurns } from "../../../engine/backends/steps-in-turns.js";
import type { LastWrite } from "../../../engine/users/command-path.js";
import { SessionSender } from "../../../engine/users/session-sender.js";
import { UserCommands } from "../../../engine/users/user-commands.js";
import type { Denial, UserSession } from "../../../engine/users/user-session.js";
import { type ByteString, textOfBytes } from "../../../protocol/byte-string.js";
import { doneAnswer, refusedAnswer, written } from "../../../protocol/mongo/answers.js";
import type { MongoMessage } from "../../../protocol/mongo/message.js";
import type { Reply } from "../../../protocol/reply.js";
import { CommandDocument } from "../messages/command-document.js";
import { failure, failureOf, MongoFailure } from "../messages/failure.js";
import { checkFields, type Fields } from "../messages/fields.js";
import { MongoLogin } from "./login.js";
import type { MongoServer } from "./mongo-server.js";
import { waited, writeConcernOf } from "./write-concern.js";

/** A command: a row of the table. */
export interface MongoCommand {
  /** The name as clients write it, and other names of the same command. */
  readonly names: readonly [string, ...string[]];
  readonly group: "connection" | "login" | "documents" | "collections" | "cursors";
  /** The sentence for docs/mongo.md. */
  readonly summary: string;
  readonly fields: Fields | "any";
  /** Whether it is carried out before a login. */
  readonly isOpen?: true;
  /** Carries out the command. @returns the elements of the answer. @throws MongoFailure */
  readonly run: (session: MongoSession, command: CommandDocument) => ByteString | Promise<ByteString>;
}

/** A connection, as its session sees it. */
export interface MongoConnection {
  readonly remote: string;
  readonly id: number;
  /** Whether the connection is safe from eavesdroppers. */
  readonly isPrivate: boolean;
}

/** Matches the collection whose queries are greetings. */
const GREETED = /\.\$cmd$/;

export class MongoSession {
  readonly commands: UserCommands;
  readonly server: MongoServer;
  readonly login: MongoLogin;
  /** Address and port of the client. */
  readonly remote: string;
  /** The connection's id. */
  readonly id: number;
  readonly #table: ReadonlyMap<string, MongoCommand>;
  readonly #guest: UserSession;
  readonly #sender: MongoSender;
  /** Ends the wait for other daemons, if an answer waits for them. */
  #endWait = () => {};

  /** @param table  all commands, by their names */
  constructor(
    server: MongoServer,
    table: ReadonlyMap<string, MongoCommand>,
    { remote, id, isPrivate }: MongoConnection,
  ) {
    const { host } = server;
    this.server = server;
    this.#table = table;
    this.commands = new UserCommands(host, denied);
    this.#guest = this.commands.guest;
    this.#sender = new MongoSender(this.#guest, host.environment);
    this.login = new MongoLogin(this.#guest, host.users, isPrivate);
    [this.remote, this.id] = [remote, id];
  }

  /** Ends what waits: the connection is closed. */
  leave(): void {
    this.#endWait();
  }

  /** Serves a message. @returns the answer, "" for a message without one */
  serve(request: MongoMessage): ByteString | Promise<ByteString> {
    this.#guest.renew();
    const answer = this.#answer(request);
    const message = (done: ByteString) => (request.isSilent ? "" : written(request.id, request.kind, done));
    return typeof answer === "string" ? message(answer) : answer.then(message);
  }

  /** Checks that the user may run a command of the store now. @throws MongoFailure  the user may not */
  check(argv: readonly ByteString[]): void {
    const called = this.commands.permitted(argv);
    if ("kind" in called) throw failureOf(called);
  }

  /**
   * Runs a command of the store, if the user may.
   * @param answered  makes the answer of a reply that is no error
   * @throws MongoFailure
   */
  run<Answer>(
    argv: readonly ByteString[],
    answered: (reply: Reply) => Answer,
    sender = this.#sender,
  ): Answer | Promise<Answer> {
    const { uptime } = this.server.host.environment;
    const sent = this.commands.run(argv, sender);
    const reply =
      sent instanceof Promise ? sent.then((one) => foundInTurns(one, uptime)) : foundInTurns(sent, uptime);
    return reply instanceof Promise ? reply.then((one) => good(one, answered)) : good(reply, answered);
  }

  /** Runs a command that writes; the answer waits as its `writeConcern` requires. */
  write(
    command: CommandDocument,
    argv: readonly ByteString[],
    answered: (reply: Reply) => ByteString,
  ): ByteString | Promise<ByteString> {
    const concern = writeConcernOf(command, this.server.daemon);
    if (concern.others === 0) return this.run(argv, answered);
    const sender = new AwaitedSender(this.#guest, this.server.host.environment);
    const wait = (answer: ByteString) =>
      waited(concern, sender.lastWrite.place, answer, (end) => {
        this.#endWait = end;
      });
    const answer = this.run(argv, answered, sender);
    return typeof answer === "string" ? wait(answer) : answer.then(wait);
  }

  #answer(request: MongoMessage): ByteString | Promise<ByteString> {
    const refusal = (problem: unknown) => refusalOf(problem, request);
    try {
      const done = this.#carriedOut(request);
      return typeof done === "string" ? doneAnswer(done) : done.then(doneAnswer).catch(refusal);
    } catch (problem) {
      return refusal(problem);
    }
  }

  #carriedOut({ kind, collection, body, sequences }: MongoMessage): ByteString | Promise<ByteString> {
    const document = new CommandDocument(body, sequences);
    const command = this.#table.get(document.name);
    if (kind === "query" && !(GREETED.test(collection) && command?.names.some(isGreeting)))
      throw failure(59, "OP_QUERY is taken to greet; commands come in OP_MSG");
    if (command === undefined) throw failure(59, `no such command: '${textOfBytes(document.name)}'`);
    if (this.commands.needsLogin && command.isOpen !== true)
      throw failure(13, `Command ${command.names[0]} requires authentication`);
    if (command.fields !== "any") checkFields(document, command.fields);
    return command.run(this, document);
  }
}

/** A MongoDB client as the sender of commands. */
class MongoSender extends SessionSender {
  /** Finds long answers in steps, between which other connections are served. */
  readonly takesSteps = true;
}

/** The sender of one write, whose place in the log is asked for afterwards. */
class AwaitedSender extends MongoSender {
  readonly lastWrite: LastWrite = { place: null };
}

const isGreeting = (name: string) => /^(hello|ismaster)$/i.test(name);

function good<Answer>(reply: Reply, answered: (reply: Reply) => Answer): Answer {
  if (reply.kind === "error") throw failureOf(reply);
  return answered(reply);
}

/** @throws  the problem, if it is no MongoFailure */
function refusalOf(problem: unknown, { kind }: MongoMessage): ByteString {
  if (problem instanceof MongoFailure) return refusedAnswer(problem, kind);
  throw problem;
}

/** Throws the failure for a denial. @throws MongoFailure */
function denied(denial: Denial): never {
  throw denial === "no-memory"
    ? failure(146, "no memory is left for more data")
    : failure(13, "not authorized: this user has no permission for this command or collection");
}
