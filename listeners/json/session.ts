/** What is remembered of a JSON connection: who has logged in. Requests in, answers out; knows nothing of bytes. */
import { isUtf8 } from "node:buffer";
import type { Denial, Guest } from "../../engine/users/guest.js";
import { GuestSender } from "../../engine/users/guest-sender.js";
import { UserCommands, type UserCommandsParts } from "../../engine/users/user-commands.js";
import type { Environment } from "../../net/process/environment.js";
import type { Limits } from "../../options/limits.js";
import { type ByteString, textOfBytes } from "../../protocol/byte-string.js";
import { MalformedJson, NOT_UTF8 } from "../../protocol/json/json-reader.js";
import { type ErrorReply, error, type Reply } from "../../protocol/reply.js";
import { inTurns } from "../../protocol/steps.js";
import { CommandFailure } from "../../store/arguments/errors.js";
import { commands, resolveCommand } from "../../store/command-table.js";
import type { Action, ActionHost, Written } from "./actions/action-host.js";
import { actions } from "./actions/actions.js";
import { isPassedOn, type RefusedRequests } from "./actions/passed-on.js";
import { ERROR_HEAD, failure, faultSentence, type Text, whole, withinStrings } from "./messages/answers.js";
import { coded } from "./messages/error-codes.js";
import { memberFault } from "./messages/members.js";
import { type JsonRequest, readRequest, textOfLine } from "./messages/request.js";
import type { DocumentStore } from "./replicas/document-store.js";
import { REPLICA_ACTION } from "./replicas/fleet-messages.js";
import { ReplicaAnswers, type ReplicaAnswersHost } from "./replicas/replica-answers.js";
import { AnsweredByLeader, type JsonReplicas, type Led } from "./replicas/replicas.js";

export interface JsonSessionHost extends UserCommandsParts {
  readonly environment: Environment;
  /** Servers of the original's kind; null: none. */
  readonly replicas: JsonReplicas | null;
  /** What such servers are sent, and send. */
  readonly store: DocumentStore;
  readonly refused: RefusedRequests;
  /** Of what daemons say to each other. */
  readonly refusedReplicas: RefusedRequests;
  limits: Limits;
}

/** Closes the connection, without an answer. */
export const QUIT = "quit";
/** What browsers send that were led here by a page: what they post would be done, where nobody has to log in. */
const HTTP = /^(?:[A-Z]+ \S+ HTTP\/|Host:)/i;
const NO_REPLICA =
  "NOPERM --json-replica: the user that daemons without a login are may not read and write all documents.";
const NOT_PERMITTED = error("NOPERM this user has no permissions for this action or document.");
/** Commands that write documents, as who may do all of them to all documents would call them. */
const WRITES = commands
  .filter(({ group, writes }) => group === "document" && writes)
  .map((command) => {
    const words: readonly ByteString[] = command.name.split("|");
    const blanks = Array<ByteString>(Math.abs(command.arity) - words.length).fill("");
    return { command, argv: [...words, ...blanks] };
  });
/** Milliseconds that a request of another server waits for this daemon to be ready. */
const PASSED_ON_WAIT_MS = 500;
const OUT_OF_MEMORY = error("OOM No memory is left for more data.");

export class JsonSession implements ActionHost {
  readonly #host: JsonSessionHost;
  readonly #guest: Guest;
  readonly #commands: UserCommands;
  readonly #sender: GuestSender;
  /** Whether errors are told with codes, which the client has asked for. */
  #hasCodes = false;
  /** Of the request that is served. */
  #action: string | undefined;
  #isGone = false;
  /** null: no other daemon has asked for anything. */
  #answers: ReplicaAnswers | null = null;

  constructor(host: JsonSessionHost) {
    this.#host = host;
    this.#commands = new UserCommands(host, denied);
    this.#guest = this.#commands.guest;
    this.#sender = new GuestSender(this.#guest, host.environment);
  }

  get ids(): ActionHost["ids"] {
    const { records, carries } = this.#host.path;
    if (!records) return "moving";
    return carries ? "long" : "counted";
  }

  /** Whether nobody has logged in who has to. */
  get isStranger(): boolean {
    return this.#guest.user === null;
  }

  /** Nobody is there any more whom long answers would reach: clients that ask and go would have them made side by side. */
  leave(): void {
    this.#isGone = true;
  }

  /** @param line  without blanks around it @returns the answer; null: the connection is to be closed */
  serve(line: Buffer): Text | Promise<Text> | null {
    this.#action = undefined;
    const answer = this.#answerTo(line);
    if (!this.#hasCodes || answer === null) return answer;
    const action = this.#action;
    return answer instanceof Promise
      ? answer.then((settled) => coded(settled, action))
      : coded(answer, action);
  }

  #answerTo(line: Buffer): Text | Promise<Text> | null {
    const text = textOfLine(line, isUtf8);
    if (text === QUIT) return null;
    this.#guest.renew();
    let request: JsonRequest;
    try {
      request = readRequest(text);
    } catch (problem) {
      if (!(problem instanceof MalformedJson)) throw problem;
      if (HTTP.test(text)) return null;
      const shown = text.endsWith(NOT_UTF8) ? line.toString("utf8") : text;
      return failure(faultSentence(problem.fault, shown));
    }
    const { action } = request;
    this.#action = action;
    if (request.isOn("codes")) this.#hasCodes = true;
    if (action === undefined) return failure("No action key provided.");
    const run = actions.get(action);
    if (run === undefined) return failure(`The action '${action}' provided is not valid.`);
    if (this.isStranger && action !== "auth") return failure("Authentication required.");
    const serve = () => this.#run(action, run, request);
    return this.#isServed(action, request)
      ? serve()
      : this.#whenServed(request).then((late) => late ?? serve());
  }

  #run(action: string, run: Action, request: JsonRequest): Text | Promise<Text> {
    const fault = action === REPLICA_ACTION ? null : memberFault(action, request);
    if (fault !== null) return failure(fault);
    const answer = withinStrings(() => run(this, request));
    if (typeof answer === "string" && answer.startsWith(ERROR_HEAD) && isPassedOn(this, request))
      this.#host.refused.note({ action, document: textOfBytes(request.document ?? "") }, answer);
    return answer instanceof Promise && this.#host.replicas !== null ? answer.catch(answerOfLeader) : answer;
  }

  /**
   * Whether the servers of --json-replica have given their documents, or the action needs none. An original asks for all documents at its start,
   * in these words, and gets those that are here.
   */
  #isServed(action: string, request: JsonRequest): boolean {
    const { replicas } = this.#host;
    if (replicas === null || replicas.isReady || action === "auth" || action === REPLICA_ACTION) return true;
    // By the answer to the second one daemons are told from originals.
    return (
      request.document === undefined &&
      (action === "getall" ? request.isOff("replicate") : action === "listindexes")
    );
  }

  /** Waits until the daemon is ready, for as long as a server may be silent. @returns an error's answer if it is not; null: it is */
  async #whenServed(request: JsonRequest): Promise<string | null> {
    const replicas = this.#host.replicas as JsonReplicas;
    const isPassed = request.isOff("replicate");
    // An original that passes a write on serves nothing else until it is answered: the fetch waits for it too.
    if (await replicas.whenReady(isPassed ? PASSED_ON_WAIT_MS : undefined)) return null;
    if (isPassed) replicas.noteRefused();
    return failure(replicas.notReady);
  }

  /** What another daemon asks for, which takes the place of a client without limits. */
  replica(request: JsonRequest): string | Promise<string> {
    const { path } = this.#host;
    if (path.records) return failure(`The action '${REPLICA_ACTION}' provided is not valid.`);
    const isDenied = WRITES.some(({ command, argv }) => this.#guest.refusal(command, argv) !== null);
    if (!this.#guest.readsAll || isDenied) return failure(NO_REPLICA);
    this.#answers ??= new ReplicaAnswers(this.#replicaHost());
    return this.#answers.to(request);
  }

  /** Of a document that another daemon gives in parts. */
  get heldBytes(): number {
    return this.#answers?.heldBytes ?? 0;
  }

  inTurns<A>(work: Iterator<void, A>): A | Promise<A> {
    const clock = { uptime: this.#host.environment.uptime, soon: setImmediate };
    return inTurns(work, clock, { isWanted: () => !this.#isGone });
  }

  read(argv: readonly ByteString[]): Reply | Promise<Reply> {
    return this.#commands.run(argv, this.#sender);
  }

  write(argv: readonly ByteString[], request: JsonRequest): Written | Promise<Written> {
    const called = this.#commands.permitted(argv);
    if ("kind" in called) return { reply: called, replicated: null };
    const { path, replicas } = this.#host;
    const isLocal = request.isOff("replicate");
    if (replicas !== null && !isLocal)
      return replicas.fleet.leads
        ? writtenOf(replicas.lead(argv, request))
        : replicas.follow(argv, request).then(writtenOf);
    let replicated: boolean | null = isLocal || path.others !== null ? false : null;
    const waits = !isLocal && path.others !== null && path.others > 0;
    const sender = waits ? this.#sender.awaiting((came) => (replicated = came)) : this.#sender;
    const reply = path.execute(called.command, argv, sender);
    return reply instanceof Promise
      ? reply.then((settled) => ({ reply: settled, replicated }))
      : { reply, replicated };
  }

  logIn(name: ByteString, password: ByteString): boolean {
    return this.#guest.logIn(name, password);
  }

  #replicaHost(): ReplicaAnswersHost {
    const host = this.#host;
    const { store, replicas, refusedReplicas } = host;
    const guest = this.#guest;
    return {
      store,
      replicas,
      get isFull() {
        return guest.lacksMemory(true);
      },
      get maxBytes() {
        return host.limits.maxOutputBytes;
      },
      refusal(argv) {
        const command = resolveCommand(argv);
        if (command instanceof CommandFailure) return command.reply;
        return guest.refusal(command, argv) === null ? null : NOT_PERMITTED;
      },
      refused: (does, answer) => refusedReplicas.note({ does }, answer),
      serve: (request, from) => {
        const run = actions.get(request.action ?? "");
        if (run === undefined) return failure(`The action '${request.action}' provided is not valid.`);
        const write = (argv: readonly ByteString[]): Written => {
          const called = this.#commands.permitted(argv);
          if ("kind" in called) return { reply: called, replicated: null };
          const { reply, forwarded } = (replicas as JsonReplicas).lead(argv, request, from);
          return { reply, replicated: forwarded === null ? null : true };
        };
        const actionHost: ActionHost = {
          ids: this.ids,
          read: (argv) => this.read(argv),
          write,
          inTurns: (work) => this.inTurns(work),
          logIn: () => false,
          replica: () => failure(`The action '${REPLICA_ACTION}' provided is not valid.`),
        };
        const answer = withinStrings(() => run(actionHost, request));
        return answer instanceof Promise ? answer.then(whole) : whole(answer);
      },
    };
  }
}

const denied = (denial: Denial): ErrorReply => (denial === "no-memory" ? OUT_OF_MEMORY : NOT_PERMITTED);

/** @throws the problem, if it is another */
function answerOfLeader(problem: unknown): string {
  if (problem instanceof AnsweredByLeader) return problem.answer;
  throw problem;
}

function writtenOf({ reply, forwarded }: Led): Written | Promise<Written> {
  return forwarded === null
    ? { reply, replicated: null }
    : forwarded.then((replicated) => ({ reply, replicated }));
}
