/** Tests examples/php as a Composer package, which Composer installs without a network. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { skipUnlessFull } from "../support/amount.js";
import { startDaemon } from "../support/daemon-process.js";
import { repositoryRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirements.js";
import { run } from "../support/run-program.js";
import { readVectors, vectorFolder } from "../support/v2-vectors/vector.js";
import { PHP_FILE } from "./php-script.js";

const PACKAGE = join(repositoryRoot, "examples", "php");
const SIMPLE_CACHE = "/usr/share/php/Psr/SimpleCache";

const rsa = readVectors().keys.find(({ name }) => name === "rsa2048");
assert.ok(rsa);
const signkey = join(vectorFolder, rsa.privateFile);

/** Runs a script. @returns its output */
async function printed(script: string, cwd = PACKAGE, options: readonly string[] = []): Promise<string> {
  const args = [...options, "-d", "display_errors=1", "-d", "error_reporting=-1", "-r", script];
  const { code, stdout, stderr } = await run("php", args, { cwd });
  assert.equal(code, 0, stderr + stdout);
  return stdout;
}

test("The package has the version of the npm package, and its file may be loaded twice", {
  skip: skipWithout("php"),
}, async () => {
  const version = (folder: string, file: string) =>
    (JSON.parse(readFileSync(join(folder, file), "utf8")) as { version: string }).version;
  assert.equal(version(PACKAGE, "composer.json"), version(repositoryRoot, "package.json"));
  // Composer loads the file that it has installed, and a program may load its own copy.
  const one = `require ${JSON.stringify(PHP_FILE)};`;
  assert.equal(
    await printed(`${one} ${one} new Dbsync\\Client(); echo function_exists("dbsync_call");`),
    "1",
  );
});

test("Without php.ini, which loads the extensions that are not built into PHP, a call works", {
  skip: skipWithout("php"),
}, async () => {
  await using daemon = await startDaemon();
  const options = `['servers' => '127.0.0.1:${daemon.port}', 'timeout' => 20]`;
  const script = `require 'dbsync.php'; echo json_encode(dbsync_multi([['RPUSH', 'l', 'a', 'b'], 'LRANGE l 0 -1'], ${options}));`;
  assert.deepEqual(JSON.parse(await printed(script, PACKAGE, ["-n"])), [2, ["a", "b"]]);
});

test("Composer installs the package from a folder, and its cache implements PSR-16", {
  skip:
    skipUnlessFull || skipWithout("php") || skipWithout("composer") || skipWithout("php-psr-simple-cache"),
}, async () => {
  await using daemon = await startDaemon(["-s", join(vectorFolder, rsa.publicFile)]);
  const folder = mkdtempSync(join(tmpdir(), "dbsync-composer-"));
  try {
    const interfaces = {
      name: "psr/simple-cache",
      version: "1.0.1",
      dist: { type: "path", url: SIMPLE_CACHE },
      autoload: { "psr-4": { "Psr\\SimpleCache\\": "" } },
    };
    const manifest = {
      repositories: [
        { type: "path", url: PACKAGE, options: { symlink: false } },
        { type: "package", package: interfaces },
        { "packagist.org": false },
      ],
      require: { "dbsync/dbsync": "*", "psr/simple-cache": "*" },
    };
    writeFileSync(join(folder, "composer.json"), JSON.stringify(manifest));
    const env = { COMPOSER_HOME: folder, COMPOSER_ALLOW_SUPERUSER: "1", COMPOSER_DISABLE_NETWORK: "1" };
    const installed = await run("composer", ["install", "--no-interaction", "--no-ansi"], {
      cwd: folder,
      env,
    });
    assert.equal(installed.code, 0, installed.stderr);
    const options = `['servers' => '127.0.0.1:${daemon.port}', 'signkey' => '${signkey}', 'timeout' => 20]`;
    const script = `require 'vendor/autoload.php';
      function keep(Psr\\SimpleCache\\CacheInterface $cache) { return [$cache->set('k', ['v w']), $cache->get('k')]; }
      $cache = new Dbsync\\Cache(new Dbsync\\Client(${options}));
      try { $cache->get('{'); $fault = ''; } catch (Psr\\SimpleCache\\InvalidArgumentException $error) { $fault = get_class($error); }
      echo json_encode([keep($cache), $fault, dbsync_call(['INCR', 'n'], ${options})]);`;
    const printedThen = await printed(script, folder);
    assert.deepEqual(JSON.parse(printedThen), [[true, ["v w"]], "Dbsync\\InvalidCacheKey", 1]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
