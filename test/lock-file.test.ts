/**
 * Tests that `npm ci` works in a fresh clone, and that it checks what it downloads: npm 11 refuses a lock file in which
 * a package is missing, even one for another platform, and installs a package without `integrity` unchecked.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { repositoryRoot } from "./support/repository.js";

interface LockedPackage {
  readonly version?: string;
  readonly integrity?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const KINDS = ["dependencies", "devDependencies", "optionalDependencies"] as const;

function readJson<T>(name: string): T {
  return JSON.parse(readFileSync(join(repositoryRoot, name), "utf8")) as T;
}

for (const folder of ["", "site/"]) {
  const manifest = readJson<LockedPackage>(`${folder}package.json`);
  const { packages } = readJson<{ readonly packages: Readonly<Record<string, LockedPackage>> }>(
    `${folder}package-lock.json`,
  );

  test(`${folder}package-lock.json lists each dependency of package.json with the same kind`, () => {
    for (const kind of KINDS) assert.deepEqual(packages[""]?.[kind], manifest[kind], kind);
  });

  test(`${folder}package-lock.json has a digest of each package`, () => {
    const without = Object.entries(packages).filter(
      ([path, { integrity }]) => path !== "" && !/^sha512-/.test(integrity ?? ""),
    );
    assert.deepEqual(
      without.map(([path]) => path),
      [],
    );
  });

  test(`${folder}package-lock.json has an entry for each dependency of each package, on all platforms`, () => {
    const missing: string[] = [];
    for (const [path, { dependencies, optionalDependencies }] of Object.entries(packages)) {
      for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
        const nested = path === "" ? `node_modules/${name}` : `${path}/node_modules/${name}`;
        const found = packages[nested] ?? packages[`node_modules/${name}`];
        if (found?.version === undefined) missing.push(`${name} of ${path || "package.json"}`);
      }
    }
    assert.deepEqual(missing, []);
  });
}
