/** Tests on which machines a run of the tests installs what is missing, and that it prints the command on others. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Installer, installLibraries, installPackages } from "./install-packages.js";
import { requirements } from "./requirements.js";
import { scratchFolder } from "./scratch-folder.js";

const COMMAND = "sudo apt-get install --no-install-recommends spectrum";
const LIBRARIES = ["npm", "install", "--prefix", "somewhere"];

interface Situation {
  readonly name: string;
  readonly uid: number;
  readonly variables?: NodeJS.ProcessEnv;
  /** What precedes apt-get; null if nothing is installed. */
  readonly prefix: readonly string[] | null;
}

const situations: readonly Situation[] = [
  { name: "root installs", uid: 0, prefix: [] },
  { name: "CI installs", uid: 1000, variables: { CI: "true" }, prefix: ["sudo", "-n"] },
  {
    name: "DBSYNC_INSTALL=1 installs",
    uid: 1000,
    variables: { DBSYNC_INSTALL: "1" },
    prefix: ["sudo", "-n"],
  },
  { name: "a developer's machine remains as it is", uid: 1000, prefix: null },
  { name: "an empty CI is not CI", uid: 1000, variables: { CI: "", DBSYNC_INSTALL: "" }, prefix: null },
];

/** Replaces the installation. @returns the missing requirement, the commands, and the printed lines */
function machine(t: TestContext, { uid, variables = {} }: Situation) {
  const folder = scratchFolder("install");
  const executable = (name: string) => {
    writeFileSync(join(folder, name), "");
    chmodSync(join(folder, name), 0o755);
  };
  executable("apt-get");

  const commands: string[] = [];
  const printed: string[] = [];
  for (const stream of ["log", "error"] as const)
    t.mock.method(console, stream, (line: string) => void printed.push(line));

  const installer: Installer = {
    uid,
    env: { PATH: folder, ...variables },
    run: (command) => {
      commands.push(command.join(" "));
      if (command.includes("spectrum")) executable("spectrum");
      return true;
    },
  };

  const program = join(folder, "spectrum");
  return {
    missing: { program, debianPackage: "spectrum", purpose: "colours" },
    installer,
    commands,
    printed,
  };
}

for (const situation of situations)
  test(situation.name, (t) => {
    const { missing, installer, commands, printed } = machine(t, situation);
    const { prefix } = situation;
    const { missing: stillMissing } = installPackages([missing, missing], "The tests also use", installer);
    const haveLibraries = installLibraries("libraries", LIBRARIES, installer);
    assert.match(printed[0]!, /^The tests also use .*spectrum \(colours\)/);

    if (prefix === null) {
      assert.deepEqual(commands, [], "no command runs");
      assert.deepEqual(stillMissing, [missing, missing]);
      assert.equal(haveLibraries, false);
      assert.deepEqual(printed.slice(1), [
        `Missing. To install on Debian or Ubuntu: ${COMMAND}`,
        `Missing: libraries. To install: ${LIBRARIES.join(" ")}`,
      ]);
      return;
    }

    const apt = [...prefix, "apt-get"].join(" ");
    assert.deepEqual(stillMissing, []);
    assert.equal(haveLibraries, true);
    assert.deepEqual(commands, [
      `${apt} update -q -o APT::Update::Error-Mode=any`,
      `${apt} install -qy --no-install-recommends spectrum`,
      LIBRARIES.join(" "),
    ]);
    assert.deepEqual(printed.slice(1), [
      "Installing with apt-get: spectrum",
      `Installing libraries: ${LIBRARIES.join(" ")}`,
    ]);
  });

for (const [reason, failing, hasDownloadFailed] of [
  ["the lists of packages cannot be downloaded", /update|install -qy/, true],
  ["a package cannot be downloaded", /install -qy (?!.*--simulate)/, true],
  ["a package cannot be configured", /install -qy (?!.*--(simulate|download-only))/, false],
  ["apt-get knows no such package", /install -qy/, false],
] as const)
  test(`if ${reason}, the command is printed, and the requirement remains missing`, (t) => {
    const { missing, installer, printed } = machine(t, { name: "", uid: 0, prefix: [] });
    const run = (command: readonly string[]) => !failing.test(command.join(" "));
    assert.deepEqual(installPackages([missing], "The models need", { ...installer, run }), {
      missing: [missing],
      hasDownloadFailed,
    });
    assert.equal(printed.at(-1), `Missing. To install on Debian or Ubuntu: ${COMMAND}`);
    assert.equal(installLibraries("libraries", LIBRARIES, { ...installer, run: () => false }), false);
  });

/** Runs skipWithout in a process whose PATH contains nothing. */
function skipWithout(name: string, variables: NodeJS.ProcessEnv) {
  const module = new URL("./requirements.js", import.meta.url).href;
  const script = `import { skipWithout } from "${module}"; console.log(skipWithout("${name}"));`;
  const { DBSYNC_FULL: _, CI: __, ...env } = process.env;
  return spawnSync(process.execPath, ["--input-type=module", "--eval", script], {
    env: { ...env, PATH: scratchFolder("empty-path"), ...variables },
    encoding: "utf8",
  });
}

test("in CI, a test without a requirement of its run fails, and elsewhere it is skipped with the reason", () => {
  const fullOnly = requirements.find(({ isForFullRuns, check }) => isForFullRuns && check === undefined)!;
  const skipped = (name: string) => `${name} is not installed\n`;
  assert.equal(skipWithout("redis-server", {}).stdout, skipped("redis-server"));

  const inCi = skipWithout("redis-server", { CI: "true" });
  assert.notEqual(inCi.status, 0);
  assert.match(inCi.stderr, /redis-server is not installed, and in CI no test is skipped for this reason/);

  const { program, debianPackage } = fullOnly;
  assert.equal(skipWithout(program, { CI: "true" }).stdout, skipped(debianPackage));
  assert.notEqual(skipWithout(program, { CI: "true", DBSYNC_FULL: "1" }).status, 0);
  assert.equal(skipWithout("no-requirement", { CI: "true" }).stdout, skipped("no-requirement"));
});
