/**
 * Documents: tables of JSON entries, as the replicated memory database keeps them, whose clients daemon/listeners/json
 * serves. The answers here are Redis's; texts of errors are that server's. Source: test/vectors/json; docs/json-documents.md.
 */
import { type ByteString, bytesOfText } from "../../protocol/byte-string.js";
import type { JsonValue } from "../../protocol/json-value.js";
import { array, bulk, bulks, integer, map, OK, type Reply, ZERO } from "../../protocol/reply.js";
import { family } from "../command.js";
import { custom, syntaxError, wrongType } from "../errors.js";
import { read, update, wholeDb, write } from "../key-spec.js";
import type { Data, Typed } from "../mutators.js";
import type { Unit } from "../unit.js";
import { Document } from "../values/document.js";
import { deleteEntry, empty, updateDocument } from "./document-changes.js";
import { documentOf, jsonArgument, keyOf, namesOf, noEntry } from "./document-entries.js";
import { insert } from "./document-inserts.js";
import { matching } from "./document-queries.js";

export const documents = family("document", {
  "DOC.COUNT": {
    arity: -2,
    flags: ["readonly"],
    keys: [read(1)],
    since: "",
    complexity: "O(1), with QUERY O(N), N: entries",
    summary: "How many entries a document has, or how many of them match a query.",
    run: count,
  },
  "DOC.CREATE": {
    arity: 2,
    flags: ["write", "denyoom", "fast"],
    keys: [write(1)],
    since: "",
    complexity: "O(1)",
    summary: "Makes a document without entries.",
    run: create,
  },
  "DOC.DELETE": {
    arity: 3,
    flags: ["write"],
    keys: [write(1)],
    since: "",
    complexity: "O(N), N: entries",
    summary: "Removes an entry.",
    run: deleteEntry,
  },
  "DOC.DROP": {
    arity: 2,
    flags: ["write"],
    keys: [write(1)],
    since: "",
    complexity: "O(1)",
    summary: "Removes a document.",
    run: drop,
  },
  "DOC.EMPTY": {
    arity: 2,
    flags: ["write"],
    keys: [write(1)],
    since: "",
    complexity: "O(1)",
    summary: "Removes all entries of a document, which stays.",
    run: (data, argv) => integer(empty(data, argv)),
  },
  "DOC.GET": {
    arity: -2,
    flags: ["readonly"],
    keys: [read(1)],
    since: "",
    complexity: "O(N), N: entries; with ID O(log(N))",
    summary: "A document's entries with their ids: all, one, or those that match a query.",
    run: get,
  },
  "DOC.GETALL": {
    arity: 1,
    flags: ["readonly"],
    keys: wholeDb("read"),
    since: "",
    complexity: "O(N), N: keys of the database, and entries of all documents",
    summary: "All documents of the database with their entries, the oldest first.",
    run: getAll,
  },
  "DOC.GETKEYS": {
    arity: 2,
    flags: ["readonly", "fast"],
    keys: [read(1)],
    since: "",
    complexity: "O(1)",
    summary: "The id of a document's first entry, and the names of its members, which all entries share.",
    run: getKeys,
  },
  "DOC.INSERT": {
    arity: -2,
    flags: ["write", "denyoom"],
    keys: [update(1)],
    since: "",
    complexity: "O(M), M: entries added",
    summary: "Adds entries to a document, under numbers or given keys: all of them, or none.",
    run: insert,
  },
  "DOC.LIST": {
    arity: 1,
    flags: ["readonly"],
    keys: wholeDb("read"),
    since: "",
    complexity: "O(N), N: keys of the database",
    summary: "The names of all documents of the database, the oldest first.",
    run: (data) => bulks(documentsOf(data).map(({ key }) => key)),
  },
  "DOC.UPDATE": {
    arity: -3,
    flags: ["write", "denyoom"],
    keys: [update(1)],
    since: "",
    complexity: "O(1), and with a list O(M), M: its entries",
    summary: "Changes members of an entry, or gives a document other entries altogether.",
    run: updateDocument,
  },
});

function create(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  const entry = data.get(argv[1]!);
  if (entry !== undefined && !(entry.value instanceof Document)) throw wrongType();
  if (entry !== undefined) throw custom("ERR Document provided already exist.");
  data.put(argv[1]!, new Document(bornOf(unit)));
  return OK;
}

/** Rises in the order in which units are applied. */
function bornOf({ at, seq = 0, id, step = 0 }: Unit): ByteString {
  const date = at.toString(16).padStart(14, "0");
  return `${date}${seq.toString(16).padStart(4, "0")}${id}${step.toString(16).padStart(8, "0")}`;
}

/** The original's word for a document that is not there. */
function drop(data: Data, argv: readonly ByteString[]): Reply {
  if (data.getAs(Document, argv[1]!) === undefined) throw custom("ERR Document provided already exist.");
  data.delete(argv[1]!);
  return OK;
}

function count(data: Data, argv: readonly ByteString[]): Reply {
  const { query } = optionsOf(argv);
  const document = data.getAs(Document, argv[1]!)?.value;
  if (document === undefined) return ZERO;
  return integer(query === undefined ? document.size : countOf(matching(document, query)));
}

function get(data: Data, argv: readonly ByteString[]): Reply {
  const { id, query } = optionsOf(argv);
  const { value: document } = documentOf(data, argv[1]!);
  if (id === undefined && query === undefined) return map(itemsOf(document.entries()));
  if (id === undefined) return map(itemsOf(matching(document, query as JsonValue)));
  const key = keyOf(document, id);
  return map(key === undefined ? [] : [bulk(key), bulk(document.get(key) as ByteString)]);
}

function getAll(data: Data): Reply {
  return map(documentsOf(data).flatMap(({ key, value }) => [bulk(key), map(itemsOf(value.entries()))]));
}

function getKeys(data: Data, argv: readonly ByteString[]): Reply {
  const { value: document } = documentOf(data, argv[1]!);
  const names = namesOf(document);
  if (names === undefined || document.first === undefined) throw noEntry();
  return array([bulk(document.first[0]), bulks(names.map(bytesOfText))]);
}

/** `[ID id]` or `[QUERY json]`. @throws CommandFailure */
function optionsOf(argv: readonly ByteString[]): { id?: ByteString; query?: JsonValue } {
  if (argv.length === 2) return {};
  const [word, value] = [argv[2]?.toUpperCase(), argv[3]];
  if (argv.length !== 4 || value === undefined) throw syntaxError();
  if (word === "ID") return { id: value };
  if (word === "QUERY") return { query: jsonArgument(value) };
  throw syntaxError();
}

/** The oldest first. */
function documentsOf(data: Data): Typed<Document>[] {
  const found = data
    .keyspace()
    .entries.filter(
      ({ key, value }) => value instanceof Document && data.get(key) !== undefined,
    ) as Typed<Document>[];
  return found.sort((a, b) => compare(a.value.born, b.value.born) || compare(a.key, b.key));
}

const compare = (a: string, b: string) => (a < b ? -1 : Number(a > b));

function itemsOf(entries: Iterable<readonly [key: ByteString, text: ByteString]>): Reply[] {
  const items: Reply[] = [];
  for (const [key, text] of entries) items.push(bulk(key), bulk(text));
  return items;
}

function countOf(entries: Iterable<unknown>): number {
  let found = 0;
  for (const _ of entries) found++;
  return found;
}
