/**
 * The members that a request may have. The original ignores unknown members; here they are an error where one could
 * have meant other entries or another change. Source: docs/json-documents.md "Differences from the original".
 */
import type { JsonRequest } from "./json-request.js";

/** Members that actions ignore if they have no use for them, as in the original. */
const ORIGINAL = ["action", "document", "data", "id", "query", "auto-increment", "replicate"] as const;
/** Members of all actions: whether errors have codes. */
const EVERYWHERE = ["codes"];
const ORDER = ["sort", "limit", "offset"] as const;

/** The members of each action, the original's first. */
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
/** Actions that select no entries: their unknown members are ignored, unless another action has them. */
const LENIENT: ReadonlySet<string> = new Set([
  "list",
  "getall",
  "getkeys",
  "create",
  "empty",
  "drop",
  "count",
]);
/** Names that other databases use for members that we have: a client that sends them expects an effect. */
const MEANT = ["skip", "filter", "condition", "match", "order", "orderby", "order_by", "page", "top"];

const ORIGINALS: ReadonlySet<string> = new Set(ORIGINAL);
const takenBy: ReadonlyMap<string, ReadonlySet<string>> = new Map(
  Object.entries(TAKEN).map(([action, names]) => [action, new Set([...ORIGINAL, ...EVERYWHERE, ...names])]),
);
const takenByAny: ReadonlySet<string> = new Set([...Object.values(TAKEN).flat(), ...MEANT]);

/** Returns the error for a member that its action does not have; null: there is none. */
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

/** Characters of a name that its error repeats. */
const NAME_CHARS_MAX = 128;

const shown = (name: string) => (name.length <= NAME_CHARS_MAX ? name : `${name.slice(0, NAME_CHARS_MAX)}…`);
