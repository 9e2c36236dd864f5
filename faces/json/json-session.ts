import { isUtf8 } from "node:buffer";
import { textOfBytes } from "../../protocol/byte-string.js";
import { MalformedJson, NOT_UTF8 } from "../../protocol/json/json-reader.js";
import type { UserCommands } from "../users/user-commands.js";
import type { UserSocketHost } from "../users/user-listener.js";
import { actions } from "./actions/actions.js";
import { type Action, DocumentClient } from "./actions/document-client.js";
import { isForwardedWrite, type RefusedRequests } from "./actions/forwarded-writes.js";
import {
  ERROR_HEAD,
  errorAnswer,
  faultSentence,
  type JsonMember,
  type Text,
  withErrorCode,
  withinStringLimit,
} from "./messages/json-answers.js";
import { type JsonRequest, readRequest, textOfLine, unknownMember } from "./messages/json-request.js";
import { PROBE_ACTION } from "./replicas/replica-server.js";
import type { JsonReplicas } from "./replicas/replicas.js";

/** The request that closes the connection without an answer. */
const QUIT = "quit";
/**
 * Matches HTTP requests, which a page of another site can make a browser send here. Without this check, a listener
 * without logins would execute their bodies.
 */
const HTTP = /^(?:[A-Z]+ \S+ HTTP\/|Host:)/i;
/** Maximum milliseconds that a forwarded request waits for the daemon to be ready. */
const FORWARDED_WAIT_MS = 500;
/** The member that an original reads in every answer to `getall`, because it does not expect an error. */
const NO_DOCUMENTS: JsonMember = ["documents", "[]"];

/** The session of a JSON connection: requests in, answers out. It does not handle bytes. */
export class JsonSession {
  readonly commands: UserCommands;
  readonly #client: DocumentClient;
  readonly #replicas: JsonReplicas | null;
  readonly #refused: RefusedRequests;
  /** Whether the client has requested error codes. */
  #hasCodes = false;
  /** The action of the current request. */
  #action: string | undefined;

  /** @param replicas  original servers to which writes are sent, or null if there are none */
  constructor(host: UserSocketHost, replicas: JsonReplicas | null, refused: RefusedRequests) {
    this.#client = new DocumentClient(host, replicas);
    this.commands = this.#client.commands;
    this.#replicas = replicas;
    this.#refused = refused;
  }

  /** Ends long answers, because the connection has closed. */
  leave(): void {
    this.#client.leave();
  }

  /** @param line  without surrounding spaces @returns the answer, or null if the connection must be closed */
  serve(line: Buffer): Text | Promise<Text> | null {
    this.#action = undefined;
    const answer = this.#answerTo(line);
    if (!this.#hasCodes || answer === null) return answer;
    const action = this.#action;
    return answer instanceof Promise
      ? answer.then((settled) => withErrorCode(settled, action))
      : withErrorCode(answer, action);
  }

  #answerTo(line: Buffer): Text | Promise<Text> | null {
    const text = textOfLine(line, isUtf8);
    if (text === QUIT) return null;
    this.commands.userSession.renew();

    let request: JsonRequest;
    try {
      request = readRequest(text);
    } catch (problem) {
      if (!(problem instanceof MalformedJson)) throw problem;
      if (HTTP.test(text)) return null;
      const shown = text.endsWith(NOT_UTF8) ? line.toString("utf8") : text;
      return errorAnswer(faultSentence(problem.fault, shown));
    }

    const { action } = request;
    this.#action = action;
    if (request.isOn("codes")) this.#hasCodes = true;
    if (action === undefined) return errorAnswer("No action key provided.");

    const run = actions.get(action);
    if (action === PROBE_ACTION && request.id !== undefined) this.#replicas?.probeReceived(request.id);
    if (run === undefined) return errorAnswer(`The action '${action}' provided is not valid.`);
    if (this.commands.needsLogin && action !== "auth") return errorAnswer("Authentication required.");
    if (this.#isServed(action, request)) return this.#run(action, run, request);

    return this.#whenServed(action, request).then((late) => late ?? this.#run(action, run, request));
  }

  #run(action: string, run: Action, request: JsonRequest): Text | Promise<Text> {
    const fault = unknownMember(action, request);
    if (fault !== null) return errorAnswer(fault);
    const answer = withinStringLimit(() => run(this.#client, request));
    if (
      typeof answer === "string" &&
      answer.startsWith(ERROR_HEAD) &&
      isForwardedWrite(this.#client, request)
    )
      this.#refused.logRefusal({ action, document: textOfBytes(request.document ?? "") }, answer);
    return answer;
  }

  /** Returns whether the servers of --json-replica have sent their documents, or the action needs none. */
  #isServed(action: string, request: JsonRequest): boolean {
    const replicas = this.#replicas;
    if (replicas === null || replicas.isReady || action === "auth") return true;
    return request.document === undefined && action === PROBE_ACTION;
  }

  /**
   * Waits until the daemon is ready, for at most the time that a server may be silent. @returns an error if it is not
   * ready, or null if it is
   */
  async #whenServed(action: string, request: JsonRequest): Promise<string | null> {
    const replicas = this.#replicas as JsonReplicas;
    const isPassed = request.isOff("replicate");
    // An original that forwards a request, or fetches all documents at its start, is blocked until it receives the
    // answer. Meanwhile this daemon cannot fetch that original's documents.
    if (await replicas.whenReady(isPassed ? FORWARDED_WAIT_MS : undefined)) return null;
    if (!isPassed) return errorAnswer(replicas.notReady);
    if (action === "getall") return errorAnswer(replicas.notReady, NO_DOCUMENTS);
    replicas.noteRefused();
    return errorAnswer(replicas.notReady);
  }
}
