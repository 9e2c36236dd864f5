/**
 * SORT: returns the elements of a list, set or sorted set, sorted by number or by bytes, or by the values of other
 * keys. Behaviour and error texts are those of Redis 7; test/conformance checks them. With ALPHA, Redis compares by the
 * server's locale, up to a NUL byte; here all bytes are always compared.
 */

import { custom, syntaxError, wrongType } from "../../../../daemon/store/arguments/command-errors.js";
import { doubleArgument, indexArgument } from "../../../../daemon/store/arguments/number-arguments.js";
import { optionStoredEvent } from "../../../../daemon/store/events/event-rules.js";
import { BYTES_PER_STEP } from "../../../../daemon/store/keyspace/effort-budget.js";
import type { Data } from "../../../../daemon/store/keyspace/mutators.js";
import { family, sourcesLookedUp } from "../../../../daemon/store/rows/command-row.js";
import { SORT_READING_SEARCH, SORT_SEARCH } from "../../../../daemon/store/rows/key-searches.js";
import { read, type Touch, touchesOf, write } from "../../../../daemon/store/rows/key-spec.js";
import { Hash } from "../../../../daemon/store/values/hash.js";
import { List } from "../../../../daemon/store/values/list.js";
import { MemberSet } from "../../../../daemon/store/values/member-set.js";
import { SortedSet } from "../../../../daemon/store/values/sorted-set.js";
import { STRING_BYTES_MAX, type Value } from "../../../../daemon/store/values/value.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { bulksReply } from "../../../../protocol/lazy-replies.js";
import { array, bulkOrNil, integer, type Reply } from "../../../../protocol/reply.js";

export const sorting = family("list", {
  SORT: {
    arity: -2,
    flags: ["write", "denyoom", "movablekeys"],
    keys: sortKeys,
    keyRange: [1, 1, 1],
    since: "1.0.0",
    complexity: "O(N+M*log(M)), N: elements, M: elements returned",
    categories: ["set", "sortedset", "dangerous"],
    summary: "Sorts the elements of a list, set or sorted set, and stores them on request.",
    events: optionStoredEvent("l", "sortstore", /^store$/i, 2),
    lookedUp: sourcesLookedUp,
    keyFlags: ["RO access", "RO access", "OW update"],
    keySearches: SORT_SEARCH,
    run: (data, argv) => sort(data, argv[1]!, sortRequest(argv, true)),
  },
  SORT_RO: {
    arity: -2,
    flags: ["readonly", "movablekeys"],
    keys: (argv) => sortKeys(argv).filter(({ access }) => access === "read"),
    keyRange: [1, 1, 1],
    since: "7.0.0",
    complexity: "O(N+M*log(M)), N: elements, M: elements returned",
    categories: ["set", "sortedset", "dangerous"],
    summary: "Sorts the elements of a list, set or sorted set, without storing them.",
    keyFlags: ["RO access", "RO access"],
    keySearches: SORT_READING_SEARCH,
    run: (data, argv) => sort(data, argv[1]!, sortRequest(argv, false)),
  },
});

interface SortRequest {
  /**
   * A pattern for the keys whose values are the weights by which the elements are sorted, or null if the elements are
   * their own weights.
   */
  readonly by: KeyPattern | null;
  /** Whether the elements are not sorted, because the pattern of BY names no keys. */
  readonly keepsOrder: boolean;
  readonly gets: readonly (KeyPattern | "element" | "nothing")[];
  readonly descending: boolean;
  readonly alpha: boolean;
  readonly start: number;
  /** The number of elements to return; a negative number means all elements. */
  readonly count: number;
  readonly destination: ByteString | null;
}

/** `prefix*suffix` or `prefix*suffix->field`: the element replaces the star. */
interface KeyPattern {
  readonly prefix: ByteString;
  readonly suffix: ByteString;
  readonly field: ByteString | null;
}

/** The smallest positive double with full precision. Redis returns an error for smaller numbers. */
const NORMAL_MIN = 2 ** -1022;

/** Number of arguments after each option. */
const OPERANDS: Readonly<Record<string, number>> = {
  ASC: 0,
  DESC: 0,
  ALPHA: 0,
  LIMIT: 2,
  BY: 1,
  GET: 1,
  STORE: 1,
};

/** Returns the keys of SORT. If a pattern derives key names from elements, the complete database counts as read. */
function sortKeys(argv: readonly ByteString[]): Touch[] {
  const touches = touchesOf([read(1)], argv);
  let store = 0;
  for (let i = 2; i < argv.length; i++) {
    const option = argv[i]!.toUpperCase();
    if (option === "STORE" && i + 1 < argv.length) store = i + 1;
    i += OPERANDS[option] ?? 0;
  }
  if (store !== 0) touches.push(...touchesOf([write(store)], argv));
  if (patternOption("SORT", argv) !== null) touches.push({ db: null, key: null, access: "read" });
  return touches;
}

/** Returns the first option of SORT or SORT_RO that reads keys which no argument names, or null if there is none. */
export function patternOption(name: string, argv: readonly ByteString[]): "BY" | "GET" | null {
  if (name !== "SORT" && name !== "SORT_RO") return null;
  for (let i = 2; i < argv.length; i++) {
    const option = argv[i]!.toUpperCase();
    if ((option === "BY" || option === "GET") && keyPattern(argv[i + 1] ?? "") !== null) return option;
    i += OPERANDS[option] ?? 0;
  }
  return null;
}

/**
 * Returns a command that sorts by the elements' bytes, as a replacement for a SORT or SORT_RO that keeps their order
 * because its BY names no keys. Returns null for any other command.
 */
export function sortedInstead(name: string, argv: readonly ByteString[]): readonly ByteString[] | null {
  if (name !== "SORT" && name !== "SORT_RO") return null;
  const sorted = argv.slice(0, 2);
  let keepsOrder = false;
  for (let i = 2; i < argv.length; i++) {
    const option = argv[i]!.toUpperCase();
    const operands = OPERANDS[option] ?? 0;
    if (option === "BY") keepsOrder ||= keyPattern(argv[i + 1] ?? "*") === null;
    else sorted.push(...argv.slice(i, i + operands + 1));
    i += operands;
  }

  return keepsOrder ? [...sorted, "ALPHA"] : null;
}

/** @throws CommandFailure */
function sortRequest(argv: readonly ByteString[], mayStore: boolean): SortRequest {
  const request = {
    by: null as KeyPattern | null,
    keepsOrder: false,
    gets: [] as (KeyPattern | "element" | "nothing")[],
    descending: false,
    alpha: false,
    start: 0,
    count: -1,
    destination: null as ByteString | null,
  };
  for (let i = 2; i < argv.length; i++) {
    const option = argv[i]!.toUpperCase();
    const operands = OPERANDS[option];
    if (operands === undefined || i + operands >= argv.length) throw syntaxError();

    const operand = argv[i + 1] ?? "";
    if (option === "ASC" || option === "DESC") request.descending = option === "DESC";
    else if (option === "ALPHA") request.alpha = true;
    else if (option === "LIMIT") {
      request.start = indexArgument(operand);
      request.count = indexArgument(argv[i + 2]!);
    } else if (option === "BY") {
      request.by = keyPattern(operand);
      // The flag remains set, even if another BY follows.
      if (request.by === null) request.keepsOrder = true;
    } else if (option === "GET") {
      request.gets.push(cText(operand) === "#" ? "element" : (keyPattern(operand) ?? "nothing"));
    } else if (mayStore) request.destination = operand;
    else throw syntaxError();
    i += operands;
  }

  return request;
}

/** Cost in steps of each element that is fetched. */
const FETCHED_STEPS = 9;
/** Cost in steps of sorting each element, by its number or by its text. */
const ORDERED_STEPS = { number: 11, text: 32 };
/** Cost in steps of each `BYTES_PER_STEP` bytes of an element's text, which is compared several times. */
const COMPARED_BYTES_STEPS = 2;

function sort(data: Data, key: ByteString, request: SortRequest): Reply {
  const value = data.get(key)?.value;
  // Each element is fetched and weighed; the size of a collection is known in advance.
  const size = value === undefined || typeof value === "string" ? 0 : value.size;
  const isOrdered = !request.keepsOrder || value instanceof MemberSet;
  const ordering = ORDERED_STEPS[request.alpha || request.keepsOrder ? "text" : "number"];
  data.effort.work(size * (FETCHED_STEPS + (isOrdered ? ordering : 0) + request.gets.length));
  const ordered = sortedElements(data, value, request);
  // As in Redis, a start after the last element yields no elements, and an end after the last element means the last
  // element.
  const from = Math.min(Math.max(request.start, 0), ordered.length);
  const to = request.count < 0 ? ordered.length : Math.min(from + request.count, ordered.length);
  const elements = ordered.slice(from, to);
  const { gets, destination } = request;
  const answers =
    gets.length === 0
      ? elements
      : elements.flatMap((element) => gets.map((get) => fetched(data, get, element)));
  if (destination === null)
    return gets.length === 0 ? bulksReply("array", elements) : array(answers.map(bulkOrNil));

  if (answers.length > 0) {
    const list = new List();
    for (const answer of answers) list.push("right", answer ?? "");
    data.put(destination, list);
  } else if (data.get(destination) !== undefined) data.delete(destination);

  return integer(answers.length);
}

/** Returns all elements in the requested order. @throws CommandFailure */
function sortedElements(data: Data, value: Value | undefined, request: SortRequest): ByteString[] {
  const elements = elementsOf(value);
  const { keepsOrder, descending, destination } = request;
  if (!keepsOrder) return ordered(data, elements, request);
  // The order of a set differs between servers, so a stored result is always sorted.
  if (value instanceof MemberSet && destination !== null)
    return ordered(data, elements, { ...request, by: null, alpha: true });
  return descending && !(value instanceof MemberSet) ? elements.reverse() : elements;
}

/** @throws CommandFailure if the value has another type */
function elementsOf(value: Value | undefined): ByteString[] {
  if (value === undefined) return [];
  if (value instanceof List) return value.slice();
  if (value instanceof MemberSet) return [...value.members];
  if (value instanceof SortedSet) return Array.from(value.range(0, value.size), ([member]) => member);
  throw wrongType();
}

/**
 * Sorts elements by their weights. Elements whose weights are equal numbers are ordered by their bytes; elements whose
 * weights are equal texts keep their order.
 */
function ordered(data: Data, elements: readonly ByteString[], request: SortRequest): ByteString[] {
  const { by, alpha, descending } = request;
  const sign = descending ? -1 : 1;
  const textOf = (element: ByteString) => (by === null ? element : valueAt(data, by, element));
  if (alpha) {
    const weighed = elements.map((element) => {
      const weight = textOf(element);
      data.effort.work((COMPARED_BYTES_STEPS * (weight?.length ?? 0)) / BYTES_PER_STEP);
      return { element, weight };
    });
    return weighed.sort((a, b) => sign * compareTexts(a.weight, b.weight)).map(({ element }) => element);
  }

  const weighed = elements.map((element) => ({ element, weight: score(textOf(element)) }));
  return weighed
    .sort((a, b) => sign * (compare(a.weight, b.weight) || compare(a.element, b.element)))
    .map(({ element }) => element);
}

function compare<T extends number | string>(one: T, other: T): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

/** Compares texts; an absent one comes first. */
function compareTexts(one: ByteString | undefined, other: ByteString | undefined): number {
  if (one === undefined || other === undefined)
    return Number(one !== undefined) - Number(other !== undefined);
  return compare(one, other);
}

/**
 * Returns a number as C's `strtod` reads it: ignores leading spaces and anything after a NUL byte.
 * @throws CommandFailure
 */
function score(bytes: ByteString | undefined): number {
  const text = cText(bytes ?? "");
  if (text === "") return 0;
  const value = doubleArgument(text.replace(/^[ \t\n\v\f\r]+/, ""), notNumeric);
  if (value !== 0 && Math.abs(value) < NORMAL_MIN) throw notNumeric();
  return value;
}

const notNumeric = () => custom("ERR One or more scores can't be converted into double");

function fetched(
  data: Data,
  get: KeyPattern | "element" | "nothing",
  element: ByteString,
): ByteString | undefined {
  if (get === "element") return element;
  return get === "nothing" ? undefined : valueAt(data, get, element);
}

/** Returns the value of the string, or of the hash field, that a pattern names for an element. */
function valueAt(
  data: Data,
  { prefix, suffix, field }: KeyPattern,
  element: ByteString,
): ByteString | undefined {
  // No key is that long, and V8 could not create the string.
  if (prefix.length + element.length + suffix.length > STRING_BYTES_MAX) return undefined;
  const value = data.get(prefix + element + suffix)?.value;
  if (field !== null) return value instanceof Hash ? value.get(field) : undefined;
  return typeof value === "string" ? value : undefined;
}

/** Parses a pattern. Returns null if the text has no star and therefore names no keys. */
function keyPattern(pattern: ByteString): KeyPattern | null {
  const text = cText(pattern);
  const star = text.indexOf("*");
  if (star < 0) return null;
  const prefix = pattern.slice(0, star);
  const arrow = text.indexOf("->", star + 1);
  // An arrow at the end is part of the key.
  if (arrow < 0 || arrow + 2 === text.length) return { prefix, suffix: pattern.slice(star + 1), field: null };
  return { prefix, suffix: pattern.slice(star + 1, arrow), field: pattern.slice(arrow + 2) };
}

/** Returns the bytes before the first NUL byte, which ends a string in C. */
function cText(bytes: ByteString): ByteString {
  const end = bytes.indexOf("\0");
  return end < 0 ? bytes : bytes.slice(0, end);
}
