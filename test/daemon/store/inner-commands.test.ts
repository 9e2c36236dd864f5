/** Tests that a build without a face refuses its commands among the arguments of other commands, too. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CommandFailure } from "../../../daemon/store/arguments/command-errors.js";
import { commandTable } from "../../../daemon/store/command-table.js";
import { commandOfPast } from "../../../daemon/store/commands/timeline.js";
import { Database } from "../../../daemon/store/database.js";
import { missingCode } from "../../../daemon/store/family-code.js";
import { Acl } from "../../../daemon/store/rights/acl.js";
import { COMMAND_FAMILIES, MissingCode } from "../../../daemon/store/rows/command-families.js";

const CONTAINERS = [
  ["COMMAND", "GETKEYS"],
  ["command", "getkeysandflags"],
  ["KEY", "DRYRUN", "id"],
  ["Timeline", "Get", "1"],
];
const LEVELS = 3;

function* containersOf(levels: number): Generator<readonly string[]> {
  yield [];
  if (levels === 0) return;
  for (const inner of containersOf(levels - 1)) for (const outer of CONTAINERS) yield [...outer, ...inner];
}

test("the innermost command determines the code", () => {
  for (const containers of containersOf(LEVELS)) {
    const call = containers.join(" ");
    assert.match(String(missingCode([[...containers, "SQL_RO", "SELECT 1"]])), /\(sql\/relations\)/, call);
    assert.match(
      String(missingCode([[...containers, "mdb.find", "c", "{}"]])),
      /\(mongo\/collections\)/,
      call,
    );
    for (const argv of [["GET", "key"], ["KEY", "ADD"], ["TIMELINE", "GET"], ["unknown"], []])
      assert.equal(missingCode([[...containers, ...argv]]), null, `${call} ${argv}`);
  }
});

/** Whether a function needs code. This process, which runs without the code of any face, does not have it. */
function needsCode(run: () => unknown): boolean {
  try {
    run();
    return false;
  } catch (problem) {
    if (problem instanceof MissingCode) return true;
    throw problem;
  }
}

test("a call for which no code is missing needs none of a face, when it is judged and when it runs", () => {
  const database = new Database({ databases: 1 });
  const acl = new Acl(["+@all", "~app:*"], commandTable);
  const denial = (argv: readonly string[] | null) => {
    const command = argv === null ? null : commandTable.resolve(argv);
    if (argv === null || command === null || command instanceof CommandFailure) return;
    acl.denial(command, argv);
  };

  const check = (containers: readonly string[], name: readonly string[]): boolean => {
    const argv = [...containers, ...name, "1", "2", "3"];
    // KEY DRYRUN judges the command among its arguments, and both judge the command of TIMELINE GET too.
    const judged = [argv, ...(argv[1] === "DRYRUN" ? [argv.slice(3)] : [])];
    const runs = [
      () => database.execute(argv, { at: 1, db: 0, id: "" }),
      ...judged.flatMap((call) => [() => denial(call), () => denial(commandOfPast(call))]),
    ];
    const isNeeded = runs.some(needsCode);
    if (isNeeded) assert.notEqual(missingCode([argv]), null, argv.join(" "));
    return isNeeded;
  };

  const names = COMMAND_FAMILIES.flatMap(({ rows }) => rows.map(({ name }) => name.split("|")));
  for (const containers of containersOf(LEVELS - 1)) for (const name of names) check(containers, name);

  // More levels, with the commands whose keys only their code can find.
  const movable = [["SQL_RO"], ["MDB.FIND"], ["SORT_RO"], ["XREAD"], ["DOC.GETALL"]];
  const needing = new Set<number>();
  for (const containers of containersOf(LEVELS + 1))
    for (const name of movable) if (check(containers, name)) needing.add(containers.join(" ").length);
  assert.ok(needing.has("KEY DRYRUN id Timeline Get 1 Timeline Get 1".length));
});

test("calls with many commands inside each other are examined to the fourth", () => {
  const inside = (count: number) => Array.from({ length: count }, () => ["TIMELINE", "GET", "1"]).flat();
  assert.notEqual(missingCode([[...inside(LEVELS), "SQL_RO"]]), null);
  assert.equal(missingCode([[...inside(LEVELS + 1), "SQL_RO"]]), null);
});
