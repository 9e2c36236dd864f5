/**
 * Members of a request that the original does not know and passes over, as words of the commands on documents: which entries are meant,
 * in which order, what of them; how long they stay; which revision they must have. Source: docs/json-documents.md.
 */
import { type ByteString, bytesOfText } from "../../../protocol/byte-string.js";
import { JsonNumber, type JsonValue } from "../../../protocol/json/json-value.js";
import { writeJson } from "../../../protocol/json/json-writer.js";
import type { JsonRequest } from "./request.js";

/** What COUNT skips to, where only `offset` is given. */
const ALL = String(Number.MAX_SAFE_INTEGER);

const jsonOf = (value: JsonValue): ByteString => bytesOfText(writeJson(value));
/** A scalar as it is; what is none the command refuses. */
export const wordOf = (value: JsonValue): ByteString =>
  typeof value === "string" ? bytesOfText(value) : value instanceof JsonNumber ? value.text : jsonOf(value);

function named(request: JsonRequest, name: string, word: string): ByteString[] {
  const value = request.get(name);
  return value === undefined ? [] : [word, jsonOf(value)];
}

/** `query` and `where`. */
export function filterWords(request: JsonRequest): ByteString[] {
  return [...named(request, "query", "QUERY"), ...named(request, "where", "WHERE")];
}

/** `sort`, `limit` and `offset`. */
export function orderWords(request: JsonRequest): ByteString[] {
  const [limit, offset] = [request.get("limit"), request.get("offset")];
  const isWhole = limit === undefined && offset === undefined;
  return [
    ...named(request, "sort", "SORT"),
    ...(isWhole
      ? []
      : ["LIMIT", offset === undefined ? "0" : wordOf(offset), limit === undefined ? ALL : wordOf(limit)]),
  ];
}

/** `fields` and `details`. */
export function shapeWords(request: JsonRequest): ByteString[] {
  return [...named(request, "fields", "FIELDS"), ...(hasDetails(request) ? ["DETAILS"] : [])];
}

/** Whether revisions and expiry times are asked for. */
export function hasDetails(request: JsonRequest): boolean {
  return request.isOn("details");
}

/** `ttl`, seconds, 0: the entry stays. @param forGood  how the command says so, if it must be told */
export function lifetimeWords(request: JsonRequest, forGood: readonly ByteString[]): readonly ByteString[] {
  const ttl = request.get("ttl");
  if (ttl === undefined) return [];
  const seconds = wordOf(ttl);
  return seconds === "0" ? forGood : ["EX", seconds];
}

/** `revision` */
export function revisionWords(request: JsonRequest): ByteString[] {
  const revision = request.get("revision");
  return revision === undefined ? [] : ["REVISION", wordOf(revision)];
}
