/**
 * A request of the JSON protocol: its members by name, with their values converted as PHP does, and members that the
 * original does not have as arguments of the document commands: which entries, in which order, which parts of them, for
 * how long, and at which revision. Source: docs/json-documents.md.
 */
import { type ByteString, bytesOfText } from "../../../protocol/byte-string.js";
import { NOT_UTF8, parseForeignJson } from "../../../protocol/json/json-reader.js";
import { isContainer, JsonNumber, JsonObject, type JsonValue } from "../../../protocol/json/json-value.js";
import { writeJson } from "../../../protocol/json/json-writer.js";
import { formatPhpNumber, phpNumberOf } from "../../../protocol/json/php-number.js";
import { isTrue } from "../store/commands/loose-equality.js";

export class JsonRequest {
  /** The request as it was sent, without surrounding spaces. */
  readonly text: string;
  readonly #members: JsonObject;

  constructor(text: string, value: JsonValue) {
    this.text = text;
    this.#members = value instanceof JsonObject ? value : new JsonObject();
  }

  /** The names of the members, without duplicates. */
  get names(): readonly string[] {
    return this.#members.names;
  }

  /** Returns the value of a member, or undefined if it is absent or null. */
  get(name: string): JsonValue | undefined {
    return this.#members.get(name) ?? undefined;
  }

  /** The requested action, or undefined if the request names none. */
  get action(): string | undefined {
    const value = this.get("action");
    if (value === undefined) return undefined;
    return isContainer(value) ? "Array" : phpText(value);
  }

  /** The name of the document, or undefined if the request names none. */
  get document(): ByteString | undefined {
    const value = this.get("document");
    if (value === undefined || isContainer(value)) return undefined;
    if (!(value instanceof JsonNumber)) return bytesOfText(value === false ? "0" : phpText(value));
    const number = phpNumberOf(value.text);
    // PHP converts a numeric array key to an integer: it drops the fraction, and all but the lowest 64 bits.
    return String(BigInt.asIntN(64, typeof number === "bigint" ? number : BigInt(Math.trunc(number))));
  }

  /** The id of an entry, or undefined if it is absent or invalid. */
  get id(): ByteString | undefined {
    const value = this.get("id");
    if (typeof value === "string") return bytesOfText(value);
    return value instanceof JsonNumber ? value.text : undefined;
  }

  /** Returns whether a member that is off by default is switched on. */
  isOn(name: string): boolean {
    const value = this.get(name);
    return value !== undefined && isTrue(value);
  }

  /** Returns whether a member that is on by default is switched off. */
  isOff(name: string): boolean {
    const value = this.get(name);
    return value !== undefined && !isTrue(value);
  }
}

/** Returns the string to which PHP converts a value. */
function phpText(value: boolean | string | JsonNumber | null): string {
  if (typeof value === "string") return value;
  if (value instanceof JsonNumber) return formatPhpNumber(phpNumberOf(value.text));
  return value === true ? "1" : "";
}

/** Parses a request. @throws MalformedJson */
export function readRequest(text: string): JsonRequest {
  return new JsonRequest(text, parseForeignJson(text));
}

/**
 * Decodes a line. At the first byte that is not valid UTF-8, the text ends with `NOT_UTF8` instead of that byte and the
 * rest of the line. @param isUtf8  the function of node:buffer
 */
export function textOfLine(line: Buffer, isUtf8: (bytes: Buffer) => boolean): string {
  const text = line.toString("utf8");
  if (isUtf8(line)) return text;

  let bytes = 0;
  for (let from = 0; ; ) {
    const at = text.indexOf("\ufffd", from);
    bytes += Buffer.byteLength(text.slice(from, at));
    if (line[bytes] !== 0xef || line[bytes + 1] !== 0xbf || line[bytes + 2] !== 0xbd)
      return text.slice(0, at) + NOT_UTF8;
    bytes += 3;
    from = at + 1;
  }
}

/** Members that an action ignores if it does not use them, as in the original. */
const ORIGINAL = ["action", "document", "data", "id", "query", "auto-increment", "replicate"] as const;
/** Members of all actions; `codes` requests error codes. */
const EVERYWHERE = ["codes"];
const ORDER = ["sort", "limit", "offset"] as const;

/** The members of each action, with the original's first. */
const MEMBERS: ReadonlyMap<string, readonly string[]> = new Map<string, readonly string[]>(
  Object.entries({
    list: [],
    getall: ["replicate"],
    getkeys: ["document"],
    create: ["document", "replicate"],
    empty: ["document", "replicate"],
    drop: ["document", "replicate"],
    insert: ["document", "data", "auto-increment", "replicate", "ttl", "ids"],
    get: ["document", "id", "query", "where", ...ORDER, "fields", "details", "explain"],
    update: [
      "document",
      "data",
      "id",
      "query",
      "where",
      ...ORDER,
      "upsert",
      "replicate",
      "ttl",
      "revision",
      "explain",
    ],
    delete: ["document", "id", "where", "query", ...ORDER, "replicate", "revision", "explain"],
    count: ["document", "query", "where", "explain"],
    createindex: ["document", "field", "replicate"],
    dropindex: ["document", "field", "replicate"],
    listindexes: ["document"],
    addmember: ["document", "field", "value", "replicate"],
    dropmember: ["document", "field", "replicate"],
    auth: ["user", "password"],
  }),
);
/** Actions that select no entries. They ignore members that no action has, and refuse members of other actions. */
const LENIENT_ACTIONS: ReadonlySet<string> = new Set([
  "list",
  "getall",
  "getkeys",
  "create",
  "empty",
  "drop",
  "count",
]);
/** Names that other databases use for members that we have. A client that sends them expects an effect. */
const OTHER_NAMES = ["skip", "filter", "condition", "match", "order", "orderby", "order_by", "page", "top"];

const ORIGINALS: ReadonlySet<string> = new Set(ORIGINAL);
const membersOf: ReadonlyMap<string, ReadonlySet<string>> = new Map(
  [...MEMBERS].map(([action, names]) => [action, new Set([...ORIGINAL, ...EVERYWHERE, ...names])]),
);
const knownMembers: ReadonlySet<string> = new Set([...[...MEMBERS.values()].flat(), ...OTHER_NAMES]);

/**
 * Returns the error for a member that its action does not have, or null if there is none. The original ignores unknown
 * members. Here they are an error if the client could have meant other entries or another change. Source:
 * docs/json-documents.md "Differences from the original".
 */
export function unknownMember(action: string, request: JsonRequest): string | null {
  const accepted = membersOf.get(action) ?? ORIGINALS;
  const { names } = request;
  for (let at = 0; at < names.length; at++) {
    const name = names[at] as string;
    if (accepted.has(name) || request.get(name) === undefined) continue;
    if (LENIENT_ACTIONS.has(action) && !knownMembers.has(name)) continue;
    const own = MEMBERS.get(action) ?? [];
    const list = own.length === 0 ? "none" : own.join(", ");
    return `The action '${action}' has no member '${shown(name)}'. Its members are: ${list}.`;
  }

  return null;
}

/** Maximum characters of a name that its error repeats. */
const NAME_CHARS_MAX = 128;

const shown = (name: string) => (name.length <= NAME_CHARS_MAX ? name : `${name.slice(0, NAME_CHARS_MAX)}…`);

/** The count for a request that has only `offset`. */
const ALL = String(Number.MAX_SAFE_INTEGER);

const jsonOf = (value: JsonValue): ByteString => bytesOfText(writeJson(value));
/** Returns a scalar as an argument; the command refuses other values. */
const argumentOf = (value: JsonValue): ByteString =>
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
