/** Tests the Python package as users install it, without a network, and as one file. mypy checks its types. */
import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { makeFolder } from "../daemon/program/replicas.js";
import { skipUnlessFull } from "../support/amount.js";
import { startDaemon } from "../support/daemon-process.js";
import { repositoryRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirements.js";
import { run } from "../support/run-program.js";
import { keyFile, PACKAGE, PYTHON } from "./running.js";

/** Copies the package, since building leaves folders that a checkout should not have. */
function copyPackage(folder: string): string {
  const copy = join(folder, "python");
  cpSync(PACKAGE, copy, { recursive: true, filter: (path) => !/__pycache__|\.egg-info|build$/.test(path) });
  return copy;
}

async function works(program: string, args: readonly string[], cwd: string): Promise<string> {
  const ended = await run(program, args, { cwd });
  assert.equal(ended.code, 0, ended.stdout + ended.stderr);
  return ended.stdout;
}

const tools = ["python3-venv", "python3-pip", "python3-setuptools", "python3-wheel"].map(skipWithout);

test("pip installs the package from its folder, with types and a program", {
  skip: skipUnlessFull || tools.find((tool) => tool !== false) || skipWithout(PYTHON),
}, async () => {
  using folder = makeFolder();
  const source = copyPackage(folder.path);
  const environment = join(folder.path, "venv");
  await works(PYTHON, ["-m", "venv", "--system-site-packages", environment], folder.path);
  const bin = (name: string) => join(environment, "bin", name);
  const offline = ["install", "--no-index", "--no-build-isolation", "--disable-pip-version-check"];
  await works(bin("pip"), [...offline, source], folder.path);
  const found = await works(bin("python"), ["-c", "import dbsync; print(dbsync.__path__[0])"], folder.path);
  const installed = found.trim();
  assert.ok(installed.startsWith(environment), installed);
  for (const name of ["py.typed", "commands/strings.py"]) assert.ok(existsSync(join(installed, name)), name);
  await using daemon = await startDaemon(["-s", keyFile("ed25519", "public")]);
  const args = ["-k", keyFile("ed25519", "private"), "-s", `127.0.0.1:${daemon.port}`];
  assert.equal(await works(bin("dbsync-py"), [...args, "SET", "k", "v"], folder.path), "OK\n");
});

test("the package can be used as one file", {
  skip: skipUnlessFull || skipWithout(PYTHON),
}, async () => {
  using folder = makeFolder();
  const source = copyPackage(folder.path);
  await works(
    PYTHON,
    ["-m", "zipapp", source, "-m", "dbsync.__main__:main", "-o", "dbsync.pyz"],
    folder.path,
  );
  await using daemon = await startDaemon(["-s", keyFile("rsa2048", "public")]);
  const args = ["-k", keyFile("rsa2048", "private"), "-s", `127.0.0.1:${daemon.port}`];
  assert.equal(await works(PYTHON, ["dbsync.pyz", ...args, "SET", "k", "v"], folder.path), "OK\n");
  const script = `import sys\nsys.path.insert(0, "dbsync.pyz")\nfrom dbsync import Client\nprint(Client)`;
  assert.match(await works(PYTHON, ["-c", script], folder.path), /dbsync\.blocking\.Client/);
});

const USE = `from dbsync import AsyncClient, Client

blocking = Client("a")
reveal_type(blocking.get("k"))
text = Client("a", decode_responses=True)
reveal_type(text.using(db=3).hgetall("k"))
reveal_type(text.zscore("k", "m"))


async def use() -> None:
    async with AsyncClient("a", decode_responses=True) as client:
        reveal_type(await client.get("k"))
        reveal_type(await client.incr("k"))
        reveal_type(await client.multi([["INCR", "k"]]))


blocking.get("k", 2)
blocking.set("k")
blocking.call("GET", "k", policy="most")
`;

test("mypy finds no error in the package, and finds a caller's mistakes by its types", {
  skip: skipUnlessFull || skipWithout("mypy"),
}, async () => {
  using folder = makeFolder();
  copyPackage(folder.path);

  const args = ["--strict", "--cache-dir", join(folder.path, "cache"), "--python-executable", PYTHON];
  const package_ = await run("mypy", [...args, "python/dbsync"], { cwd: folder.path });
  assert.equal(package_.code, 0, package_.stdout);

  mkdirSync(join(folder.path, "user"));
  writeFileSync(join(folder.path, "user/use.py"), USE);
  const used = await run("mypy", [...args, "use.py"], {
    cwd: join(folder.path, "user"),
    env: { MYPYPATH: join(folder.path, "python") },
  });

  const told = [...used.stdout.matchAll(/Revealed type is "(.*)"/g)].map(([, type = ""]) =>
    type.replaceAll(/builtins\.|typing\./g, "").replace(/Union\[(.*), None\]/, "$1 | None"),
  );
  const due = ["bytes | None", "dict[str, str]", "float | None", "str | None", "int", "list[Any] | None"];
  assert.deepEqual(told, due, used.stdout);

  const wrong = [...used.stdout.matchAll(/^use\.py:(\d+): error/gm)].map(([, line]) => Number(line));
  const lines = USE.split("\n");
  const mistaken = lines.flatMap((line, index) =>
    /^blocking\.(get|set|call)\(/.test(line) ? [index + 1] : [],
  );
  assert.deepEqual(wrong, mistaken, used.stdout);
});

test("both packages have the same version", () => {
  const { version } = JSON.parse(readFileSync(join(repositoryRoot, "package.json"), "utf8")) as {
    version: string;
  };
  const [, told] = /^version = "(.*)"$/m.exec(readFileSync(join(PACKAGE, "pyproject.toml"), "utf8")) ?? [];
  assert.equal(told, version);
});
