/**
 * Documents: tables of JSON entries, as the replicated memory database keeps them, whose clients daemon/listeners/json
 * serves. The answers here are Redis's; texts of errors are that server's. Source: test/vectors/json; docs/json-documents.md.
 */
import { type ByteString, bytesOfText } from "../../protocol/byte-string.js";
import { array, bulk, bulks, integer, map, OK, type Reply } from "../../protocol/reply.js";
import { family } from "../command.js";
import { custom, wrongType } from "../errors.js";
import { read, update, wholeDb, write } from "../key-spec.js";
import type { Data, Typed } from "../mutators.js";
import type { Unit } from "../unit.js";
import { Document } from "../values/document.js";
import { deleteEntry, empty, updateDocument } from "./document-changes.js";
import { documentOf, namesOf, noEntry } from "./document-entries.js";
import { createIndex, dropIndex, listIndexes } from "./document-indexes.js";
import { insert } from "./document-inserts.js";
import { count, entriesReply, get } from "./document-reads.js";
import { firstPresent, present } from "./document-selection.js";

export const documents = family("document", {
  "DOC.COUNT": {
    arity: -2,
    flags: ["readonly"],
    keys: [read(1)],
    since: "",
    complexity:
      "O(1), with QUERY or WHERE O(N), N: entries; with an index O(log(N)+M), M: those it leaves to look at",
    summary: "How many entries a document has, or how many of them match.",
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
    arity: -3,
    flags: ["write"],
    keys: [write(1)],
    since: "",
    complexity: "O(N), N: entries",
    summary: "Removes an entry, if it has the revision that is named.",
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
    complexity:
      "O(N), N: entries; with ID O(log(N)); with an index O(log(N)+M), M: those it leaves to look at; SORT adds O(M*log(M))",
    summary: "A document's entries with their ids: all, one, or those that match, sorted, a part of each.",
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
  "DOC.INDEX|CREATE": {
    arity: 4,
    flags: ["write", "denyoom"],
    keys: [write(2)],
    since: "",
    complexity: "O(1); the first read that uses it O(N*log(N)), N: entries",
    summary: "Gives the entries of a document an index of a member. 0 if it was there.",
    run: createIndex,
  },
  "DOC.INDEX|DROP": {
    arity: 4,
    flags: ["write"],
    keys: [write(2)],
    since: "",
    complexity: "O(1)",
    summary: "Takes the index of a member away. 0 if there was none.",
    run: dropIndex,
  },
  "DOC.INDEX|LIST": {
    arity: 3,
    flags: ["readonly", "fast"],
    keys: [read(2)],
    since: "",
    complexity: "O(N), N: indexes of the document",
    summary: "Names of the members that have an index.",
    run: listIndexes,
  },
  "DOC.INSERT": {
    arity: -2,
    flags: ["write", "denyoom"],
    keys: [update(1)],
    since: "",
    complexity: "O(M), M: entries added",
    summary:
      "Adds entries to a document, under numbers or given keys, for a time or for good: all of them, or none.",
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
    summary:
      "Changes members of an entry, if it has the revision that is named, or gives a document other entries altogether.",
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

function getAll(data: Data, _: readonly ByteString[], { at }: Unit): Reply {
  return map(
    documentsOf(data).flatMap(({ key, value }) => [bulk(key), entriesReply(present(value, at), value)]),
  );
}

function getKeys(data: Data, argv: readonly ByteString[], { at }: Unit): Reply {
  const first = firstPresent(documentOf(data, argv[1]!).value, at);
  const names = namesOf(first);
  if (names === undefined || first === undefined) throw noEntry();
  return array([bulk(first[0]), bulks(names.map(bytesOfText))]);
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
