/** The rules of what a unit may produce, each broken in one place. */
import type { Mutant } from "./mutant.js";

const STORE = "test/store/effort.test.js";
const ADMISSION = "test/timeline/fold/admission.test.js";
const PAGE = "test/store/effort-page.test.js";
const ORDER = "test/cluster/order/order-recorder.test.js";

export const budgetMutants: readonly Mutant[] = [
  {
    name: "budgets: elements that an array is filled up with are not counted",
    file: "store/queries/bson/update-paths.js",
    find: "produce(work, 2 * padding);",
    replace: "",
    test: STORE,
  },
  {
    name: "budgets: bytes that a string is filled up with are not counted",
    file: "store/keyspace/mutators.js",
    find: "bytes.length + Math.max(0, offset - stringLength(entry))",
    replace: "bytes.length",
    test: STORE,
  },
  {
    name: "budgets: a command counts as linear that is not",
    file: "store/rows/linear-commands.js",
    find: '"FLUSHALL"',
    replace: '"SUNIONSTORE", "COPY", "SQL", "FLUSHALL"',
    test: STORE,
  },
  {
    name: "budgets: what went beyond one stays",
    file: "store/database.js",
    find: "this.undo(records.splice(before));",
    replace: "",
    test: STORE,
  },
  {
    name: "budgets: units before the one that is refused stay",
    file: "timeline/fold/ordinary-entry.js",
    find: "database.undo(Array.isArray(one) ? one : [one]);",
    replace: ";",
    test: ADMISSION,
  },
  {
    name: "budgets: a late entry is not tried first",
    file: "timeline/fold/admission.js",
    find: "if (!isAfter([entry], fold.newest))",
    replace: "if (false)",
    test: ADMISSION,
  },
  {
    name: "budgets: with --order a unit that does too much is added to the stream",
    file: "cluster/order/order-recorder.js",
    find: "return state.exceeds(entry, backend.unitSteps)",
    replace: "return false",
    test: ORDER,
  },
  {
    name: "budgets: what is recorded is refused as well",
    file: "timeline/timeline.js",
    find: "#merge(entries, folded = this.#fold.mergeWithin(REDO_MOST, entries))",
    replace:
      "#merge(entries, folded = this.#fold.database.admitting(this.#parts.limits.unitSteps, () => this.#fold.mergeWithin(REDO_MOST, entries)))",
    test: ADMISSION,
  },
  {
    name: "budgets: no bound in the fold from version 2 on",
    file: "store/semantics.js",
    find: "CommandIndex(commands, PRODUCED_MAX)",
    replace: "CommandIndex(commands)",
    test: ADMISSION,
  },
  {
    name: "budgets: entries that change hands are not counted",
    file: "store/commands/streams/group-claims.js",
    find: "effort.produce(SORTED_MEMBER_STEPS);\n    effort.work(ANSWERED_STEPS +",
    replace: "effort.work(",
    test: STORE,
  },
  {
    name: "budgets: a consumer goes with what it was handed for nothing",
    file: "store/keyspace/group-mutators.js",
    find: "1 + SORTED_MEMBER_STEPS * consumer.pending.size",
    replace: "1",
    test: STORE,
  },
  {
    name: "budgets: what compressed bytes become is not counted",
    file: "store/rdb/rdb-reader.js",
    find: "this.#expand(isPacked ? size / ELEMENT_BYTES_MIN : 0, size);",
    replace: "",
    test: STORE,
  },
  {
    name: "budgets: steps back of a pattern are not bounded",
    file: "store/patterns/glob.js",
    find: "steps.take(t - starT);",
    replace: "",
    test: STORE,
  },
  {
    name: "budgets: steps back of a pattern do not count for the unit",
    file: "store/patterns/glob.js",
    find: "this.#effort?.look(steps);",
    replace: "",
    test: STORE,
  },
  {
    name: "budgets: rows that a change looks at are not counted",
    file: "store/commands/relations/evaluation.js",
    find: "data.effort.work(rows * STEPS_A_ROW);",
    replace: "",
    test: PAGE,
  },
];
