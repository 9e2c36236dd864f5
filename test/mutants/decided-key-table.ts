/** Mutants of the rules for the keys of a pattern on whose writes the members decide. */
import type { Mutant } from "./mutant.js";

const PATTERNS = "test/daemon/store/rights/decided-patterns.test.js";
const RING = "test/daemon/store/commands/key-ring-commands.test.js";
const FOLD = "test/daemon/timeline/fold/decided-keys.test.js";
const ENTRIES = "test/daemon/cluster/replica/check-entry.test.js";
const PATH = "test/daemon/cluster/replica/decided-keys.test.js";
const BEGINNINGS = "test/daemon/cluster/peers/decisions/pattern-beginnings.test.js";

export const decidedKeyMutants: readonly Mutant[] = [
  {
    name: "decided keys: a class at the end of a pattern is compared as text",
    file: "daemon/store/rights/pattern-index.js",
    find: 'glob.includes("[") ? ""',
    replace: 'glob.endsWith("]") ? ""',
    test: PATTERNS,
  },
  {
    name: "decided keys: only the first pattern with a beginning concerns keys",
    file: "daemon/store/rights/pattern-index.js",
    find: "same.push({",
    replace: "if (same.length === 0) same.push({",
    test: PATTERNS,
  },
  {
    name: "decided keys: a pattern concerns every database",
    file: "daemon/store/rights/decided-patterns.js",
    find: "pattern.db !== null && touched !== ALL_DATABASES && touched !== pattern.db",
    replace: "false",
    test: PATTERNS,
  },
  {
    name: "decided keys: commands for all databases concern no pattern of one",
    file: "daemon/store/rights/decided-patterns.js",
    find: "touched !== ALL_DATABASES && ",
    replace: "",
    test: PATTERNS,
  },
  {
    name: "decided keys: a command takes elements of any key",
    file: "daemon/cluster/replica/recorded-command-path.js",
    find: "patterns.takesElsewhere(call)",
    replace: "false",
    test: PATH,
  },
  {
    name: "decided keys: a unit without a decision changes patterns",
    file: "daemon/store/commands/key-ring-commands.js",
    find: "if (!isDecided)",
    replace: "if (false)",
    test: RING,
  },
  {
    name: "decided keys: a daemon's key orders patterns although there is an administrator",
    file: "daemon/store/key-ring.js",
    find: "word !== null && !this.#hasRoots()",
    replace: "word !== null",
    test: RING,
  },
  {
    name: "decided keys: writes are void as soon as a pattern is announced",
    file: "daemon/timeline/fold/apply-unit.js",
    find: "export function isVoid({ envelope, commands, table }, { begun })",
    replace: "export function isVoid({ envelope, commands, table }, begun)",
    test: FOLD,
  },
  {
    name: "decided keys: ordinary commands are never void",
    file: "daemon/timeline/fold/fold-unit.js",
    find: "!patterns.isEmpty && patterns.begun.covers(",
    replace: "false && patterns.begun.covers(",
    test: FOLD,
  },
  {
    name: "decided keys: a pattern that arrives late makes no earlier unit void",
    file: "daemon/timeline/fold/fold.js",
    find: "isVoid(unit, ring.patternsAt(unit)) !== isVoid(unit, this.#ring.patternsAt(unit))",
    replace: "false",
    test: FOLD,
  },
  {
    name: "decided keys: a placed envelope has the outcomes that a keeper names",
    file: "protocol/version-2/decision-body.js",
    find: 'outcomes.length === 1 && outcomes[0] === "applied"',
    replace: "true",
    test: FOLD,
  },
  {
    name: "decided keys: members place envelopes of clients as soon as a pattern is announced",
    file: "daemon/cluster/peers/decisions/pattern-beginnings.js",
    find: "isOfDaemon ? ring.patterns : ring.patterns.begun",
    replace: "ring.patterns",
    test: ENTRIES,
  },
  {
    name: "decided keys: an envelope about a pattern has further commands, which no member checks",
    file: "daemon/cluster/peers/decisions/pattern-beginnings.js",
    find: "return checkPatternUnit(envelope) === null",
    replace: "return true",
    test: ENTRIES,
  },
  {
    name: "decided keys: a pattern begins although a member may not know it",
    file: "daemon/cluster/peers/decisions/pattern-beginnings.js",
    find: " || this.#finality.stablePoint() <= from",
    replace: "",
    test: BEGINNINGS,
  },
  {
    name: "decided keys: a pattern begins although members may have accepted writes that are not final",
    file: "daemon/cluster/peers/decisions/pattern-beginnings.js",
    find: "clock() + limits.future + 2 * limits.skewMs",
    replace: "clock()",
    test: BEGINNINGS,
  },
  {
    name: "decided keys: a daemon that was suspended answers without the decisions that it has missed",
    file: "daemon/cluster/replica/member-answers.js",
    find: "!this.#hasAllUpTo(decided.slot)",
    replace: "false",
    test: "test/daemon/cluster/replica/recorder.test.js",
  },
  {
    name: "decided keys: snapshots contain the votes for patterns, so members make different ones",
    file: "daemon/timeline/snapshots/ring-entries.js",
    find: 'isDecision(body) ? "" : ',
    replace: "",
    test: "test/daemon/timeline/snapshots/ring-entries.test.js",
  },
  {
    name: "decided keys: choices are recorded in a transaction",
    file: "daemon/cluster/replica/gateway.js",
    find: "head.writesDecided ? NOTHING_CHOSEN : ",
    replace: "",
    test: PATH,
  },
  {
    name: "decided keys: a connection's commands do not wait for its decided ones",
    file: "daemon/cluster/replica/recorded-command-path.js",
    find: "return joins ? null : before;",
    replace: "return null;",
    test: PATH,
  },
  {
    name: "decided keys: a decided command overtakes the waiting commands of its connection",
    file: "daemon/cluster/replica/recorded-command-path.js",
    find: "before?.following === 0 && ",
    replace: "",
    test: PATH,
  },
  {
    name: "decided keys: a read overtakes the write with which it has waited",
    file: "daemon/cluster/replica/recorded-command-path.js",
    find: "!isReadAfterWrites || undecided(sender) !== null",
    replace: "true",
    test: PATH,
  },
  {
    name: "decided keys: a decision is requested before the earlier commands of a connection are signed",
    file: "daemon/cluster/replica/gateway.js",
    find: "lastWrite === undefined || lastWrite.unapplied === 0",
    replace: "true",
    test: PATH,
  },
  {
    name: "decided keys: a transaction does not delay the commands that follow it",
    file: "daemon/cluster/replica/gateway.js",
    find: "writesDecided ? settlingAfter(answered, lastWrite) : answered",
    replace: "answered",
    test: PATH,
  },
  {
    name: "decided keys: commands are sent after one whose effect is unknown",
    file: "daemon/cluster/replica/decided-line.js",
    find: "connections.delete(undefined);",
    replace: "connections.clear();",
    test: PATH,
  },
  {
    name: "decided keys: followers of streams do not wait for missing decisions",
    file: "daemon/cluster/peers/exchange/date-closing.js",
    find: "let to = this.#decidedTo();",
    replace: "let to = Number.POSITIVE_INFINITY;",
    test: "test/daemon/cluster/peers/exchange/date-closing.test.js",
  },
  {
    name: "decided keys: a follower is sent entries of the millisecond in which a decision is missing",
    file: "daemon/cluster/peers/decisions/decisions.js",
    find: "(this.last.orderKey?.at ?? 0) - 1",
    replace: "this.last.orderKey?.at ?? 0",
    test: "test/daemon/cluster/peers/decisions/recovery.test.js",
  },
];
