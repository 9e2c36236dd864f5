/**
 * Converts members that the original does not have into arguments of the document commands: which entries, in which
 * order, which parts of them, for how long, and at which revision. Source: docs/json-documents.md.
 */
import { type ByteString, bytesOfText } from "../../../protocol/byte-string.js";
import { JsonNumber, type JsonValue } from "../../../protocol/json/json-value.js";
import { writeJson } from "../../../protocol/json/json-writer.js";
import type { JsonRequest } from "./json-request.js";

/** The count for a request that has only `offset`. */
const ALL = String(Number.MAX_SAFE_INTEGER);

const jsonOf = (value: JsonValue): ByteString => bytesOfText(writeJson(value));
/** Returns a scalar as an argument; the command refuses other values. */
export const argumentOf = (value: JsonValue): ByteString =>
  typeof value === "string" ? bytesOfText(value) : value instanceof JsonNumber ? value.text : jsonOf(value);

function jsonArgument(request: JsonRequest, name: string, word: string): ByteString[] {
  const value = request.get(name);
  return value === undefined ? [] : [word, jsonOf(value)];
}

/** Returns the arguments for `query` and `where`. */
export function filterArguments(request: JsonRequest): ByteString[] {
  return [...jsonArgument(request, "query", "QUERY"), ...jsonArgument(request, "where", "WHERE")];
}

/** Returns the arguments for `sort`, `limit` and `offset`. */
export function orderArguments(request: JsonRequest): ByteString[] {
  const [limit, offset] = [request.get("limit"), request.get("offset")];
  const isComplete = limit === undefined && offset === undefined;
  return [
    ...jsonArgument(request, "sort", "SORT"),
    ...(isComplete
      ? []
      : [
          "LIMIT",
          offset === undefined ? "0" : argumentOf(offset),
          limit === undefined ? ALL : argumentOf(limit),
        ]),
  ];
}

/** Returns the arguments for `fields` and `details`. */
export function resultArguments(request: JsonRequest): ByteString[] {
  return [...jsonArgument(request, "fields", "FIELDS"), ...(hasDetails(request) ? ["DETAILS"] : [])];
}

/** Returns whether the request has `details`, which adds revisions and expiry times. */
export function hasDetails(request: JsonRequest): boolean {
  return request.isOn("details");
}

/**
 * Returns the arguments for `ttl`, in seconds; 0: the entry does not expire. @param permanent  the command's arguments
 * for a permanent entry, if it needs any
 */
export function lifetimeArguments(
  request: JsonRequest,
  permanent: readonly ByteString[],
): readonly ByteString[] {
  const ttl = request.get("ttl");
  if (ttl === undefined) return [];
  const seconds = argumentOf(ttl);
  return seconds === "0" ? permanent : ["EX", seconds];
}

/** Returns the arguments for `revision`. */
export function revisionArguments(request: JsonRequest): ByteString[] {
  const revision = request.get("revision");
  return revision === undefined ? [] : ["REVISION", argumentOf(revision)];
}
