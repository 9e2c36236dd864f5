/** What is remembered of a JSON connection: who has logged in. Requests in, answers out; knows nothing of bytes. */

import { isUtf8 } from "node:buffer";
import type { ClientDoing } from "../../net/connections/dialect.js";
import { textOfBytes } from "../../protocol/byte-string.js";
import { MalformedJson, NOT_UTF8 } from "../../protocol/json/json-reader.js";
import type { UserSocketHost } from "../user-listener.js";
import { actions } from "./actions/actions.js";
import { type Action, DocumentClient } from "./actions/document-client.js";
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
import { PROBE_ACTION } from "./replicas/replica-connection.js";
import type { JsonReplicas } from "./replicas/replicas.js";

/** Closes the connection, without an answer. */
export const QUIT = "quit";
/** What browsers send that were led here by a page: what they post would be done, where nobody has to log in. */
const HTTP = /^(?:[A-Z]+ \S+ HTTP\/|Host:)/i;
/** Milliseconds that a request of another server waits for this daemon to be ready. */
const PASSED_ON_WAIT_MS = 500;
/** An original goes through this member of an answer to `getall`, which it does not expect to be an error. */
const NO_DOCUMENTS: Member = ["documents", "[]"];

export class JsonSession {
  readonly #client: DocumentClient;
  readonly #replicas: JsonReplicas | null;
  readonly #refused: RefusedRequests;
  /** Whether errors are told with codes, which the client has asked for. */
  #hasCodes = false;
  /** Of the request that is served. */
  #action: string | undefined;

  /** @param replicas  original servers that are sent the writes; null: none */
  constructor(host: UserSocketHost, replicas: JsonReplicas | null, refused: RefusedRequests) {
    this.#client = new DocumentClient(host, replicas);
    this.#replicas = replicas;
    this.#refused = refused;
  }

  get doing(): ClientDoing {
    return this.#client.doing;
  }

  /** Whether nobody has logged in who has to. */
  get isStranger(): boolean {
    return this.#client.isStranger;
  }

  /** The connection is no more. */
  leave(): void {
    this.#client.leave();
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
    this.#client.renew();
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
    if (action === PROBE_ACTION && request.id !== undefined) this.#replicas?.recognize(request.id);
    if (run === undefined) return failure(`The action '${action}' provided is not valid.`);
    if (this.isStranger && action !== "auth") return failure("Authentication required.");
    if (this.#isServed(action, request)) return this.#run(action, run, request);
    return this.#whenServed(action, request).then((late) => late ?? this.#run(action, run, request));
  }

  #run(action: string, run: Action, request: JsonRequest): Text | Promise<Text> {
    const fault = memberFault(action, request);
    if (fault !== null) return failure(fault);
    const answer = withinStrings(() => run(this.#client, request));
    if (typeof answer === "string" && answer.startsWith(ERROR_HEAD) && isPassedOn(this.#client, request))
      this.#refused.note({ action, document: textOfBytes(request.document ?? "") }, answer);
    return answer;
  }

  /** Whether the servers of --json-replica have given their documents, or the action needs none. */
  #isServed(action: string, request: JsonRequest): boolean {
    const replicas = this.#replicas;
    if (replicas === null || replicas.isReady || action === "auth") return true;
    return request.document === undefined && action === PROBE_ACTION;
  }

  /** Waits until the daemon is ready, for as long as a server may be silent. @returns an error's answer if it is not; null: it is */
  async #whenServed(action: string, request: JsonRequest): Promise<string | null> {
    const replicas = this.#replicas as JsonReplicas;
    const isPassed = request.isOff("replicate");
    // An original that passes a request on, or asks for all documents at its start, serves nothing else until it is answered: the fetch waits for it too.
    if (await replicas.whenReady(isPassed ? PASSED_ON_WAIT_MS : undefined)) return null;
    if (!isPassed) return failure(replicas.notReady);
    if (action === "getall") return failure(replicas.notReady, NO_DOCUMENTS);
    replicas.noteRefused();
    return failure(replicas.notReady);
  }
}
