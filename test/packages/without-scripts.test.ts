/** Runs the blocks of install.md that install dbsync without install scripts, as printed. */
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { consoleLines } from "../operations/console-text.js";
import { skipUnlessFull } from "../support/amount.js";
import { freePort } from "../support/free-port.js";
import { repositoryRoot } from "../support/repository.js";
import { ScratchFolder } from "../support/scratch-folder.js";
import { succeedWithNetwork } from "./commands.js";
import { versionOf } from "./sources.js";

const lines = consoleLines("install.md").filter(({ section }) => section === "Without install scripts");
const version = versionOf(repositoryRoot);

interface Manager {
  readonly name: string;
  /** The package that contains the manager, or null for the installed npm. */
  readonly package: string | null;
  /** Turns an empty folder into a project, if the block expects one. */
  readonly project?: string;
}

const MANAGERS: readonly Manager[] = [
  { name: "npm", package: null },
  { name: "pnpm", package: "pnpm@12.4.2" },
  { name: "Yarn 1", package: "yarn@1.22.22" },
  { name: "Yarn 4", package: "@yarnpkg/cli-dist@4.18.1", project: "yarn init" },
];

const OPTIONS = ["--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund"];

/** Returns the lines that make keys, start a daemon with a data folder by the manager, and send it a command. */
function firstContact(start: string, port: number): string {
  return [
    "set -m",
    `${start} dbsync-keygen --out . > keys`,
    `${start} dbsyncd -p ${port} -s public.pem --data data > log 2>&1 &`,
    "trap 'kill -9 -- -$!' EXIT",
    `${start} dbsync status -s 127.0.0.1:${port} --wait > status || { cat log >&2; exit 1; }`,
    `${start} dbsync send -s 127.0.0.1:${port} -k private.pem INCR visits`,
  ].join("\n");
}

test("install.md has a block for each manager, and its last line prints the version", () => {
  assert.equal(Math.max(...lines.map(({ block }) => block)) + 1, MANAGERS.length);
});

describe("the blocks install programs that work, with lmdb", { skip: skipUnlessFull }, () => {
  const folder = new ScratchFolder();
  const packed = join(folder.path, `dbsyncd-${version}.tgz`);

  before(async () => {
    const args = ["pack", "--silent", "--ignore-scripts", "--pack-destination", folder.path];
    await succeedWithNetwork("npm", args, { cwd: repositoryRoot });
  });

  after(() => folder[Symbol.dispose]());

  for (const [index, manager] of MANAGERS.entries())
    test(manager.name, async () => {
      const tools = join(folder.path, `tools${index}`);
      const user = join(folder.path, `user${index}`);
      for (const made of [tools, user]) mkdirSync(made);
      if (manager.package !== null)
        await succeedWithNetwork("npm", ["install", ...OPTIONS, "--prefix", tools, manager.package], {
          cwd: tools,
        });

      copyFileSync(packed, join(user, `dbsyncd-${version}.tgz`));
      const env = {
        PATH: `${join(tools, "node_modules/.bin")}:${process.env["PATH"]}`,
        YARN_ENABLE_TELEMETRY: "0",
        // Both versions of Yarn leave folders in the temporary folder.
        TMPDIR: folder.path,
      };
      const type = (script: string) =>
        succeedWithNetwork("bash", ["--norc", "-euo", "pipefail", "-c", script], { cwd: user, env });

      if (manager.project !== undefined) await type(manager.project);
      const typed = lines.filter(({ block }) => block === index).map(({ command }) => command);
      const printed = await type(typed.join("\n"));
      assert.match(printed, new RegExp(`^${version.replaceAll(".", "\\.")}$`, "m"));

      const [start = ""] = (typed.at(-1) ?? "").split(" dbsync ");
      assert.match(await type(firstContact(start, await freePort())), /^1$/m);
    });
});
