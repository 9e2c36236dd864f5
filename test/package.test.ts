/**
 * Tests the packed package in the form in which users install it: programs, import, require, types, and no unwanted
 * file.
 */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { makeDebianPackage } from "./packages/debian-package.js";
import { some } from "./support/amount.js";
import { FACE_NAMES } from "./support/face-contributions.js";
import { refusingAddress } from "./support/free-port.js";
import { buildRoot, repositoryRoot } from "./support/repository.js";
import { isOnPath } from "./support/requirements.js";
import { npmVariables } from "./support/test-environment.js";
import { MODULES, typeCheck } from "./support/type-check.js";

const scratch = mkdtempSync(join(tmpdir(), "dbsync-package-"));
let packedFiles: string[] = [];
let packed = "";

before(() => {
  const source = join(scratch, "source");
  for (const name of [
    "package.json",
    "README.md",
    "LICENSE",
    "install.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "CONTRIBUTING.md",
    "bench/RESULTS.md",
    ...[
      "client",
      "daemon/cluster/peers",
      "daemon",
      "daemon/cluster",
      "daemon/engine",
      "daemon/listener",
      "daemon/net",
      "daemon/options",
      "daemon/program",
      "daemon/store",
      "daemon/timeline",
      "keys",
      "faces",
      ...FACE_NAMES.map((name) => `faces/${name}`),
      "protocol",
      "tools",
      "tools/admin",
      "tools/admin/dashboard",
      "tools/backup",
      "tools/cli",
      "tools/history",
      "tools/proxy",
    ].map((folder) => `${folder}/README.md`),
    "docs",
    "examples",
  ]) {
    cpSync(join(repositoryRoot, name), join(source, name), { recursive: true });
  }
  cpSync(buildRoot, join(source, "dist"), { recursive: true });

  // docs/docker.md creates these files in this folder, and examples/browser others.
  for (const name of ["production/private.pem", "production/cluster.secret", "browser/root-private.pem"])
    writeFileSync(join(source, "examples", name), "");

  // npm runs prepack and postpack around the packing. The copy is built already.
  const original = readFileSync(join(source, "package.json"), "utf8");
  changeManifest("hide", source);
  const printed = npm(["pack", "--json", "--ignore-scripts"], source);
  changeManifest("show", source);
  assert.equal(readFileSync(join(source, "package.json"), "utf8"), original);

  const [report] = JSON.parse(printed) as [{ filename: string; files: { path: string }[] }];
  packedFiles = report.files.map(({ path }) => path);
  packed = join(source, report.filename);

  mkdirSync(join(scratch, "user"));
  writeFileSync(join(scratch, "user/package.json"), "{}");
  npm(["install", "--no-audit", "--no-fund", "--prefer-offline", packed], join(scratch, "user"));
});

after(() => rmSync(scratch, { recursive: true, force: true }));

function changeManifest(action: "hide" | "show", cwd: string): void {
  execFileSync(process.execPath, [join(buildRoot, "test/support/packed-manifest.js"), action], { cwd });
}

function npm(args: readonly string[], cwd: string): string {
  const stdio = ["ignore", "pipe", "pipe"] as const;
  return execFileSync("npm", args, { cwd, encoding: "utf8", stdio: [...stdio], env: npmVariables() });
}

function node(script: string, type: "module" | "commonjs"): string {
  const args = [`--input-type=${type}`, "-e", script];
  return execFileSync(process.execPath, args, { cwd: join(scratch, "user"), encoding: "utf8" }).trim();
}

test("the package contains programs, the library and documents, but no keys, tests or vectors", () => {
  assert.ok(packedFiles.includes("dist/bundles/dbsyncd.js"));
  assert.ok(packedFiles.includes("dist/types/client/public-api.d.ts"));
  assert.ok(packedFiles.includes("LICENSE"));
  for (const face of FACE_NAMES) assert.ok(packedFiles.includes(`faces/${face}/README.md`), face);

  const readme = readFileSync(join(repositoryRoot, "README.md"), "utf8");
  const named = readme.matchAll(/(?:\]\((?!https?:)|^(?:sh|php|python3) )([^)#\s]+)/gm);
  for (const [, name = ""] of named)
    assert.ok(
      packedFiles.some((file) => file === name || file.startsWith(`${name}/`)),
      `README names ${name}`,
    );

  const stray = packedFiles.filter((file) =>
    /\.pem$|\.secret$|vectors|\.test\.|^dist\/(test|bench|examples)\//.test(file),
  );
  assert.deepEqual(stray, []);

  // Other declarations describe the inside of the programs, which are bundled.
  assert.deepEqual(
    packedFiles.filter((file) => /\.d\.c?ts$/.test(file) && !file.startsWith("dist/types/")),
    [],
  );
});

test("npm has no script of the package to run, so it does not warn about it", () => {
  const read = (folder: string) =>
    JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { scripts: Record<string, string> };
  const { scripts } = read(join(scratch, "user/node_modules/dbsyncd"));
  for (const name of ["preinstall", "install", "postinstall", "prepare"])
    assert.equal(scripts[name], undefined);
  const { prepack, postpack } = read(repositoryRoot).scripts;
  const program = "node dist/test/support/packed-manifest.js";
  assert.deepEqual([prepack, postpack], [`npm run build && ${program} hide`, `${program} show`]);
});

test("the programs of the package run", () => {
  for (const program of ["dbsyncd", "dbsync", "dbsync-keygen", "dbsync-proxy"]) {
    const path = join(scratch, "user/node_modules/.bin", program);
    const { status, stdout } = spawnSync(path, ["--version"], { encoding: "utf8" });
    assert.equal(status, 0, program);
    assert.match(stdout, /^\d+\.\d+\.\d+\s*$/, program);
  }
});

test("import and require return the same three functions", () => {
  const names = "[dbsyncSend, createClient, dbsyncReset].map((f) => typeof f).join()";
  assert.equal(
    node(`import { dbsyncSend, createClient, dbsyncReset } from "dbsyncd"; console.log(${names})`, "module"),
    "function,function,function",
  );
  assert.equal(
    node(
      `const { dbsyncSend, createClient, dbsyncReset } = require("dbsyncd"); console.log(${names})`,
      "commonjs",
    ),
    "function,function,function",
  );
});

test("TypeScript finds the types from ES modules and from CommonJS, with old and new module rules", async () => {
  const user = join(scratch, "user");
  const use = `const value: string | null = await dbsyncSend("GET k", { policy: "first", timeout: 500 });
    console.log(value);
    await using daemon = await startDaemon({ key: "rsa" });
    await dbsyncSend(["GET", "k"], daemon.options);`;
  const imports = `import { dbsyncSend } from "dbsyncd";\nimport { startDaemon } from "dbsyncd/testing";`;
  writeFileSync(join(user, "use.mts"), `${imports}\n${use}\n`);
  writeFileSync(join(user, "use.cts"), `${imports}\nvoid (async () => {\n${use}\n})();\n`);
  for (const module of some(MODULES)) {
    const { code, stdout } = await typeCheck(user, ["use.mts", "use.cts"], module);
    assert.equal(code, 0, `${module}: ${stdout}`);
  }
});

test("the types import no other package, so they also compile if old module resolvers do not find its types", () => {
  const types = packedFiles.filter((file) => /\.d\.c?ts$/.test(file));
  const installed = join(scratch, "user/node_modules/dbsyncd");
  const imported = types.flatMap((file) =>
    [...readFileSync(join(installed, file), "utf8").matchAll(/\b(?:from|import\() ?"([^."][^"]*)"/g)].map(
      ([, name = ""]) => `${file} imports ${name}`,
    ),
  );
  assert.notEqual(imported.length, 0);
  assert.deepEqual(
    imported.filter((each) => !/ imports node:\w+$/.test(each)),
    [],
  );
});

test("dbsyncd/testing starts and stops daemons for the tests of users", () => {
  const script = `import { dbsyncSend } from "dbsyncd";
    import { startDaemon, startDaemons } from "dbsyncd/testing";
    {
      const daemon = await startDaemon();
      console.log(await dbsyncSend("SET k v", daemon.options), await dbsyncSend("GET k", daemon.options));
      await daemon.stop();
    }
    const three = await startDaemons(3);
    console.log(await dbsyncSend("GET k", three.options));
    await three.stop();`;
  assert.equal(node(script, "module"), "OK v\nnull");
});

test("dbsyncd/testing loads the code of a face's commands, also for CommonJS", () => {
  const use = `const daemon = await startDaemon();
    const add = ["XADD", "stream", "1-1", "field", "value"];
    const insert = ["DOC.CREATE", "document"];
    console.log(await dbsyncSend(add, daemon.options), await dbsyncSend(insert, daemon.options));
    await daemon.stop();`;
  const required = `const { dbsyncSend } = require("dbsyncd");
    const { startDaemon } = require("dbsyncd/testing");
    void (async () => { ${use} })();`;
  const imported = `import { dbsyncSend } from "dbsyncd"; import { startDaemon } from "dbsyncd/testing"; ${use}`;
  assert.equal(node(required, "commonjs"), "1-1 OK");
  assert.equal(node(imported, "module"), "1-1 OK");
});

test("the Debian package, installed into an empty root, has programs, manual pages, the unit and its configuration", {
  skip: isOnPath("dpkg-deb") ? false : "dpkg-deb is not installed",
}, () => {
  const umask = process.umask(0o077);
  const file = makeDebianPackage(packed, scratch);
  process.umask(umask);

  const root = join(scratch, "root");
  const dpkg = (...args: string[]) => execFileSync("dpkg-deb", args, { encoding: "utf8" });
  dpkg("--extract", file, root);

  assert.match(dpkg("--field", file, "Depends"), /^nodejs \(>= 20\.19\)$/m);
  assert.match(dpkg("--ctrl-tarfile", file), /conffiles/);
  const closed = dpkg("--contents", file).match(/^(?:d(?!rwxr-xr-x)|-(?!rw[-x]r-[-x]r-[-x])).*$/gm);
  assert.deepEqual(closed, null, "a umask closes no file of the package");

  for (const program of ["dbsyncd", "dbsync", "dbsync-keygen", "dbsync-proxy"]) {
    const { status, stdout, stderr } = spawnSync(join(root, "usr/bin", program), ["--version"], {
      encoding: "utf8",
    });
    assert.deepEqual([status, /^\d+\.\d+\.\d+\s*$/.test(stdout)], [0, true], `${program}: ${stderr}`);
    assert.ok(existsSync(join(root, `usr/share/man/man1/${program}.1.gz`)), program);
  }
  const unit = readFileSync(join(root, "usr/lib/systemd/system/dbsyncd.service"), "utf8");
  const [, program = "", config = ""] = /^ExecStart=(\S+) --config (\S+)$/m.exec(unit) ?? [];
  assert.ok(existsSync(join(root, program)), program);

  const lock = JSON.parse(readFileSync(join(repositoryRoot, "package-lock.json"), "utf8")) as {
    readonly packages: Readonly<Record<string, { readonly version: string }>>;
  };
  const library = join(root, "usr/lib/dbsync");
  const copyright = readFileSync(join(root, "usr/share/doc/dbsyncd/copyright"), "utf8");
  const included = Object.entries(lock.packages).filter(
    ([path]) => path !== "" && existsSync(join(library, path, "package.json")),
  );
  assert.ok(included.length > 10);
  for (const [path, { version }] of included) {
    const found = JSON.parse(readFileSync(join(library, path, "package.json"), "utf8")) as typeof lock & {
      readonly name: string;
      readonly version: string;
    };
    assert.equal(found.version, version, path);
    assert.ok(copyright.includes(`  ${found.name} ${version}: `), path);
  }
  const changelog = gunzipSync(readFileSync(join(root, "usr/share/doc/dbsyncd/changelog.gz"))).toString();
  assert.match(changelog, /^dbsyncd \(\d+\.\d+\.\d+\) stable; .*\n\n {2}\* .*CHANGELOG\.md.*\n\n -- .*\n$/);

  // The package contains no key: the administrator copies public keys into this folder.
  execFileSync(join(root, "usr/bin/dbsync-keygen"), ["--out", join(root, "etc/dbsync/keys")], {
    stdio: "ignore",
  });
  const args = ["--config", join(root, config), "--check-config"];
  assert.match(
    execFileSync(join(root, program), args, { encoding: "utf8" }),
    /^sign-key = .*\/etc\/dbsync\/keys/m,
  );
});

// This test is the last, because it removes the other packages.
test("the library works without any other package installed", async () => {
  const modules = join(scratch, "user/node_modules");
  for (const name of readdirSync(modules)) {
    if (name !== "dbsyncd") rmSync(join(modules, name), { recursive: true, force: true });
  }
  const script = `import { createClient } from "dbsyncd";
    const client = createClient({ servers: "${await refusingAddress()}", timeout: 200 });
    await client.send("PING").catch((error) => console.log(error.outcomes[0].stage));
    await client.close();`;
  assert.equal(node(script, "module"), "connect");
});
