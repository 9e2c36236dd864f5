/**
 * Tests examples/production and the options in the documents: everything that they name exists and has the documented
 * properties.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { nameOf } from "../../daemon/options/option-row.js";
import { BUILD } from "../../daemon/program/installed-faces.js";
import { readCommandLine } from "../../daemon/program/program.js";
import { writeClusterSecret } from "../../keys/cluster-secret-file.js";
import { neededBy } from "../daemon/options/examples.js";
import { writeCertificate } from "../support/certificate-files.js";
import { runDaemon } from "../support/daemon-process.js";
import { OPTION_NAMES, OPTIONS, TABLE } from "../support/installed-options.js";
import { repositoryRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirements.js";

const folder = join(repositoryRoot, "examples", "production");
const read = (name: string) => readFile(join(folder, name), "utf8");

/** Returns the lines of a text without comments and empty lines. */
function content(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.replace(/^\s*#.*/, "").trimEnd())
    .filter((line) => line !== "");
}

/** Returns the long options (`--name`) in a text that calls one program. */
function optionsIn(text: string): string[] {
  return [...text.matchAll(/(?<![\w-])--[a-z][a-z-]+/g)].map(([option]) => option);
}

async function printedFor(...args: readonly string[]): Promise<string> {
  const task = await readCommandLine(args, {}, BUILD.faces);
  assert.ok(task.kind === "print");
  return task.text;
}

async function daemonOptions(): Promise<Set<string>> {
  return new Set(optionsIn(await printedFor("--help-all")));
}

describe("the systemd unit", () => {
  /** Returns the values in the unit, by section and name. */
  async function unit(): Promise<Map<string, Map<string, string[]>>> {
    const sections = new Map<string, Map<string, string[]>>();
    let section = new Map<string, string[]>();
    for (const line of content(await read("dbsyncd.service"))) {
      const header = /^\[(\w+)\]$/.exec(line);
      if (header !== null) sections.set(header[1] as string, (section = new Map()));
      else {
        const setting = /^(\w+)=(.*)$/.exec(line);
        assert.ok(setting !== null, `not name=value: ${line}`);
        const [, name = "", value = ""] = setting;
        section.set(name, [...(section.get(name) ?? []), value]);
      }
    }
    return sections;
  }

  test("The unit starts the daemon with its configuration, reloads and restarts it", async () => {
    const sections = await unit();
    assert.deepEqual([...sections.keys()], ["Unit", "Service", "Install"]);
    const service = sections.get("Service");
    assert.deepEqual(service?.get("ExecStart"), ["/usr/local/bin/dbsyncd --config /etc/dbsync/dbsyncd.toml"]);
    assert.deepEqual(service?.get("ExecReload"), ["/bin/kill -HUP $MAINPID"]);
    assert.deepEqual(service?.get("Restart"), ["on-failure"]);
  });

  test("The unit is hardened, but permits the writable code memory of V8", async () => {
    const service = (await unit()).get("Service");
    for (const [name, value] of [
      ["DynamicUser", "yes"],
      ["NoNewPrivileges", "yes"],
      ["CapabilityBoundingSet", ""],
      ["ProtectSystem", "strict"],
      ["ProtectHome", "yes"],
      ["PrivateTmp", "yes"],
      ["MemoryDenyWriteExecute", "no"],
    ] as const) {
      assert.deepEqual(service?.get(name), [value], name);
    }
    assert.ok(service?.has("SystemCallFilter"));
    assert.ok(service?.has("RestrictAddressFamilies"));
  });

  test("The unit creates the folder that the sample configuration names", async () => {
    const service = (await unit()).get("Service");
    assert.deepEqual(service?.get("StateDirectory"), ["dbsyncd"]);
    assert.deepEqual(service?.get("StateDirectoryMode"), ["0700"]);
    assert.deepEqual(service?.get("CacheDirectoryMode"), ["0700"], "V8 executes what is in it");
    assert.ok(content(await read("dbsyncd.toml")).includes('data = "/var/lib/dbsyncd"'));
  });

  test("The options in the unit exist", async () => {
    const options = await daemonOptions();
    const start = (await unit()).get("Service")?.get("ExecStart")?.[0] ?? "";
    for (const option of optionsIn(start)) assert.ok(options.has(option), option);
  });

  test("systemd accepts the unit", { skip: skipWithout("systemd-analyze") }, async () => {
    const scratch = await mkdtemp(join(tmpdir(), "dbsync-unit-"));
    try {
      const file = join(scratch, "dbsyncd.service");
      // dbsyncd need not be installed on the machine that runs the tests.
      await writeFile(file, (await read("dbsyncd.service")).replace("/usr/local/bin/dbsyncd", "/bin/true"));
      const verified = spawnSync("systemd-analyze", ["verify", file], { encoding: "utf8" });
      assert.equal(verified.status, 0, verified.stderr);
      assert.ok(!verified.stderr.includes("dbsyncd.service"), verified.stderr);
    } finally {
      await rm(scratch, { recursive: true });
    }
  });
});

/** The databases for options that require a certain kind. The sample's first database, `memory`, is not suitable. */
const SIDECAR_DATABASE = 'database = "dbsync:127.0.0.1:1112"';
const REDIS_DATABASE = 'database = "redis:127.0.0.1:6379"';

/** Creates a folder with the key files, the certificate and the user file that the sample names. */
async function scratchWithKeys(): Promise<string> {
  const scratch = await mkdtemp(join(tmpdir(), "dbsync-toml-"));
  for (const [name, bits] of [
    ["keys", 2048],
    ["roots", 4096],
  ] as const) {
    await mkdir(join(scratch, name));
    const key = join(repositoryRoot, `test/vectors/php-dbsync/test-rsa${bits}-public.pem`);
    await copyFile(key, join(scratch, name, "public.pem"));
  }
  await copyFile(
    join(repositoryRoot, "test/vectors/php-dbsync/test-rsa2048-private.pem"),
    join(scratch, "private.pem"),
  );
  await writeCertificate(scratch);
  await writeFile(join(scratch, "users.acl"), "user default off\n");
  writeClusterSecret(join(scratch, "cluster.secret"));
  return scratch;
}

describe("the sample configuration", () => {
  test("dbsyncd accepts the unchanged sample", async () => {
    const scratch = await scratchWithKeys();
    try {
      await copyFile(join(folder, "dbsyncd.toml"), join(scratch, "dbsyncd.toml"));
      const ended = await runDaemon(["--config", join(scratch, "dbsyncd.toml"), "--check-config"]);
      assert.equal(ended.code, 0, ended.stderr);
      assert.ok(ended.stdout.includes(`sign-key = ["${join(scratch, "keys")}"]   # file`), ended.stdout);
    } finally {
      await rm(scratch, { recursive: true });
    }
  });

  test("dbsyncd accepts every line that is commented out, and the sample contains all options", async () => {
    const text = await read("dbsyncd.toml");
    const lines = [...text.matchAll(/^#[a-z0-9-]+ = .*$/gm)].map(([line]) => line.slice(1));
    const all = [...lines, ...(text.match(/^[a-z0-9-]+ = .*$/gm) ?? [])];
    assert.ok(lines.length > 10);

    const scratch = await scratchWithKeys();
    try {
      const settingOf = (line: string) =>
        OPTION_NAMES.find((name) => line.startsWith(`${nameOf(OPTIONS[name])} = `)) ?? assert.fail(line);
      // Options of a sidecar require daemons as the database. The option about replicas requires a Redis.
      const lineOf = (setting: string, of: string) =>
        setting === "database"
          ? of === "waitReplicas"
            ? REDIS_DATABASE
            : SIDECAR_DATABASE
          : (all.find((line) => settingOf(line) === setting) ?? assert.fail(setting));

      // Limits can be combined. Some of the remaining options cannot be used together.
      const limits = lines.filter((line) => TABLE.isLimit(settingOf(line)));
      for (const line of ["", ...lines.filter((each) => !limits.includes(each))]) {
        const file = join(scratch, "one.toml");
        const needed =
          line === "" ? [] : [...neededBy(settingOf(line))].filter((name) => name !== settingOf(line));
        const written = line === "" ? limits : [line, ...needed.map((name) => lineOf(name, settingOf(line)))];
        await writeFile(file, `${written.join("\n")}\n`);
        await assert.doesNotReject(printedFor("--config", file, "--check-config"), line);
      }
    } finally {
      await rm(scratch, { recursive: true });
    }

    const named = new Set([...text.matchAll(/^#?([a-z-]+) = /gm)].map(([, name]) => `--${name}`));
    const notInFile = ["--config", "--check-config", "--help-all", "--help", "--version"];
    assert.deepEqual(
      [...(await daemonOptions())].filter((option) => !notInFile.includes(option)).sort(),
      [...named].sort(),
    );
  });
});

describe("docs/troubleshooting.md", () => {
  test("Each reason in the table of symptoms is a reason of the daemon", async () => {
    const { REFUSALS } = await import("../../daemon/engine/answers/refusals.js");
    const text = await readFile(join(repositoryRoot, "docs/troubleshooting.md"), "utf8");
    const table = text.slice(text.indexOf("| symptom |"));
    const cells = [...table.matchAll(/^\|[^|]*\|([^|]*)\|/gm)].map(([, cell = ""]) => cell);
    const reasons = cells.flatMap((cell) =>
      [...cell.matchAll(/`([a-z-]+)`/g)].map(([, reason = ""]) => reason),
    );
    assert.ok(reasons.length > 5);
    for (const reason of reasons) assert.ok(reason in REFUSALS, reason);
  });
});
