/**
 * The actions that change documents. The members of a request become a command, and the reply becomes members. Source:
 * test/vectors/json; docs/json-documents.md.
 */
import { type ByteString, bytesOfText } from "../../../protocol/byte-string.js";
import { isContainer, memberNames, memberValues } from "../../../protocol/json/json-value.js";
import { phpFormOf, phpForms, writeJson, writePhpMembers } from "../../../protocol/json/json-writer.js";
import {
  bulksOf,
  bytesOf,
  failure,
  itemsOf,
  longSuccess,
  type Member,
  sentenceOf,
  success,
} from "../messages/json-answers.js";
import type { JsonRequest } from "../messages/json-request.js";
import {
  filterArguments,
  lifetimeArguments,
  orderArguments,
  revisionArguments,
} from "../messages/selection-arguments.js";
import {
  answerOf,
  entriesJson,
  idJson,
  isNumeric,
  keyJson,
  listOf,
  longList,
  NO_DATA,
  NO_DOCUMENT,
  NO_ID,
  NOT_FOUND,
  NOT_MEMBERS,
  replicatedMember,
  whenAvailable,
} from "./action-answers.js";
import type { Answer, DocumentClient } from "./document-client.js";
import {
  checkArguments,
  idOf,
  isForwardedWrite,
  isReplacing,
  renumber,
  replaceAll,
} from "./forwarded-writes.js";

export function change(client: DocumentClient, request: JsonRequest, command: string): Answer {
  const { document } = request;
  if (document === undefined) return failure(NO_DOCUMENT);
  return whenAvailable(client.write([command, document], request), ({ reply, replicated }) =>
    // The reply 0 means that the document does not exist, so there was no write to replicate.
    answerOf(reply, () =>
      replicatedMember(reply.kind === "integer" && reply.value === 0 ? null : replicated),
    ),
  );
}

export function insert(client: DocumentClient, request: JsonRequest): Answer {
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

export function update(client: DocumentClient, request: JsonRequest): Answer {
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

export function remove(client: DocumentClient, request: JsonRequest): Answer {
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
export function changeMember(client: DocumentClient, request: JsonRequest, does: "ADD" | "DROP"): Answer {
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

export function changeIndex(client: DocumentClient, request: JsonRequest, does: "CREATE" | "DROP"): Answer {
  const { document } = request;
  const field = request.get("field");
  if (document === undefined) return failure(NO_DOCUMENT);
  if (typeof field !== "string") return failure("No field provided: the name of the indexed member.");
  const argv = ["DOC.INDEX", does, document, bytesOfText(field)];
  return whenAvailable(client.write(argv, request), ({ reply, replicated }) =>
    answerOf(reply, () => replicatedMember(replicated)),
  );
}
