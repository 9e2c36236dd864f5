/**
 * Which members a request may have. The original passes over what it does not know; here that is an error where the member could have
 * meant that something else is to be found or changed. Source: docs/json-documents.md "Differences from the original".
 */
import type { JsonRequest } from "./request.js";

/** Passed over by actions that have no use for them, as in the original. */
const ORIGINAL = ["action", "document", "data", "id", "query", "auto-increment", "replicate"] as const;
/** Taken by all: how errors are told. */
const EVERYWHERE = ["codes"];
const ORDER = ["sort", "limit", "offset"] as const;

/** What each action takes, the original's members by which it is meant first. */
const TAKEN: Readonly<Record<string, readonly string[]>> = {
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
};
/** Actions that find and change no entries by what they are given: of these strange members are passed over that mean nothing anywhere. */
const LENIENT: ReadonlySet<string> = new Set([
  "list",
  "getall",
  "getkeys",
  "create",
  "empty",
  "drop",
  "count",
]);
/** What other databases call members that we have: nobody sends them for nothing. */
const MEANT = ["skip", "filter", "condition", "match", "order", "orderby", "order_by", "page", "top"];

const ORIGINALS: ReadonlySet<string> = new Set(ORIGINAL);
const takenBy: ReadonlyMap<string, ReadonlySet<string>> = new Map(
  Object.entries(TAKEN).map(([action, names]) => [action, new Set([...ORIGINAL, ...EVERYWHERE, ...names])]),
);
const takenByAny: ReadonlySet<string> = new Set([...Object.values(TAKEN).flat(), ...MEANT]);

/** @returns what is wrong; null: it has no member that its action does not take */
export function memberFault(action: string, request: JsonRequest): string | null {
  const taken = takenBy.get(action) ?? ORIGINALS;
  const { names } = request;
  for (let at = 0; at < names.length; at++) {
    const name = names[at] as string;
    if (taken.has(name) || request.get(name) === undefined) continue;
    if (LENIENT.has(action) && !takenByAny.has(name)) continue;
    const there = TAKEN[action] ?? [];
    const list = there.length === 0 ? "none" : there.join(", ");
    return `The action '${action}' has no member '${shown(name)}'. Its members are: ${list}.`;
  }
  return null;
}

/** Characters of a name that are repeated. */
const NAME_CHARS_MAX = 128;

const shown = (name: string) => (name.length <= NAME_CHARS_MAX ? name : `${name.slice(0, NAME_CHARS_MAX)}…`);
