/** What is remembered of a JSON connection: who has logged in. Requests in, answers out; knows nothing of bytes. */

import { isUtf8 } from "node:buffer";
import type { Denial, Guest } from "../../engine/users/guest.js";
import { GuestSender } from "../../engine/users/guest-sender.js";
import { UserCommands } from "../../engine/users/user-commands.js";
import type { ClientDoing } from "../../net/connections/dialect.js";
import { type ByteString, textOfBytes } from "../../protocol/byte-string.js";
import { MalformedJson, NOT_UTF8 } from "../../protocol/json/json-reader.js";
import { type ErrorReply, error, type Reply } from "../../protocol/reply.js";
import { inTurns } from "../../protocol/steps.js";
import type { UserSocketHost } from "../user-listener.js";
import type { Action, ActionHost, Written } from "./actions/action-host.js";
import { actions } from "./actions/actions.js";
import { isPassedOn, type RefusedRequests } from "./actions/passed-on.js";
import {
  ERROR_HEAD,
  failure,
  faultSentence,
  type Member,
  type Text,
  withinStrings,
} from "./messages/answers.js";
import { coded } from "./messages/error-codes.js";
import { memberFault } from "./messages/members.js";
import { type JsonRequest, readRequest, textOfLine } from "./messages/request.js";
import type { PieceOutput } from "./piece-output.js";
import { PROBE_ACTION } from "./replicas/replica-connection.js";
import type { JsonReplicas } from "./replicas/replicas.js";

export interface JsonHost extends UserSocketHost {
  /** Original servers that are sent the writes; null: none. */
  readonly replicas: JsonReplicas | null;
  readonly refused: RefusedRequests;
  readonly output: PieceOutput;
}

/** Closes the connection, without an answer. */
export const QUIT = "quit";
/** What browsers send that were led here by a page: what they post would be done, where nobody has to log in. */
const HTTP = /^(?:[A-Z]+ \S+ HTTP\/|Host:)/i;
const NOT_PERMITTED = error("NOPERM this user has no permissions for this action or document.");
/** Milliseconds that a request of another server waits for this daemon to be ready. */
const PASSED_ON_WAIT_MS = 500;
/** An original goes through this member of an answer to `getall`, which it does not expect to be an error. */
const NO_DOCUMENTS: Member = ["documents", "[]"];
const OUT_OF_MEMORY = error("OOM No memory is left for more data.");

export class JsonSession implements ActionHost {
  readonly #host: JsonHost;
  readonly #guest: Guest;
  readonly #commands: UserCommands;
  readonly #sender: GuestSender;
  /** Whether errors are told with codes, which the client has asked for. */
  #hasCodes = false;
  /** Of the request that is served. */
  #action: string | undefined;
  #isGone = false;

  constructor(host: JsonHost) {
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

  get doing(): ClientDoing {
    return this.#commands.doing;
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
    if (action === PROBE_ACTION && request.id !== undefined) this.#host.replicas?.recognize(request.id);
    if (run === undefined) return failure(`The action '${action}' provided is not valid.`);
    if (this.isStranger && action !== "auth") return failure("Authentication required.");
    const serve = () => this.#run(action, run, request);
    return this.#isServed(action, request)
      ? serve()
      : this.#whenServed(action, request).then((late) => late ?? serve());
  }

  #run(action: string, run: Action, request: JsonRequest): Text | Promise<Text> {
    const fault = memberFault(action, request);
    if (fault !== null) return failure(fault);
    const answer = withinStrings(() => run(this, request));
    if (typeof answer === "string" && answer.startsWith(ERROR_HEAD) && isPassedOn(this, request))
      this.#host.refused.note({ action, document: textOfBytes(request.document ?? "") }, answer);
    return answer;
  }

  /** Whether the servers of --json-replica have given their documents, or the action needs none. */
  #isServed(action: string, request: JsonRequest): boolean {
    const { replicas } = this.#host;
    if (replicas === null || replicas.isReady || action === "auth") return true;
    return request.document === undefined && action === PROBE_ACTION;
  }

  /** Waits until the daemon is ready, for as long as a server may be silent. @returns an error's answer if it is not; null: it is */
  async #whenServed(action: string, request: JsonRequest): Promise<string | null> {
    const replicas = this.#host.replicas as JsonReplicas;
    const isPassed = request.isOff("replicate");
    // An original that passes a request on, or asks for all documents at its start, serves nothing else until it is answered: the fetch waits for it too.
    if (await replicas.whenReady(isPassed ? PASSED_ON_WAIT_MS : undefined)) return null;
    if (!isPassed) return failure(replicas.notReady);
    if (action === "getall") return failure(replicas.notReady, NO_DOCUMENTS);
    replicas.noteRefused();
    return failure(replicas.notReady);
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
    if (replicas !== null && !isLocal) {
      const { reply, forwarded } = replicas.write(argv, request);
      return forwarded === null
        ? { reply, replicated: null }
        : forwarded.then((replicated) => ({ reply, replicated }));
    }
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
}

const denied = (denial: Denial): ErrorReply => (denial === "no-memory" ? OUT_OF_MEMORY : NOT_PERMITTED);
