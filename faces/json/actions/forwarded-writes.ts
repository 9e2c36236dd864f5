/**
 * Handles requests with `"replicate":false` on a daemon that has data only in memory. An original server forwards its
 * own writes in this form, so this daemon handles them as the original does. Source: test/vectors/json;
 * docs/json-documents.md "Migration and testing".
 */
import type { Logger } from "pino";
import type { Environment } from "../../../daemon/net/process/clock-and-randomness.js";
import { LogThrottle } from "../../../daemon/net/process/log-throttle.js";
import { type ByteString, bytesOfText, textOfBytes } from "../../../protocol/byte-string.js";
import { parseJson } from "../../../protocol/json/json-reader.js";
import {
  isContainer,
  isListLike,
  type JsonContainer,
  JsonObject,
  type JsonValue,
  memberNames,
  memberValues,
} from "../../../protocol/json/json-value.js";
import { writeJson } from "../../../protocol/json/json-writer.js";
import { phpIntegerOf } from "../../../protocol/json/php-number.js";
import type { Reply } from "../../../protocol/reply.js";
import { bulksOf, bytesOf, errorAnswer, itemsOf, sentenceOf } from "../messages/json-answers.js";
import type { JsonRequest } from "../messages/json-request.js";
import { answerOf, isNumeric, keyJson, listOf, NOT_FOUND, replicatedMember } from "./action-answers.js";
import type { ActionAnswer, DocumentClient } from "./document-client.js";

/** The id of the entry whose members are permitted in all entries. */
const FIRST = "0";
const [NO_DOCUMENT_THERE, NO_ENTRY] = [...NOT_FOUND] as [string, string];

export function isForwardedWrite(client: DocumentClient, request: JsonRequest): boolean {
  return client.ids === "renumbered" && request.isOff("replicate");
}

/**
 * Checks entries as the original does: members may be missing, and entries are compared only with entry 0. @returns the
 * arguments that DOC.INSERT needs: NOCHECK if the entries are accepted, otherwise none, so that it reports the error
 */
export function checkArguments(
  client: DocumentClient,
  document: ByteString,
  data: JsonContainer,
  isNumbered: boolean,
): ByteString[] {
  const values = memberValues(data);
  const first = entryOf(client, document, FIRST);
  const isEmpty = itemsOf(immediate(client.read(["DOC.GET", document, "LIMIT", "0", "1"]))).length === 0;
  const model = first ?? (isEmpty && isNumbered ? values[0] : undefined);
  const names = isContainer(model) ? new Set(memberNames(model)) : null;
  const isAccepted = (value: JsonValue) =>
    isContainer(value) && (names === null || memberNames(value).every((name) => names.has(name)));
  return values.every(isAccepted) ? ["NOCHECK"] : [];
}

/** Returns the id that `update` refers to. If the id is neither a number nor a key, PHP casts it to an integer. */
export function idOf(
  client: DocumentClient,
  document: ByteString,
  id: ByteString | undefined,
): ByteString | undefined {
  if (id === undefined || isNumeric(id) || entryOf(client, document, id) !== undefined) return id;
  return String(phpIntegerOf(textOfBytes(id)));
}

/** Returns whether an `update` with an id replaces all entries by the members of the object. */
export function isReplacing(id: ByteString | undefined, data: JsonValue): data is JsonObject {
  const isOperators = data instanceof JsonObject && data.names[0]?.startsWith("$") === true;
  const isEntry = data instanceof JsonObject && data.names.length > 0 && !isListLike(data.names);
  return isEntry && !isOperators && id !== undefined && isNumeric(id);
}

/** Replaces all entries by the members of an object. */
export function replaceAll(
  client: DocumentClient,
  request: JsonRequest,
  {
    document,
    id,
    data,
  }: { readonly document: ByteString; readonly id: ByteString; readonly data: JsonObject },
): ActionAnswer {
  const found = immediate(client.read(["DOC.GET", document, "ID", id]));
  if (found.kind === "error") return errorAnswer(NO_DOCUMENT_THERE);
  if (itemsOf(found).length === 0) return errorAnswer(NO_ENTRY);

  const keys = bulksOf(itemsOf(immediate(client.read(["DOC.GETKEYS", document])))[1]);
  // Refuse a client that may not insert, or whose entries do not fit into memory, before anything is removed.
  const tried = write(client, request, ["DOC.INSERT", document, "NOCHECK"]);
  if (tried.kind === "error") return errorAnswer(sentenceOf(tried));

  write(client, request, ["DOC.EMPTY", document]);
  const entries = data.names.flatMap((name, at) => [
    bytesOfText(name),
    bytesOfText(writeJson(data.values[at] as JsonValue)),
  ]);
  const reply = write(client, request, ["DOC.INSERT", document, "NOCHECK", "KEYS", ...entries]);
  return answerOf(reply, () => [
    ["document_keys", listOf(keys, keyJson)],
    ...replicatedMember(false),
    ["updated_data", "null"],
  ]);
}

/** Renumbers all entries after a deletion, as the original does, including entries whose keys clients have chosen. */
export function renumber(client: DocumentClient, request: JsonRequest, document: ByteString): void {
  const items = itemsOf(immediate(client.read(["DOC.GET", document])));
  const hasConsecutiveIds = items.every((item, at) => at % 2 === 1 || bytesOf(item) === String(at / 2));
  if (hasConsecutiveIds) return;
  const texts = items.filter((_, at) => at % 2 === 1).map(bytesOf);
  write(client, request, ["DOC.UPDATE", document, `[${texts.join(",")}]`]);
}

function entryOf(client: DocumentClient, document: ByteString, id: ByteString): JsonValue | undefined {
  const [, entry] = itemsOf(immediate(client.read(["DOC.GET", document, "ID", id])));
  return entry === undefined ? undefined : parseJson(textOfBytes(bytesOf(entry)));
}

function write(client: DocumentClient, request: JsonRequest, argv: readonly ByteString[]): Reply {
  const written = client.write(argv, request);
  if (written instanceof Promise) throw new Error("an in-memory daemon writes immediately");
  return written.reply;
}

function immediate(reply: Reply | Promise<Reply>): Reply {
  if (reply instanceof Promise) throw new Error("an in-memory daemon reads immediately");
  return reply;
}

/** The minimum interval between two log lines about refusals, in milliseconds. */
const LOG_INTERVAL_MS = 1_000;

/** The log of refusals of requests that other servers have forwarded, because those servers do not log them. */
export class RefusedRequests {
  readonly #throttle: LogThrottle;
  readonly #sentence: string;

  /** @param sentence  the message of the log line */
  constructor(log: Logger, environment: Environment, sentence: string) {
    this.#throttle = new LogThrottle({ log, uptime: environment.uptime, periodMs: LOG_INTERVAL_MS });
    this.#sentence = sentence;
  }

  /** @param request  identifies the request in the log */
  logRefusal(request: Readonly<Record<string, unknown>>, answer: string): void {
    this.#throttle.warn("refused", { ...request, answer: answer.slice(0, 512) }, this.#sentence);
  }
}
