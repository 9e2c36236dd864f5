/** Tests that code is loaded for a command among the arguments of other commands, however many contain each other. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CommandFailure } from "../../../daemon/store/arguments/command-errors.js";
import { commandTable } from "../../../daemon/store/command-table.js";
import { Database } from "../../../daemon/store/database.js";
import { codeFor, provideFamilies } from "../../../daemon/store/family-code.js";
import { Acl } from "../../../daemon/store/rights/acl.js";
import { COMMAND_FAMILIES, MissingCode } from "../../../daemon/store/rows/command-families.js";

// No code can be loaded, so a call that needs code is refused at once.
provideFamilies({});

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
    assert.match(String(codeFor([[...containers, "SQL_RO", "SELECT 1"]])), /\(sql\/relations\)/, call);
    assert.match(String(codeFor([[...containers, "mdb.find", "c", "{}"]])), /\(mongo\/collections\)/, call);
    for (const argv of [["GET", "key"], ["KEY", "ADD"], ["TIMELINE", "GET"], ["unknown"], []])
      assert.equal(codeFor([[...containers, ...argv]]), null, `${call} ${argv}`);
  }
});

/** Whether a function needs code, which is not loaded. */
function needsCode(run: () => unknown): boolean {
  try {
    run();
    return false;
  } catch (problem) {
    if (problem instanceof MissingCode) return true;
    throw problem;
  }
}

test("a call for which nothing has to be loaded needs no code of a face, when it is judged and when it runs", () => {
  const database = new Database({ databases: 1 });
  const acl = new Acl(["+@all", "~app:*"], commandTable);
  const names = COMMAND_FAMILIES.flatMap(({ rows }) => rows.map(({ name }) => name.split("|")));
  let needing = 0;
  for (const containers of containersOf(LEVELS - 1))
    for (const name of names) {
      const argv = [...containers, ...name, "1", "2", "3"];
      const command = commandTable.resolve(argv);
      const runs: (() => unknown)[] = [() => database.execute(argv, { at: 1, db: 0, id: "" })];
      if (!(command instanceof CommandFailure)) runs.push(() => acl.denial(command, argv));
      if (!runs.some(needsCode)) continue;
      needing += 1;
      assert.notEqual(codeFor([argv]), null, argv.join(" "));
    }
  assert.ok(needing > names.length);
});
