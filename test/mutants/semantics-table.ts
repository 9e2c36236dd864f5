/** The rules of CLUSTER SEMANTICS, each broken in one position. */
import type { Mutant } from "./mutant.js";

const FOLD = "test/timeline/fold/semantics.test.js";
const COLLECTIONS = "test/timeline/fold/collection-semantics.test.js";
const IDS = "test/timeline/fold/document-ids.test.js";
const DOCUMENTS = "test/timeline/fold/document-semantics.test.js";
const EQUALITY = "test/store/commands/documents/loose-equality.test.js";
const TIMELINE = "test/timeline/standstill.test.js";

export const semanticsMutants: readonly Mutant[] = [
  {
    name: "semantics: by the newest version, not the place's",
    file: "timeline/fold/fold.js",
    find: "table: ring.tableAt(unit) };",
    replace: "table: ring.newest.table };",
    test: FOLD,
  },
  {
    name: "semantics: a late switch does nothing again",
    file: "timeline/fold/fold.js",
    find: "if (!unit.hasSameMeaning(this.#ring.tableAt(unit), table))",
    replace: "if (false)",
    test: FOLD,
  },
  {
    name: "semantics: touches by the newest table alone",
    file: "timeline/fold/unit.js",
    find: "if (!known.isAlike)",
    replace: "if (false)",
    test: FOLD,
  },
  {
    name: "semantics: what a unit is, by the newest table alone",
    file: "timeline/fold/unit.js",
    find: "known.isAlike ? kind :",
    replace: "true ? kind :",
    test: FOLD,
  },
  {
    name: "semantics: what cannot be run by one version cannot by the next",
    file: "timeline/fold/unit.js",
    find: "if (isAlike && this.command !== null && table.has(this.command))",
    replace: "if (isAlike && (this.command === null || table.has(this.command)))",
    test: COLLECTIONS,
  },
  {
    name: "semantics: recorded statements of collections have a dialect before version 3",
    file: "store/commands/collections/mdb.js",
    find: "run: byVersion(false, run)",
    replace: "run: byVersion(true, run)",
    test: COLLECTIONS,
  },
  {
    name: "semantics: collections are renamed before version 3",
    file: "store/semantics.js",
    find: "!laterCollections.has(name)",
    replace: "name !== ''",
    test: COLLECTIONS,
  },
  {
    name: "semantics: what only reads is not there before its version",
    file: "store/semantics.js",
    find: "row instanceof CommandFailure && !command.writes",
    replace: "false",
    test: "test/timeline/fold/collection-semantics.test.js",
  },
  {
    name: "semantics: an unknown version is the last one known",
    file: "timeline/fold/apply.js",
    find: "if (table === null)\n        return notApplied(unit);",
    replace: "if (table === null)\n        table = unit.table;",
    test: FOLD,
  },
  {
    name: "semantics: a standstill is cut",
    file: "timeline/fold/fold.js",
    find: "const at = this.end === null ? to : Math.min(to, this.end.at - 1);",
    replace: "const at = to;",
    test: FOLD,
  },
  {
    name: "semantics: what was left out stays so when it counts",
    file: "timeline/fold/fold.js",
    find: "if (this.#hasPassed && isEarlier(this.end, refolded.end))",
    replace: "if (false)",
    test: FOLD,
  },
  {
    name: "semantics: rules are read by the rows of before",
    file: "store/key-ring.js",
    find: "for (const record of this.#records.values())\n            this.#put({ ...record, acl: new Acl(record.rules, table) });",
    replace: "",
    test: FOLD,
  },
  {
    name: "semantics: a number may be left out",
    file: "store/key-ring.js",
    find: "if (number !== next)",
    replace: "if (number < next)",
    test: FOLD,
  },
  {
    name: "semantics: the watermark rises over a standstill",
    file: "timeline/folding.js",
    find: "return this.#fold.end !== null;",
    replace: "return false;",
    test: TIMELINE,
  },
  {
    name: "semantics: a standstill answers for what it left out",
    file: "timeline/standstill.js",
    find: "return end === null ? folded :",
    replace: "return true ? folded :",
    test: TIMELINE,
  },
  {
    name: "semantics: recorded writes of documents compare as those of today",
    file: "store/semantics.js",
    find: ", ...recordedDocuments]",
    replace: "]",
    test: DOCUMENTS,
  },
  {
    name: "semantics: recorded changes of documents compare as those of today",
    file: "store/commands/documents/document-updates.js",
    find: "?? null, value, form)",
    replace: '?? null, value, "standard")',
    test: DOCUMENTS,
  },
  {
    name: "semantics: recorded choices of entries compare as those of today",
    file: "store/commands/documents/document-choice.js",
    find: "selectionOf(options, form)",
    replace: "selectionOf(options)",
    test: DOCUMENTS,
  },
  {
    name: "ids: recorded inserts that count on from the highest number succeed before the switch",
    file: "store/commands/documents/documents.js",
    find: '["DOC.INSERT", insertAsRecorded],',
    replace: "",
    test: IDS,
  },
  {
    name: "ids: an acknowledged insert fails behind the highest number",
    file: "store/commands/documents/document-inserts.js",
    find: 'if (!isFolded || form === "recorded")',
    replace: "if (true)",
    test: IDS,
  },
  {
    name: "ids: spare numbers replace each other's entries",
    file: "store/commands/documents/document-inserts.js",
    find: "let number = NUMBERS_END + slotOf(unit);",
    replace: "let number = NUMBERS_END; document = { get: () => undefined };",
    test: IDS,
  },
  {
    name: "ids: counting gives deleted numbers again",
    file: "store/values/documents/document.js",
    find: "return this.#keyed?.next ?? this.#texts.length;",
    replace: "return this.size;",
    test: IDS,
  },
  {
    name: "ids: an insert that is undone keeps its number",
    file: "store/keyspace/undo.js",
    find: "document.pop(next)",
    replace: "document.pop(document.next)",
    test: IDS,
  },
  {
    name: "ids: peers do not count",
    file: "listeners/json/actions/document-client.js",
    find: 'carries ? "long" : "counted"',
    replace: '"long"',
    test: "test/listeners/json/recorded.test.js",
  },
  {
    name: "equality: an integer of more than 64 bits is compared as a double",
    file: "store/commands/documents/loose-equality.js",
    find: "INTEGER_TEXT.test(a) : secondSign",
    replace: "false : secondSign",
    test: EQUALITY,
  },
];
