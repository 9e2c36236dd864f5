/** Mutants of the rules of CLUSTER SEMANTICS. */
import type { Mutant } from "./mutant.js";

const TABLES = "test/tables/semantics.test.js";
const FOLD = "test/daemon/timeline/fold/semantics.test.js";
const IDS = "test/daemon/timeline/fold/document-ids.test.js";
const EQUALITY = "test/faces/json/store/commands/loose-equality.test.js";
const TIMELINE = "test/daemon/timeline/semantics-standstill.test.js";

export const semanticsMutants: readonly Mutant[] = [
  {
    name: "semantics: the newest version is used instead of that of the position",
    file: "daemon/timeline/fold/fold.js",
    find: "table: ring.tableAt(unit) };",
    replace: "table: ring.newest.table };",
    test: FOLD,
  },
  {
    name: "semantics: a late switch reapplies nothing",
    file: "daemon/timeline/fold/fold.js",
    find: "if (!unit.hasSameMeaning(this.#ring.tableAt(unit), table))",
    replace: "if (false)",
    test: FOLD,
  },
  {
    name: "semantics: a command that is invalid in one version is invalid in the next one",
    file: "daemon/timeline/fold/fold-unit.js",
    find: "if (this.command !== null && table.has(this.command))",
    replace: "if (this.command === null || table.has(this.command))",
    test: FOLD,
  },
  {
    name: "semantics: a read command does not exist before its version",
    file: "daemon/store/semantics.js",
    find: "row instanceof CommandFailure && !command.writes",
    replace: "false",
    test: FOLD,
  },
  {
    name: "semantics: a command exists before its number",
    file: "daemon/store/semantics.js",
    find: "if ((row.sinceSemantics ?? FIRST_SEMANTICS) <= number)",
    replace: "if (row !== null)",
    test: FOLD,
  },
  {
    name: "semantics: a changed command does not exist before its number",
    file: "daemon/store/semantics.js",
    find: "row.earlier !== undefined",
    replace: "false",
    test: FOLD,
  },
  {
    name: "semantics: the weight of a member changes without a number",
    file: "daemon/store/keyspace/effort-budget.js",
    find: "export const MEMBER_STEPS = 4;",
    replace: "export const MEMBER_STEPS = 5;",
    test: TABLES,
  },
  {
    name: "semantics: a command's keys need another permission without a number",
    file: "daemon/store/rows/key-spec.js",
    find: 'export const update = range("write", "RW");',
    replace: 'export const update = range("write", "W");',
    test: TABLES,
  },
  {
    name: "semantics: a later row may accept fewer arguments",
    file: "daemon/store/semantics.js",
    find: "old !== undefined && !accepts(row.arity, old.arity)",
    replace: "false",
    test: FOLD,
  },
  {
    name: "semantics: a later row makes a container of a command",
    file: "daemon/store/semantics.js",
    find: "container !== row.name && before.find(container) !== undefined",
    replace: "false",
    test: FOLD,
  },
  {
    name: "semantics: commands of the key ring change with the number",
    file: "daemon/store/semantics.js",
    find: 'if (isKeyCommand(row.name.split("|")))',
    replace: "if (false)",
    test: FOLD,
  },
  {
    name: "semantics: an unknown version is treated as the last known one",
    file: "daemon/timeline/fold/apply-unit.js",
    find: "if (table === null)\n        return notApplied(unit);",
    replace: "if (table === null)\n        table = unit.table;",
    test: FOLD,
  },
  {
    name: "semantics: entries after a standstill are cut",
    file: "daemon/timeline/fold/fold.js",
    find: "const at = this.end === null ? to : Math.min(to, this.end.at - 1);",
    replace: "const at = to;",
    test: FOLD,
  },
  {
    name: "semantics: skipped entries stay skipped after the switch",
    file: "daemon/timeline/fold/fold.js",
    find: "if (this.#hasPassed && isEarlier(this.end, refolded.end))",
    replace: "if (false)",
    test: FOLD,
  },
  {
    name: "semantics: rules are parsed with the previous table",
    file: "daemon/store/key-ring.js",
    find: "for (const record of this.#records.values())\n            this.#put({ ...record, acl: new Acl(record.rules, table) });",
    replace: "",
    test: FOLD,
  },
  {
    name: "semantics: a version number may be skipped",
    file: "daemon/store/key-ring.js",
    find: "if (number !== next)",
    replace: "if (number < next)",
    test: FOLD,
  },
  {
    name: "semantics: the watermark advances beyond a standstill",
    file: "daemon/timeline/serving-fold.js",
    find: "return this.fold.end !== null ||",
    replace: "return false &&",
    test: TIMELINE,
  },
  {
    name: "semantics: a daemon at a standstill answers for skipped entries",
    file: "daemon/timeline/semantics-standstill.js",
    find: "return end === null ? folded :",
    replace: "return true ? folded :",
    test: TIMELINE,
  },
  {
    name: "ids: an acknowledged insert fails after the highest number",
    file: "faces/json/store/commands/document-inserts.js",
    find: "if (!isFolded)",
    replace: "if (true)",
    test: IDS,
  },
  {
    name: "ids: inserts with reserved numbers replace each other's entries",
    file: "faces/json/store/commands/document-inserts.js",
    find: "let number = NUMBERS_END + slotOf(unit);",
    replace: "let number = NUMBERS_END; document = { get: () => undefined };",
    test: IDS,
  },
  {
    name: "ids: deleted numbers are assigned again",
    file: "faces/json/store/values/document.js",
    find: "return this.#keyed?.next ?? this.#texts.length;",
    replace: "return this.size;",
    test: IDS,
  },
  {
    name: "ids: an undone insert keeps its number",
    file: "faces/json/store/keyspace/document-mutators.js",
    find: "document.pop(next)",
    replace: "document.pop(document.next)",
    test: IDS,
  },
  {
    name: "ids: peers do not count",
    file: "faces/json/actions/document-client.js",
    find: 'forwards ? "long" : "sequential"',
    replace: '"long"',
    test: "test/faces/json/recorded.test.js",
  },
  {
    name: "equality: an integer of more than 64 bits is compared as a double",
    file: "faces/json/store/commands/loose-equality.js",
    find: "INTEGER_TEXT.test(a) : secondSign",
    replace: "false : secondSign",
    test: EQUALITY,
  },
];
