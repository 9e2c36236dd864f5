/** Tests the packages of a release: their version, their licences and, in full runs, each as users install it. */
import assert from "node:assert/strict";
import { cpSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { SEMANTICS } from "../../daemon/store/semantics.js";
import { skipUnlessFull } from "../support/amount.js";
import { buildRoot, repositoryRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirements.js";
import { run } from "../support/run-program.js";
import { ScratchFolder } from "../support/scratch-folder.js";
import { FROZEN } from "../tables/semantics.js";
import { PACKAGES } from "./all-packages.js";
import { type Bill, forbiddenIn, licencesIn, readBill } from "./bill-of-materials.js";
import { succeed } from "./commands.js";
import { composerPackage } from "./composer-package.js";
import { goModule } from "./go-module.js";
import { missingForPublication } from "./publication.js";
import { PYTHON, pythonWheel } from "./python-wheel.js";
import type { Sources } from "./release-package.js";
import { versionOf } from "./sources.js";
import { VERSION_PLACES, writeVersions, wrongVersions } from "./versions.js";

const version = versionOf(repositoryRoot);
const RELEASE = join(buildRoot, "test/packages/release.js");

const release = (...args: readonly string[]) =>
  run(process.execPath, [RELEASE, ...args], {
    cwd: repositoryRoot,
    env: { NODE_EXTRA_CA_CERTS: process.env["DBSYNC_TEST_NPM_CA_CERTS"] ?? "" },
  });

test("all packages have the version of package.json", () => {
  assert.deepEqual(wrongVersions(repositoryRoot), []);
});

test("a file with another version is named with the cure, and npm version corrects it", () => {
  using folder = new ScratchFolder();
  for (const { file } of VERSION_PLACES)
    cpSync(join(repositoryRoot, file), join(folder.path, file), { recursive: true });
  writeFileSync(join(folder.path, "package.json"), JSON.stringify({ version: "7.8.9" }));

  const wrong = wrongVersions(folder.path);
  assert.deepEqual(
    wrong.map((sentence) => sentence.split(" ")[0]),
    VERSION_PLACES.map(({ file }) => file),
  );
  assert.match(
    wrong[0] ?? "",
    / has the version \d\S*, and package\.json 7\.8\.9: run npm run build && node /,
  );

  writeVersions(folder.path);
  assert.deepEqual(wrongVersions(folder.path), []);

  const { scripts } = JSON.parse(readFileSync(join(repositoryRoot, "package.json"), "utf8")) as {
    scripts: { version: string };
  };
  assert.equal(
    scripts.version,
    "npm run build && node dist/test/packages/write-versions.js && git add --update",
  );
});

test("the licences of all dependencies permit their use, and others are found", async () => {
  const bill = await readBill(repositoryRoot);
  assert.equal(bill.bomFormat, "CycloneDX");
  assert.deepEqual([bill.metadata.component.name, bill.metadata.component.version], ["dbsyncd", version]);
  const { dependencies, optionalDependencies } = JSON.parse(
    readFileSync(join(repositoryRoot, "package.json"), "utf8"),
  ) as Record<string, Record<string, string>>;
  const names = new Set(bill.components.map(({ name }) => name));
  for (const name of Object.keys({ ...dependencies, ...optionalDependencies }))
    assert.ok(names.has(name), name);
  assert.ok(names.has("@lmdb/lmdb-darwin-arm64"), "the native code of other platforms is listed");
  assert.ok(!names.has("typescript"), "no package that only developers need is listed");
  assert.deepEqual(forbiddenIn(bill), []);
  assert.equal(
    [...licencesIn(bill).values()].reduce((sum, count) => sum + count),
    bill.components.length,
  );

  const component = { name: "a", version: "1.0.0", purl: "pkg:npm/a@1.0.0" };
  const forbidden = (licenses?: readonly ({ expression: string } | { license: { id?: string } })[]) =>
    forbiddenIn({ ...bill, components: [{ ...component, ...(licenses && { licenses }) }] } as Bill);
  assert.deepEqual(forbidden([{ license: { id: "GPL-3.0-only" } }]), ["a 1.0.0: GPL-3.0-only"]);
  assert.deepEqual(forbidden([{ expression: "MIT AND GPL-3.0-only" }]), ["a 1.0.0: MIT AND GPL-3.0-only"]);
  assert.deepEqual(forbidden(), ["a 1.0.0: none"]);
  assert.deepEqual(forbidden([{ expression: "(MIT OR GPL-3.0-only)" }]), []);
});

test("the folders from which PHP and Python clients are installed contain the licence", () => {
  const read = (folder: string): string => readFileSync(join(repositoryRoot, folder, "LICENSE"), "utf8");
  for (const folder of ["clients/php", "clients/python"]) assert.equal(read(folder), read("."), folder);
});

test("the wheel and the source archive of the Python client contain the licence", {
  skip: skipUnlessFull || pythonWheel.needs.map(skipWithout).find((reason) => reason !== false),
}, async () => {
  using folder = new ScratchFolder();
  const output = folder.path;
  const wheel = await pythonWheel.make({ folder: repositoryRoot, version, packed: "", output });
  const copy = join(output, "python");
  cpSync(join(repositoryRoot, "clients/python"), copy, { recursive: true });
  const build = "import setuptools.build_meta as meta; print(meta.build_sdist('.'))";
  const archive = (await succeed(PYTHON, ["-c", build], { cwd: copy })).trim().split("\n").at(-1) ?? "";
  const included = await succeed(PYTHON, ["-m", "zipfile", "-l", wheel], { cwd: output });
  assert.match(included, new RegExp(`^dbsyncd-${version}\\.dist-info/(?:licenses/)?LICENSE `, "m"));
  const packed = await succeed("tar", ["-tzf", archive], { cwd: copy });
  assert.match(packed, new RegExp(`^dbsyncd-${version}/LICENSE$`, "m"));
});

test("the files of the Composer package and of the Go module contain the licence", async () => {
  using folder = new ScratchFolder();
  const output = folder.path;
  const sources: Sources = { folder: repositoryRoot, version, packed: "", output };
  const listed = async (...command: readonly string[]) => {
    const [program = "", ...args] = command;
    const { stdout } = await run(program, args, { cwd: output });
    return stdout.split(/\s+/);
  };
  const php = await listed("tar", "-tzf", await composerPackage.make(sources));
  for (const name of ["dbsync/LICENSE", "dbsync/composer.json", "dbsync/dbsync.php"])
    assert.ok(php.includes(name), name);
  const go = await listed(PYTHON, "-m", "zipfile", "-l", await goModule.make(sources));
  for (const name of ["LICENSE", "go.mod", "dbsync/client.go", "dbsync-go/main.go"])
    assert.ok(go.includes(`dbsyncd.example/go@v${version}/${name}`), name);
});

test("npm run release without --dry-run publishes nothing, and says what a person does", async () => {
  const { code, stdout, stderr } = await release();
  assert.deepEqual([code, stdout], [2, ""]);
  assert.match(stderr, /^Nothing was published: version \d\S* is published by a person/);
  assert.match(stderr, /npm version NUMBER\n.*npm run release -- --dry-run/);
  const unknown = await release("--dry-run", "no-such-package");
  assert.equal(unknown.code, 2);
  for (const { name } of PACKAGES) assert.ok(unknown.stderr.includes(name), name);
});

test("what is missing for a publication names the file to change", () => {
  const missing = missingForPublication(repositoryRoot);
  for (const line of missing) assert.match(line, /^(?:[\w/.-]+: |a commit )/);
  const isFrozen = !missing.some((line) => line.startsWith("test/tables/semantics.ts: "));
  assert.equal(isFrozen, FROZEN === SEMANTICS.last);
});

test("npm run release -- --dry-run makes, installs and tries each package", {
  skip: skipUnlessFull,
}, async () => {
  using folder = new ScratchFolder();
  const { code, stdout, stderr } = await release("--dry-run", "--output", folder.path);
  assert.equal(code, 0, stdout + stderr);

  const lines = stdout.split("\n");
  const start = lines.findIndex((line) => line.startsWith("package "));
  const rows = lines.slice(start + 1, start + 1 + PACKAGES.length).map((line) => line.split(/ {2,}/));
  for (const [index, [name = "", file = "", bytes = "", seconds = "", contact = ""]] of rows.entries()) {
    assert.equal(name, PACKAGES[index]?.name);
    if (file.startsWith("not tried: ")) continue;
    assert.equal(contact, "ok", name);
    assert.equal(Number(bytes), statSync(join(repositoryRoot, file)).size, name);
    assert.match(seconds, /^\d+\.\d$/, name);
    assert.ok(stdout.includes(`] ${name}: sending INCR visits\n`), name);
  }

  const tried = rows.filter(([, file = ""]) => !file.startsWith("not tried: ")).map(([name]) => name);
  assert.ok(tried.includes("npm dbsyncd") && tried.includes("npm dbsync-client"), tried.join());
  if (process.env["CI"]) assert.equal(tried.length, PACKAGES.length, "CI tries all packages");

  const bill = JSON.parse(readFileSync(join(folder.path, `dbsyncd-${version}.cdx.json`), "utf8")) as Bill;
  assert.ok(bill.components.length > 50);
  assert.match(stdout, /A person publishes the packages with these lines:\n {2}npm dbsyncd +npm publish /);
});
