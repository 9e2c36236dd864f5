/**
 * The session of a MongoDB client: messages in, messages out. Each message is a command of the table. The session does
 * not handle sockets.
 */
import type { OrderKey } from "../../../daemon/timeline/entries/entry.js";
import { type ByteString, textOfBytes } from "../../../protocol/byte-string.js";
import type { Reply } from "../../../protocol/reply.js";
import { SessionCommandSender, UserCommands } from "../../users/user-commands.js";
import type { DaemonInterface } from "../../users/user-listener.js";
import type { Denial, UserSession } from "../../users/user-session.js";
import type { Users } from "../../users/users.js";
import { boolean, document, element, int32, text } from "../bytes/bson-documents.js";
import { doneAnswer, messageBytes, refusedAnswer } from "../bytes/mongo-answers.js";
import type { MongoMessage } from "../bytes/mongo-message.js";
import { CommandDocument, checkFields, type Fields } from "../messages/command-document.js";
import { failure, failureOf, MongoFailure } from "../messages/failure-codes.js";
import { alternativeTo } from "../store/queries/mongodb-names.js";
import type { MongoServer } from "./mongo-server.js";
import type { ScramLogin } from "./scram.js";

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

const ANSWER_TOO_LONG = failure(
  10334,
  "the answer is longer than this daemon sends (--max-output-bytes): request less. A requested write was carried out",
);

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
    const message = (done: ByteString) => this.#message(request, done);
    return typeof answer === "string" ? message(answer) : answer.then(message);
  }

  /** Returns the message of an answer, or that of an error if it would be longer than --max-output-bytes. */
  #message({ id, kind, isSilent }: MongoMessage, answer: ByteString): ByteString {
    if (isSilent) return "";
    const message = messageBytes(id, kind, answer);
    if (message.length <= this.server.host.limits.maxOutputBytes) return message;
    return messageBytes(id, kind, refusedAnswer(ANSWER_TOO_LONG, kind));
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
  run<Answer>(argv: readonly ByteString[], answered: (reply: Reply) => Answer): Answer | Promise<Answer> {
    const reply = this.commands.run(argv, this.#sender);
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

    const { lastWrite } = this.#sender;
    const before = lastWrite.orderKey;
    const wait = (answer: ByteString) =>
      awaitCopies(concern, lastWrite.orderKey === before ? null : lastWrite.orderKey, answer, (end) => {
        this.#endWait = end;
      });

    const answer = this.run(argv, answered);
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

/** A SCRAM login that is in progress. */
interface Conversation {
  readonly scram: ScramLogin;
  /** Whether the client expects no further exchange after the proofs. */
  readonly skipsLast: boolean;
  readonly isVerified: boolean;
}

/** The user of a connection: none, or a user of --acl-file after a login with a password or by SCRAM. */
class MongoLogin {
  /** Whether the connection is protected from eavesdroppers. */
  readonly isPrivate: boolean;
  /** The SCRAM login in progress, or null if there is none. */
  conversation: Conversation | null = null;
  readonly #userSession: UserSession;
  readonly #users: Users;
  #hasLoggedIn = false;

  constructor(userSession: UserSession, users: Users, isPrivate: boolean) {
    this.#userSession = userSession;
    this.#users = users;
    this.isPrivate = isPrivate;
  }

  /** The user's name, or null if no user has logged in. */
  get name(): ByteString | null {
    return this.#hasLoggedIn ? this.#userSession.name : null;
  }

  logIn(name: ByteString, password: ByteString): boolean {
    const isAccepted = this.#userSession.logIn(name, password);
    this.#hasLoggedIn ||= isAccepted;
    return isAccepted;
  }

  /** Logs in a user whose proof is valid. @returns whether the user exists and is enabled */
  enter(name: ByteString): boolean {
    const user = this.#users.find(name);
    if (user?.isOn !== true) return false;
    this.#userSession.user = user;
    this.#hasLoggedIn = true;
    return true;
  }

  logOut(): void {
    this.conversation = null;
    this.#hasLoggedIn = false;
    this.#userSession.logOut();
  }
}

interface WriteConcern {
  /** The number of other daemons that must have the write. */
  readonly others: number;
  /** The time limit in milliseconds; 0: no limit. */
  readonly timeout: number;
  readonly copies: DaemonInterface["copies"];
}

/** The fields of a write concern; its provenance is ignored. */
const KNOWN: readonly string[] = ["w", "j", "wtimeout", "wtimeoutMS", "fsync", "provenance"];
const MAJORITY = "majority";
const DAEMONS_MAX = 50;

/**
 * Parses write concerns. With `w: 1` the answer is sent when this daemon has the write, as for all other clients.
 * With a higher number the answer waits for other daemons, like WAIT.
 * @throws MongoFailure the command requests something that the daemon does not support
 */
function writeConcernOf(
  command: CommandDocument,
  { copies, settings, members }: DaemonInterface,
): WriteConcern {
  const concern = command.within("writeConcern");
  if (concern === null) return { others: 0, timeout: 0, copies };

  const unknown = concern.members.find(({ name }) => !KNOWN.includes(name));
  if (unknown !== undefined)
    throw failure(40415, `BSON field 'writeConcern.${unknown.name}' is an unknown field.`);
  if ((concern.flag("j") || concern.flag("fsync")) && (settings.data === null || settings.fsync !== "always"))
    throw failure(2, "'j' requires a daemon with --data and --fsync always");
  const timeout = Math.max(0, concern.number("wtimeout") ?? 0);
  return { others: othersOf(concern, copies, Math.max(settings.peers.length, members)), timeout, copies };
}

function othersOf(concern: CommandDocument, copies: DaemonInterface["copies"], peers: number): number {
  const isAlone = copies === null || copies.isAlone;
  if (concern.isText("w")) {
    const word = concern.words("w");
    if (word !== MAJORITY) throw failure(79, `No write concern mode named '${word}' found`);
    // More than half of all daemons, including this one.
    return isAlone ? 0 : Math.floor((peers + 1) / 2);
  }

  const daemons = concern.number("w") ?? 1;
  if (!Number.isInteger(daemons) || daemons < 0 || daemons > DAEMONS_MAX)
    throw failure(9, `w must be a number from 0 to ${DAEMONS_MAX}, or "${MAJORITY}"`);
  if (daemons > 1 && isAlone) throw failure(2, "cannot use 'w' > 1 when a host is not replicated");
  return Math.max(0, daemons - 1);
}

/**
 * Waits for the other daemons.
 * @param orderKey   the order key of the write, or null if nothing was written
 * @param answer  elements of the answer, to which an error is added if the wait times out
 * @param onWait  receives a function that ends the wait early; later calls have no effect
 */
function awaitCopies(
  { others, timeout, copies }: WriteConcern,
  orderKey: OrderKey | null,
  answer: ByteString,
  onWait: (end: () => void) => void,
): ByteString | Promise<ByteString> {
  if (copies === null || orderKey === null || copies.count(orderKey) >= others) return answer;
  return new Promise((resolve) => {
    const end = copies.wait({ orderKey, wanted: others, milliseconds: timeout }, () => {
      resolve(copies.count(orderKey) >= others ? answer : `${answer}${TOO_LATE}`);
    });
    onWait(end);
  });
}

const TOO_LATE = element(
  "writeConcernError",
  document({
    code: int32(64),
    codeName: text("WriteConcernFailed"),
    errmsg: text("waiting for replication timed out"),
    errInfo: document({ wtimeout: boolean(true) }),
  }),
);
