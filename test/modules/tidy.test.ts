/**
 * Tests that daemon/program/ and similar folders have the modules that their READMEs list, and that each module imports
 * only the modules that the README permits.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { arrows, DIRECT_FILES, MODULE_FOLDERS, modulesOfReadme, sizes } from "./modules.js";

for (const parent of MODULE_FOLDERS) {
  test(`${parent}/README.md has a row for each module, and no other rows`, () => {
    const table = modulesOfReadme(parent);
    const modules = [...sizes(parent).keys()].filter(
      (module) => module !== DIRECT_FILES || table.has(DIRECT_FILES),
    );
    assert.deepEqual([...table.keys()].sort(), modules.sort());
  });

  test(`the table of ${parent}/ permits a module to import only modules above it, so there is no cycle`, () => {
    const before = new Set<string>();
    for (const [module, allowed] of modulesOfReadme(parent)) {
      for (const other of allowed)
        assert.ok(before.has(other), `${module} is above ${other} in the table, but may import it`);
      before.add(module);
    }
  });

  test(`modules of ${parent}/ import, load and start exactly the modules that the table permits`, () => {
    const dependencies = arrows(parent);
    for (const [module, allowed] of modulesOfReadme(parent)) {
      const imported = dependencies.get(module) ?? new Map<string, string[]>();
      for (const [other, imports] of imported)
        assert.ok(
          allowed.includes(other),
          `${module} must not depend on ${other === DIRECT_FILES ? `the files directly in ${parent}/` : other}: ${imports.join(", ")}. See ${parent}/README.md.`,
        );
      const unused = allowed.filter((other) => !imported.has(other));
      assert.deepEqual(
        unused,
        [],
        `${module} no longer imports these modules: remove them from its row in ${parent}/README.md`,
      );
    }
  });
}
