/**
 * What clients of the JSON protocol can ask for: a row for each action, which turns members into a command on documents and its
 * reply into members. Order of the checks and of the members: test/vectors/json; docs/json-documents.md.
 */
import { type ByteString, bytesOfText, textOfBytes } from "../../../protocol/byte-string.js";
import { isContainer, memberNames, memberValues } from "../../../protocol/json-value.js";
import {
  phpFormOf,
  writeJson,
  writePhpKey,
  writePhpMembers,
  writePhpString,
} from "../../../protocol/json-writer.js";
import { phpNumeric } from "../../../protocol/php-number.js";
import type { Reply } from "../../../protocol/reply.js";
import { failure, type Member, sentenceOf, success } from "./answers.js";
import { bulksOf, bytesOf, itemsOf } from "./reply-parts.js";
import type { JsonRequest } from "./request.js";
import {
  filterWords,
  hasDetails,
  lifetimeWords,
  orderWords,
  revisionWords,
  shapeWords,
} from "./selection.js";

/** A command's reply, and what the client is to be told of its replicas; null: nothing. */
export interface Written {
  readonly reply: Reply;
  readonly replicated: boolean | null;
}

/** How an action reaches the databases: with its user's rights. */
export interface ActionHost {
  read(argv: readonly ByteString[]): Reply | Promise<Reply>;
  write(argv: readonly ByteString[], request: JsonRequest): Written | Promise<Written>;
  logIn(user: ByteString, password: ByteString): boolean;
}

type Answer = string | Promise<string>;
type Action = (host: ActionHost, request: JsonRequest) => Answer;

const NO_DOCUMENT = "No document provided.";
const NO_DATA = "No data provided.";
const NO_ID = "No id provided or not numeric value.";
const NOT_MEMBERS = "Data must be provided in array.";
/** What the commands say of a document, or an entry, that is not there. */
const NOT_THERE: ReadonlySet<string> = new Set([
  "Document provided does not exist.",
  "Key:id provided does not exist in document.",
]);

export const actions: ReadonlyMap<string, Action> = new Map(
  Object.entries({
    create: (host, request) => change(host, request, "DOC.CREATE"),
    insert,
    get,
    getkeys: getKeys,
    update,
    delete: remove,
    count,
    empty: (host, request) => change(host, request, "DOC.EMPTY"),
    drop: (host, request) => change(host, request, "DOC.DROP"),
    list: (host) =>
      then(host.read(["DOC.LIST"]), (reply) =>
        good(reply, () => [["documents", listOf(bulksOf(reply), keyJson)]]),
      ),
    getall: getAll,
    createindex: (host, request) => changeIndex(host, request, "CREATE"),
    dropindex: (host, request) => changeIndex(host, request, "DROP"),
    listindexes: listIndexes,
    auth: logIn,
  } satisfies Record<string, Action>),
);

function change(host: ActionHost, request: JsonRequest, command: string): Answer {
  const { document } = request;
  if (document === undefined) return failure(NO_DOCUMENT);
  return then(host.write([command, document], request), ({ reply, replicated }) =>
    // Of a document that is not there nothing was emptied, and nothing was replicated.
    good(reply, () => replicatedMember(reply.kind === "integer" && reply.value === 0 ? null : replicated)),
  );
}

function insert(host: ActionHost, request: JsonRequest): Answer {
  const { document } = request;
  const data = request.get("data");
  if (document === undefined) return failure(NO_DOCUMENT);
  if (data === undefined) return failure(NO_DATA);
  if (!isContainer(data)) return failure(NOT_MEMBERS);
  const isNumbered = !request.isOff("auto-increment");
  const texts = memberValues(data).map((value) => bytesOfText(writeJson(value)));
  const names = isNumbered ? [] : memberNames(data);
  const entries = isNumbered ? texts : texts.flatMap((text, at) => [bytesOfText(names[at] as string), text]);
  const lifetime = lifetimeWords(request, []);
  const keys = isNumbered || entries.length === 0 ? [] : ["KEYS"];
  const argv = ["DOC.INSERT", document, ...lifetime, ...keys, ...entries];
  return then(host.write(argv, request), ({ reply, replicated }) =>
    good(reply, () => [
      ...(texts.length === 0
        ? []
        : [["data_interted", insertedJson(texts, isNumbered ? null : names)] as const]),
      ...replicatedMember(replicated),
    ]),
  );
}

/** @param names  null: they are numbered */
function insertedJson(texts: readonly ByteString[], names: readonly string[] | null): string {
  const written = texts.map(phpFormOf);
  return names === null ? `[${written.join(",")}]` : writePhpMembers(names, written);
}

function get(host: ActionHost, request: JsonRequest): Answer {
  const { document, id } = request;
  if (document === undefined) return failure(NO_DOCUMENT);
  if (id === undefined) return getSeveral(host, request, document);
  const argv = [
    "DOC.GET",
    document,
    "ID",
    id,
    ...named(request),
    ...orderWords(request),
    ...shapeWords(request),
  ];
  return then(host.read(argv), (reply) => {
    const isFound = reply.kind !== "map" || reply.items.length > 0;
    // What is no number and no entry's key is as if it were not given.
    return isFound || isNumeric(id)
      ? good(reply, () => dataOf(reply, request))
      : getSeveral(host, request, document);
  });
}

/** With an id the original passes over a query; what it does not know is refused. */
const named = (request: JsonRequest) =>
  filterWords(request).slice(request.get("query") === undefined ? 0 : 2);

function getSeveral(host: ActionHost, request: JsonRequest, document: ByteString): Answer {
  const words = [...filterWords(request), ...orderWords(request)];
  return then(host.read(["DOC.GET", document, ...words, ...shapeWords(request)]), (reply) =>
    good(reply, () =>
      words.length === 0 && !hasDetails(request) ? [["data", entriesJson(reply)]] : dataOf(reply, request),
    ),
  );
}

function getKeys(host: ActionHost, request: JsonRequest): Answer {
  const { document } = request;
  if (document === undefined) return failure(NO_DOCUMENT);
  return then(host.read(["DOC.GETKEYS", document]), (reply) =>
    good(reply, () => {
      const [first, names] = itemsOf(reply);
      return [
        ["document_keys", listOf(bulksOf(names), keyJson)],
        ["document_first_key", idJson(bytesOf(first))],
      ];
    }),
  );
}

function update(host: ActionHost, request: JsonRequest): Answer {
  const { document, id } = request;
  const data = request.get("data");
  if (document === undefined) return failure(NO_DOCUMENT);
  if (data === undefined) return failure(NO_DATA);
  if (id === undefined && request.get("id") !== undefined) return failure(NO_ID);
  const argv = [
    "DOC.UPDATE",
    document,
    bytesOfText(writeJson(data)),
    ...(id === undefined ? [] : ["ID", id]),
    ...revisionWords(request),
    ...lifetimeWords(request, ["PERSIST"]),
  ];
  return then(host.write(argv, request), ({ reply, replicated }) => {
    if (reply.kind === "error") return updateFailure(host, document, sentenceOf(reply));
    const [, keys, , changed] = itemsOf(reply);
    return success(["document_keys", listOf(bulksOf(keys), keyJson)], ...replicatedMember(replicated), [
      "updated_data",
      changed?.kind === "map" ? entriesJson(changed) : "null",
    ]);
  });
}

/** Where the data is wrong, what would be right stands beside. */
function updateFailure(host: ActionHost, document: ByteString, sentence: string): Answer {
  if (sentence !== NOT_MEMBERS && !sentence.startsWith("The required keys")) return failure(sentence);
  return then(host.read(["DOC.GETKEYS", document]), (reply) =>
    reply.kind === "error"
      ? failure(sentence)
      : failure(sentence, ["document_keys", listOf(bulksOf(itemsOf(reply)[1]), keyJson)]),
  );
}

function remove(host: ActionHost, request: JsonRequest): Answer {
  const { document, id } = request;
  if (document === undefined) return failure(NO_DOCUMENT);
  if (id === undefined) return failure(NO_ID);
  return then(
    host.write(["DOC.DELETE", document, id, ...revisionWords(request)], request),
    ({ reply, replicated }) =>
      reply.kind === "error" && !isNumeric(id) && NOT_THERE.has(sentenceOf(reply))
        ? failure(NO_ID)
        : good(reply, () => replicatedMember(replicated)),
  );
}

function count(host: ActionHost, request: JsonRequest): Answer {
  const { document } = request;
  if (document === undefined) return failure(NO_DOCUMENT, ["count", "0"]);
  return then(host.read(["DOC.COUNT", document, ...filterWords(request)]), (reply) =>
    good(reply, () => [["count", reply.kind === "integer" ? String(reply.value) : "0"]]),
  );
}

function changeIndex(host: ActionHost, request: JsonRequest, does: "CREATE" | "DROP"): Answer {
  const { document } = request;
  const field = request.get("field");
  if (document === undefined) return failure(NO_DOCUMENT);
  if (typeof field !== "string") return failure("No field provided: the name of the member that is indexed.");
  const argv = ["DOC.INDEX", does, document, bytesOfText(field)];
  return then(host.write(argv, request), ({ reply, replicated }) =>
    good(reply, () => replicatedMember(replicated)),
  );
}

function listIndexes(host: ActionHost, { document }: JsonRequest): Answer {
  if (document === undefined) return failure(NO_DOCUMENT);
  return then(host.read(["DOC.INDEX", "LIST", document]), (reply) =>
    good(reply, () => [["indexes", listOf(bulksOf(reply), keyJson)]]),
  );
}

/** `replicated` says here what was asked for: nothing was written. */
function getAll(host: ActionHost, request: JsonRequest): Answer {
  return then(host.read(["DOC.GETALL"]), (reply) =>
    good(reply, () => {
      const items = itemsOf(reply);
      const names = items.flatMap((item, at) => (at % 2 === 0 ? [textOfBytes(bytesOf(item))] : []));
      const documents = items.flatMap((item, at) => (at % 2 === 0 ? [] : [entriesJson(item)]));
      return [
        ["documents", writePhpMembers(names, documents)],
        ["replicated", String(!request.isOff("replicate"))],
      ];
    }),
  );
}

function logIn(host: ActionHost, request: JsonRequest): Answer {
  const [user, password] = [request.get("user") ?? "default", request.get("password")];
  if (typeof user !== "string" || typeof password !== "string") return failure("No password provided.");
  return host.logIn(bytesOfText(user), bytesOfText(password))
    ? success()
    : failure("invalid username-password pair or user is disabled.");
}

/** An answer from a command's reply; an error's sentence is its message. */
function good(reply: Reply, members: () => readonly Member[]): string {
  return reply.kind === "error" ? failure(sentenceOf(reply)) : success(...members());
}

/** What is found; a client is told nothing of nothing. */
function dataOf(reply: Reply, request: JsonRequest): Member[] {
  const items = itemsOf(reply);
  if (items.length === 0) return [];
  const members: Member[] = [["data", entriesJson(reply)]];
  const keys = items.flatMap((item, at) => (at % 2 === 0 ? [bytesOf(item)] : []));
  // Some languages put members whose names are numbers in an order of their own.
  if (request.get("sort") !== undefined) members.push(["ids", listOf(keys, idJson)]);
  if (hasDetails(request)) members.push(["details", detailsJson(keys, items)]);
  return members;
}

function detailsJson(keys: readonly ByteString[], items: readonly Reply[]): string {
  const details = keys.map((_, at) => {
    const [, revision, expires] = itemsOf(items[2 * at + 1]);
    const time = expires?.kind === "integer" ? String(expires.value) : "null";
    return `{"revision":"${bytesOf(revision)}","expires":${time}}`;
  });
  return writePhpMembers(keys.map(textOfBytes), details);
}

const replicatedMember = (replicated: boolean | null): Member[] =>
  replicated === null ? [] : [["replicated", String(replicated)]];

/** Keys and texts of entries. */
function entriesJson(reply: Reply): string {
  const keys: string[] = [];
  const texts: string[] = [];
  const items = itemsOf(reply);
  for (let at = 0; at < items.length; at += 2) {
    keys.push(textOfBytes(bytesOf(items[at])));
    const entry = items[at + 1];
    texts.push(phpFormOf(bytesOf(entry?.kind === "array" ? entry.items[0] : entry)));
  }
  return writePhpMembers(keys, texts);
}

const keyJson = (bytes: ByteString) => writePhpKey(textOfBytes(bytes));
/** A text where languages whose numbers are doubles would take it for another entry's id. */
const idJson = (bytes: ByteString) =>
  Number.isSafeInteger(Number(bytes)) ? keyJson(bytes) : writePhpString(textOfBytes(bytes));
const listOf = (items: readonly ByteString[], write: (bytes: ByteString) => string) =>
  `[${items.map(write).join(",")}]`;
const isNumeric = (id: ByteString) => phpNumeric(textOfBytes(id)) !== undefined;

/** At once if it is there at once: most commands are answered in the turn in which they come. */
function then<A>(value: A | Promise<A>, next: (value: A) => Answer): Answer {
  return value instanceof Promise ? value.then(next) : next(value);
}
