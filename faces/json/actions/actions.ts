/**
 * The actions of the JSON protocol, one row for each. A row turns the members of a request into a command on documents,
 * and the reply into members. Source for the order of the checks and of the members: test/vectors/json;
 * docs/json-documents.md.
 */
import { type ByteString, bytesOfText, textOfBytes } from "../../../protocol/byte-string.js";
import { CountReply, DocumentEntriesReply } from "../../../protocol/document-replies.js";
import { isContainer, memberNames, memberValues } from "../../../protocol/json/json-value.js";
import { phpFormOf, phpForms, writeJson, writePhpMembers } from "../../../protocol/json/json-writer.js";
import type { Reply } from "../../../protocol/reply.js";
import {
  bulksOf,
  bytesOf,
  failure,
  itemsOf,
  type LongMember,
  longSuccess,
  type Member,
  sentenceOf,
  success,
} from "../messages/json-answers.js";
import {
  filterArguments,
  hasDetails,
  type JsonRequest,
  lifetimeArguments,
  orderArguments,
  resultArguments,
  revisionArguments,
} from "../messages/json-request.js";
import {
  answerOf,
  documentsPieces,
  entriesJson,
  entriesPieces,
  idJson,
  idsPieces,
  isLong,
  isNumeric,
  keyJson,
  listOf,
  longList,
  NO_DATA,
  NO_DOCUMENT,
  NO_ID,
  NOT_FOUND,
  NOT_MEMBERS,
  namesPieces,
  replicatedMember,
  whenAvailable,
} from "./action-answers.js";
import type { Action, Answer, DocumentClient } from "./document-client.js";
import {
  checkArguments,
  idOf,
  isForwardedWrite,
  isReplacing,
  renumber,
  replaceAll,
} from "./forwarded-writes.js";

export const actions: ReadonlyMap<string, Action> = new Map(
  Object.entries({
    create: (client, request) => change(client, request, "DOC.CREATE"),
    insert,
    get,
    getkeys: getKeys,
    update: (client, request) => explainWrite(client, request) ?? update(client, request),
    delete: (client, request) => explainWrite(client, request) ?? remove(client, request),
    count,
    empty: (client, request) => change(client, request, "DOC.EMPTY"),
    drop: (client, request) => change(client, request, "DOC.DROP"),
    list: (client) =>
      whenAvailable(client.read(["DOC.LIST"]), (reply) =>
        reply.kind === "error"
          ? failure(sentenceOf(reply))
          : whenAvailable(client.inTurns(namesPieces(reply)), (names) => longSuccess([["documents", names]])),
      ),
    getall: getAll,
    createindex: (client, request) => changeIndex(client, request, "CREATE"),
    dropindex: (client, request) => changeIndex(client, request, "DROP"),
    listindexes: listIndexes,
    addmember: (client, request) => changeMember(client, request, "ADD"),
    dropmember: (client, request) => changeMember(client, request, "DROP"),
    auth: logIn,
  } satisfies Record<string, Action>),
);

function get(client: DocumentClient, request: JsonRequest): Answer {
  const { document, id } = request;
  if (document === undefined) return failure(NO_DOCUMENT);
  if (request.isOn("explain")) return explain(client, request, document);
  if (id === undefined) return getSeveral(client, request, document);

  const argv = [
    "DOC.GET",
    document,
    "ID",
    id,
    ...conditionsWithId(request),
    ...orderArguments(request),
    ...resultArguments(request),
  ];
  return whenAvailable(client.read(argv), (reply) => {
    const isFound = reply.kind !== "map" || itemsOf(reply).length > 0;
    // Ignore an id that is neither a number nor an entry's key.
    return isFound || isNumeric(id)
      ? answerOf(reply, () => dataOf(reply, request))
      : getSeveral(client, request, document);
  });
}

/** Explains how `get` would find the entries. */
function explain(client: DocumentClient, request: JsonRequest, document: ByteString): Answer {
  const selection =
    request.id === undefined ? [...filterArguments(request), ...orderArguments(request)] : ["ID", request.id];
  return explanation(client, ["DOC.GET", document, ...selection]);
}

const NOTHING_SELECTED =
  "Nothing selects entries: without where, query, sort and limit there is nothing to explain.";

/** Explains how a write would find the entries, without writing. @returns null if no explanation was requested */
function explainWrite(client: DocumentClient, request: JsonRequest): Answer | null {
  if (!request.isOn("explain")) return null;
  const { document, id } = request;
  if (document === undefined) return failure(NO_DOCUMENT);
  if (request.action === "delete" && id === undefined && request.get("where") === undefined)
    return failure(NO_ID);
  const hasSelection = filterArguments(request).length + orderArguments(request).length > 0;
  return id === undefined && !hasSelection ? failure(NOTHING_SELECTED) : explain(client, request, document);
}

/** @param argv  a read, which then reports how entries are found instead of reading them */
function explanation(client: DocumentClient, argv: readonly ByteString[]): Answer {
  return whenAvailable(client.read([...argv, "EXPLAIN"]), (reply) =>
    answerOf(reply, () => {
      const [, reads, , indexes, , entries, , of, , order] = itemsOf(reply);
      const number = (one: Reply | undefined) => (one?.kind === "integer" ? String(one.value) : "0");
      const members = [
        `"reads":"${bytesOf(reads)}","indexes":${listOf(bulksOf(indexes), keyJson)}`,
        `"entries":${number(entries)},"of":${number(of)},"order":"${bytesOf(order)}"`,
      ];
      return [["explain", `{${members.join(",")}}`]];
    }),
  );
}

/**
 * Returns the conditions of a request with an id. As in the original, a query is ignored. Unknown conditions are
 * refused.
 */
const conditionsWithId = (request: JsonRequest) =>
  filterArguments(request).slice(request.get("query") === undefined ? 0 : 2);

function getSeveral(client: DocumentClient, request: JsonRequest, document: ByteString): Answer {
  const filters = [...filterArguments(request), ...orderArguments(request)];
  return whenAvailable(
    client.read(["DOC.GET", document, ...filters, ...resultArguments(request)]),
    (reply) => {
      if (!(reply instanceof DocumentEntriesReply && isLong(reply)))
        return answerOf(reply, () => dataOf(reply, request, filters.length === 0));
      return whenAvailable(client.inTurns(longMembers(reply, request, filters.length === 0)), longSuccess);
    },
  );
}

/** Returns the same members as `dataOf`, in steps. */
function* longMembers(
  reply: DocumentEntriesReply,
  request: JsonRequest,
  isAll: boolean,
): Generator<void, readonly LongMember[]> {
  const found = yield* reply.steps();
  if (found.texts.length === 0 && !isAll) return [];
  const members: LongMember[] = [["data", yield* entriesPieces(reply)]];
  if (request.get("sort") !== undefined) members.push(["ids", yield* idsPieces(found)]);
  return members;
}

function getKeys(client: DocumentClient, request: JsonRequest): Answer {
  const { document } = request;
  if (document === undefined) return failure(NO_DOCUMENT);
  return whenAvailable(client.read(["DOC.GETKEYS", document]), (reply) =>
    answerOf(reply, () => {
      const [first, names] = itemsOf(reply);
      return [
        ["document_keys", listOf(bulksOf(names), keyJson)],
        ["document_first_key", idJson(bytesOf(first))],
      ];
    }),
  );
}

function count(client: DocumentClient, request: JsonRequest): Answer {
  const { document } = request;
  if (document === undefined) return failure(NO_DOCUMENT, ["count", "0"]);
  const argv = ["DOC.COUNT", document, ...filterArguments(request)];
  if (request.isOn("explain")) return explanation(client, argv);

  return whenAvailable(client.read(argv), (reply) =>
    reply instanceof CountReply
      ? whenAvailable(client.inTurns(reply.entries.steps()), ({ texts }) =>
          success(["count", String(texts.length)]),
        )
      : answerOf(reply, () => [["count", reply.kind === "integer" ? String(reply.value) : "0"]]),
  );
}

function listIndexes(client: DocumentClient, { document }: JsonRequest): Answer {
  if (document === undefined) return failure(NO_DOCUMENT);
  return whenAvailable(client.read(["DOC.INDEX", "LIST", document]), (reply) =>
    answerOf(reply, () => [["indexes", listOf(bulksOf(reply), keyJson)]]),
  );
}

/** Returns all documents. The member `replicated` only echoes the request's `replicate`: a read replicates nothing. */
function getAll(client: DocumentClient, request: JsonRequest): Answer {
  return whenAvailable(client.read(["DOC.GETALL"]), (reply) => {
    if (reply.kind === "error") return failure(sentenceOf(reply));
    const replicated: Member = ["replicated", String(!request.isOff("replicate"))];
    return whenAvailable(client.inTurns(documentsPieces(reply)), (data) =>
      longSuccess([["documents", data], replicated]),
    );
  });
}

function logIn(client: DocumentClient, request: JsonRequest): Answer {
  const [user, password] = [request.get("user") ?? "default", request.get("password")];
  if (typeof user !== "string" || typeof password !== "string") return failure("No password provided.");
  return client.commands.userSession.logIn(bytesOfText(user), bytesOfText(password))
    ? success()
    : failure("invalid username-password pair or user is disabled.");
}

/**
 * Returns the members for the entries found. If there are no entries, the members are omitted, unless all entries were
 * requested.
 */
function dataOf(reply: Reply, request: JsonRequest, isAll = false): Member[] {
  const count = reply instanceof DocumentEntriesReply ? reply.size : itemsOf(reply).length;
  if (count === 0 && !(isAll && !hasDetails(request))) return [];
  const members: Member[] = [["data", entriesJson(reply)], ...idsOf(reply, request)];
  if (hasDetails(request)) {
    const items = itemsOf(reply);
    members.push(["details", detailsJson(keysOf(items), items)]);
  }
  return members;
}

/** Returns the ids in order, for languages that reorder members with numeric names. */
const idsOf = (reply: Reply, request: JsonRequest): Member[] =>
  request.get("sort") === undefined ? [] : [["ids", listOf(keysOf(itemsOf(reply)), idJson)]];

const keysOf = (items: readonly Reply[]) =>
  items.flatMap((item, at) => (at % 2 === 0 ? [bytesOf(item)] : []));

function detailsJson(keys: readonly ByteString[], items: readonly Reply[]): string {
  const details = keys.map((_, at) => {
    const [, revision, expires] = itemsOf(items[2 * at + 1]);
    const time = expires?.kind === "integer" ? String(expires.value) : "null";
    return `{"revision":"${bytesOf(revision)}","expires":${time}}`;
  });
  return writePhpMembers(keys.map(textOfBytes), details);
}

/** Creates, empties or drops a document. */
function change(client: DocumentClient, request: JsonRequest, command: string): Answer {
  const { document } = request;
  if (document === undefined) return failure(NO_DOCUMENT);
  return whenAvailable(client.write([command, document], request), ({ reply, replicated }) =>
    // The reply 0 means that the document does not exist, so there was no write to replicate.
    answerOf(reply, () =>
      replicatedMember(reply.kind === "integer" && reply.value === 0 ? null : replicated),
    ),
  );
}

function insert(client: DocumentClient, request: JsonRequest): Answer {
  const { document } = request;
  const data = request.get("data");
  if (document === undefined) return failure(NO_DOCUMENT);
  if (data === undefined) return failure(NO_DATA);
  if (!isContainer(data)) return insertFailure(client, document);

  const isNumbered = !request.isOff("auto-increment");
  const texts = memberValues(data).map((value) => bytesOfText(writeJson(value)));
  const names = isNumbered ? [] : memberNames(data);
  const entries = isNumbered ? texts : texts.flatMap((text, at) => [bytesOfText(names[at] as string), text]);
  const lifetime = lifetimeArguments(request, []);
  const keys = isNumbered || entries.length === 0 ? [] : ["KEYS"];
  const counted = isNumbered && client.ids === "sequential" ? ["COUNT"] : [];
  const unchecked = isForwardedWrite(client, request)
    ? checkArguments(client, document, data, isNumbered)
    : [];
  const argv = ["DOC.INSERT", document, ...lifetime, ...counted, ...unchecked, ...keys, ...entries];
  const returnsIds = request.isOn("ids") || (isNumbered && client.ids === "long" && entries.length > 0);
  return whenAvailable(client.write(argv, request), ({ reply, replicated }) => {
    if (reply.kind === "error") return failure(sentenceOf(reply));
    const additional: Member[] = [
      ...replicatedMember(replicated),
      ...(returnsIds ? [["ids", listOf(bulksOf(reply), idJson)] as const] : []),
    ];
    if (texts.length === 0) return success(...additional);
    const long = isNumbered ? longList(texts) : null;
    if (long === null)
      return success([INSERTED, insertedJson(texts, isNumbered ? null : names)], ...additional);
    return whenAvailable(client.inTurns(long), (pieces) => longSuccess([[INSERTED, pieces], ...additional]));
  });
}

/** The name of the member, spelled as in the original. */
const INSERTED = "data_interted";

/** Returns the error for data that is neither an array nor an object, or the error for a missing document. */
function insertFailure(client: DocumentClient, document: ByteString): Answer {
  return whenAvailable(client.read(["DOC.GET", document, "LIMIT", "0", "0"]), (reply) =>
    failure(reply.kind === "error" && NOT_FOUND.has(sentenceOf(reply)) ? sentenceOf(reply) : NOT_MEMBERS),
  );
}

/** @param names  the names of the entries, or null if the entries are numbered */
function insertedJson(texts: readonly ByteString[], names: readonly string[] | null): string {
  return names === null ? `[${phpForms(texts).join(",")}]` : writePhpMembers(names, texts.map(phpFormOf));
}

function update(client: DocumentClient, request: JsonRequest): Answer {
  const { document } = request;
  const data = request.get("data");
  if (document === undefined) return failure(NO_DOCUMENT);
  if (data === undefined) return failure(NO_DATA);
  if (request.id === undefined && request.get("id") !== undefined) return failure(NO_ID);
  const isOriginal = isForwardedWrite(client, request);
  const id = isOriginal ? idOf(client, document, request.id) : request.id;
  if (isOriginal && request.id !== undefined && isReplacing(request.id, data))
    return replaceAll(client, request, { document, id: request.id, data });

  const argv = [
    "DOC.UPDATE",
    document,
    bytesOfText(writeJson(data)),
    ...(id === undefined ? [] : ["ID", id]),
    ...filterArguments(request),
    ...orderArguments(request),
    ...(request.isOn("upsert") ? ["UPSERT", ...(client.ids === "sequential" ? ["COUNT"] : [])] : []),
    ...revisionArguments(request),
    ...lifetimeArguments(request, ["PERSIST"]),
  ];
  return whenAvailable(client.write(argv, request), ({ reply, replicated }) => {
    if (reply.kind === "error") return updateFailure(client, document, sentenceOf(reply));
    const [, keys, , changed, , added] = itemsOf(reply);
    return success(
      ["document_keys", listOf(bulksOf(keys), keyJson)],
      ...replicatedMember(replicated),
      ["updated_data", changed?.kind === "map" ? entriesJson(changed) : "null"],
      ...(added === undefined ? [] : [["upserted_id", idJson(bytesOf(added))] as const]),
    );
  });
}

/** Answers a failed update. If the data has wrong members, the answer lists the permitted members. */
function updateFailure(client: DocumentClient, document: ByteString, sentence: string): Answer {
  if (sentence !== NOT_MEMBERS && !sentence.startsWith("The required keys")) return failure(sentence);
  return whenAvailable(client.read(["DOC.GETKEYS", document]), (reply) =>
    reply.kind === "error"
      ? failure(sentence)
      : failure(sentence, ["document_keys", listOf(bulksOf(itemsOf(reply)[1]), keyJson)]),
  );
}

const ONE_ENTRY = "id names one entry: leave it out if you use where, sort, limit or offset.";

function removeMatching(client: DocumentClient, request: JsonRequest, document: ByteString): Answer {
  if (request.get("revision") !== undefined)
    return failure("revision belongs to one entry: name the entry with id.");
  const argv = ["DOC.DELETE", document, ...filterArguments(request), ...orderArguments(request)];
  return whenAvailable(client.write(argv, request), ({ reply, replicated }) =>
    answerOf(reply, () => {
      const deleted = reply.kind === "integer" ? Number(reply.value) : 0;
      return [["deleted", String(deleted)], ...replicatedMember(deleted === 0 ? null : replicated)];
    }),
  );
}

function remove(client: DocumentClient, request: JsonRequest): Answer {
  const { document, id } = request;
  if (document === undefined) return failure(NO_DOCUMENT);
  const hasOrder = orderArguments(request).length > 0;
  if (id !== undefined && (request.get("where") !== undefined || hasOrder)) return failure(ONE_ENTRY);
  if (request.get("where") !== undefined && request.get("id") === undefined)
    return removeMatching(client, request, document);
  if (id === undefined) return failure(NO_ID);
  return whenAvailable(
    client.write(["DOC.DELETE", document, id, ...revisionArguments(request)], request),
    ({ reply, replicated }) =>
      reply.kind === "error" && !isNumeric(id) && NOT_FOUND.has(sentenceOf(reply))
        ? failure(NO_ID)
        : answerOf(reply, () => {
            if (isForwardedWrite(client, request)) renumber(client, request, document);
            return replicatedMember(replicated);
          }),
  );
}

/** Adds a member to all entries, with a value or null, or removes it. */
function changeMember(client: DocumentClient, request: JsonRequest, does: "ADD" | "DROP"): Answer {
  const { document } = request;
  const field = request.get("field");
  if (document === undefined) return failure(NO_DOCUMENT);
  if (typeof field !== "string") return failure("No field provided: the name of the member.");
  const value = does === "ADD" ? [bytesOfText(writeJson(request.get("value") ?? null))] : [];
  const argv = ["DOC.MEMBER", does, document, bytesOfText(field), ...value];
  return whenAvailable(client.write(argv, request), ({ reply, replicated }) =>
    answerOf(reply, () => {
      const changed = reply.kind === "integer" ? Number(reply.value) : 0;
      return [["changed", String(changed)], ...replicatedMember(changed === 0 ? null : replicated)];
    }),
  );
}

function changeIndex(client: DocumentClient, request: JsonRequest, does: "CREATE" | "DROP"): Answer {
  const { document } = request;
  const field = request.get("field");
  if (document === undefined) return failure(NO_DOCUMENT);
  if (typeof field !== "string") return failure("No field provided: the name of the indexed member.");
  const argv = ["DOC.INDEX", does, document, bytesOfText(field)];
  return whenAvailable(client.write(argv, request), ({ reply, replicated }) =>
    answerOf(reply, () => replicatedMember(replicated)),
  );
}
