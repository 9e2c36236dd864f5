/**
 * The members that a request may have. The original ignores unknown members. Here they are an error if the client could
 * have meant other entries or another change. Source: docs/json-documents.md "Differences from the original".
 */
import type { JsonRequest } from "./json-request.js";

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

/** Returns the error for a member that its action does not have, or null if there is none. */
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
