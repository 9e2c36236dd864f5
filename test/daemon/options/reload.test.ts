/** Tests that each option either applies immediately after SIGHUP, or is reported to need a restart. */
import assert from "node:assert/strict";
import { test } from "node:test";
import "../../support/installed-families.js";
import { optionName } from "../../../daemon/options/option-row.js";
import { reloaded, restartNames } from "../../../daemon/options/read-settings.js";
import { hasTimeline, type Settings } from "../../../daemon/options/settings.js";
import { BUILD } from "../../../daemon/program/installed-faces.js";
import { readCommandLine } from "../../../daemon/program/program.js";
import { OPTION_NAMES, OPTIONS } from "../../support/installed-options.js";
import { argumentsOf, neededBy } from "./examples.js";

async function settingsOf(args: readonly string[]): Promise<Settings> {
  const task = await readCommandLine(args, {}, BUILD.faces);
  if (task.kind !== "run") assert.fail(task.text);
  return task.settings;
}

for (const setting of OPTION_NAMES) {
  const { [setting]: row } = OPTIONS;
  const name = optionName(row);
  test(`--${name} applies immediately after SIGHUP, or is reported to need a restart`, async () => {
    const needed = [...neededBy(setting)].filter((one) => one !== setting);
    // A required option that itself requires the tested option is set together with the tested option, not before it.
    const before = await settingsOf(argumentsOf(needed.filter((one) => !neededBy(one).has(setting))));
    const after = await settingsOf(argumentsOf([...needed, setting]));
    const named = restartNames(before, after);
    const { differences: _, ...actual } = reloaded(before, after);
    const { differences: __, ...old } = before;
    if (row.reload === "restart" || (row.reload === "timeline" && !hasTimeline(before))) {
      assert.ok(named.includes(name), `other options are reported: ${named}`);
      if (named.length === 1) assert.deepEqual(actual, old, "an option that needs a restart is unchanged");
    } else {
      assert.ok(!named.includes(name));
      assert.notDeepEqual(actual, old, "the new value is applied");
    }
  });
}
