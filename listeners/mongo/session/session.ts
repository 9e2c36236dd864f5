/**
 * What a connection of a MongoDB client asks for: a command at a time, of those that the table has. Messages in, messages out; knows
 * nothing of sockets.
 */

import { foundInTurns } from "../../../engine/backends/steps-in-turns.js";
import type { LastWrite } from "../../../engine/users/command-path.js";
import type { Denial, Guest } from "../../../engine/users/guest.js";
import { GuestSender } from "../../../engine/users/guest-sender.js";
import { UserCommands, type UserCommandsParts } from "../../../engine/users/user-commands.js";
import type { ClientDoing } from "../../../net/connections/dialect.js";
import type { Environment } from "../../../net/process/environment.js";
import { type ByteString, textOfBytes } from "../../../protocol/byte-string.js";
import { doneAnswer, refusedAnswer, written } from "../../../protocol/mongo/answers.js";
import type { MongoMessage } from "../../../protocol/mongo/message.js";
import type { Reply } from "../../../protocol/reply.js";
import { CommandDocument } from "../messages/command-document.js";
import { failure, failureOf, MongoFailure } from "../messages/failure.js";
import { checkFields } from "../messages/fields.js";
import type { CommandHost, MongoCommand, MongoServer } from "./command-host.js";
import { GuestLogin } from "./login.js";
import { waited, writeConcernOf } from "./write-concern.js";

export interface MongoSessionHost extends MongoServer, UserCommandsParts {
  /** By their names, all of them. */
  readonly commands: ReadonlyMap<string, MongoCommand>;
}

/** Of the connection. */
export interface MongoConnection {
  readonly remote: string;
  readonly id: number;
  /** Whether what is said there cannot be heard by others. */
  readonly isPrivate: boolean;
}

/** Of the collection whose queries greet. */
const GREETED = /\.\$cmd$/;

export class MongoSession implements CommandHost {
  readonly server: MongoServer;
  readonly login: GuestLogin;
  readonly remote: string;
  readonly id: number;
  readonly #host: MongoSessionHost;
  readonly #guest: Guest;
  readonly #commands: UserCommands;
  readonly #sender: MongoSender;
  /** Of what an answer waits for besides its write. */
  #endWait = () => {};

  constructor(host: MongoSessionHost, { remote, id, isPrivate }: MongoConnection) {
    this.#host = host;
    this.server = host;
    this.#commands = new UserCommands(host, denied);
    this.#guest = this.#commands.guest;
    this.#sender = new MongoSender(this.#guest, host.environment);
    this.login = new GuestLogin(this.#guest, host.users, isPrivate);
    [this.remote, this.id] = [remote, id];
  }

  /** Whether nobody has logged in who has to. */
  get doing(): ClientDoing {
    return this.#commands.doing;
  }

  get isStranger(): boolean {
    return this.#guest.user === null;
  }

  /** Nobody is there any more. */
  leave(): void {
    this.#endWait();
  }

  /** @returns the answer, "" if none is wanted */
  serve(request: MongoMessage): ByteString | Promise<ByteString> {
    this.#guest.renew();
    const answer = this.#answer(request);
    const told = (done: ByteString) => (request.isSilent ? "" : written(request, done));
    return typeof answer === "string" ? told(answer) : answer.then(told);
  }

  check(argv: readonly ByteString[]): void {
    const called = this.#commands.permitted(argv);
    if ("kind" in called) throw failureOf(called);
  }

  run<Answer>(
    argv: readonly ByteString[],
    told: (reply: Reply) => Answer,
    sender = this.#sender,
  ): Answer | Promise<Answer> {
    const { uptime } = this.#host.environment;
    const sent = this.#commands.run(argv, sender);
    const reply =
      sent instanceof Promise ? sent.then((one) => foundInTurns(one, uptime)) : foundInTurns(sent, uptime);
    return reply instanceof Promise ? reply.then((one) => good(one, told)) : good(reply, told);
  }

  write(
    command: CommandDocument,
    argv: readonly ByteString[],
    told: (reply: Reply) => ByteString,
  ): ByteString | Promise<ByteString> {
    const concern = writeConcernOf(command, this.server.daemon);
    if (concern.others === 0) return this.run(argv, told);
    const sender = this.#sender.remembering();
    const wait = (answer: ByteString) =>
      waited(concern, sender.lastWrite.place, answer, (end) => {
        this.#endWait = end;
      });
    const answer = this.run(argv, told, sender);
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
    const command = this.#host.commands.get(document.name);
    if (kind === "query" && !(GREETED.test(collection) && command?.names.some(isGreeting)))
      throw failure(59, "OP_QUERY is taken to greet; commands come in OP_MSG");
    if (command === undefined) throw failure(59, `no such command: '${textOfBytes(document.name)}'`);
    if (this.isStranger && command.isOpen !== true)
      throw failure(13, `Command ${command.names[0]} requires authentication`);
    if (command.fields !== "any") checkFields(document, command.fields);
    return command.run(this, document);
  }
}

/** A MongoDB client as the sender of commands. */
class MongoSender extends GuestSender {
  /** Long answers are found in steps, between which other connections are served. */
  readonly takesSteps = true;
  readonly #parts: readonly [Guest, Pick<Environment, "clock">];

  constructor(guest: Guest, environment: Pick<Environment, "clock">) {
    super(guest, environment);
    this.#parts = [guest, environment];
  }

  /** The same for one command, whose place is asked for afterwards. */
  remembering(): MongoSender & { readonly lastWrite: LastWrite } {
    return Object.assign(new MongoSender(...this.#parts), { lastWrite: { place: null } });
  }
}

const isGreeting = (name: string) => /^(hello|ismaster)$/i.test(name);

function good<Answer>(reply: Reply, told: (reply: Reply) => Answer): Answer {
  if (reply.kind === "error") throw failureOf(reply);
  return told(reply);
}

/** @throws the problem, if it is no failure */
function refusalOf(problem: unknown, { kind }: MongoMessage): ByteString {
  if (problem instanceof MongoFailure) return refusedAnswer(problem, kind);
  throw problem;
}

/** @throws MongoFailure */
function denied(denial: Denial): never {
  throw denial === "no-memory"
    ? failure(146, "no memory is left for more data")
    : failure(13, "not authorized: this user has no permission for this command or collection");
}
