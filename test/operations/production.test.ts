/**
 * Runs all blocks of docs/production.md as printed, on machines in namespaces with systemd, a network and the packet
 * filter of the kernel. Only the programs that install packages, copy files between machines and show the clock are
 * replaced.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { linkPrograms, writeUnits } from "../packages/debian-package.js";
import { skipUnlessFull } from "../support/amount.js";
import { buildRoot, repositoryRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirements.js";
import { Machines, skipWithoutMachines } from "./machines.js";

const page = readFileSync(join(repositoryRoot, "docs/production.md"), "utf8");

interface Block {
  /** The heading, and the last bold sentence before the block. */
  readonly title: string;
  readonly machines: readonly string[];
  /** Whether the reader waits after each machine. */
  readonly isOneByOne: boolean;
  readonly script: string;
}

/** Parses the console blocks, whose first line names the user and the machines. */
function blocksOf(text: string): Block[] {
  let title = "";
  return text.split(/^(?=## |\*\*|```)/m).flatMap((part) => {
    const [, heading] = /^(?:## |\*\*)([^*\n]+)/.exec(part) ?? [];
    if (heading !== undefined) title = heading;
    const [, where, script = ""] = /^```console\n# as root, on (.*)\n([\s\S]*)/.exec(part) ?? [];
    if (where === undefined) {
      assert.ok(!part.startsWith("```console"), part);
      return [];
    }
    const machines = where.split(/, then on |, | and /);
    return [{ title, machines, isOneByOne: where.includes("then"), script }];
  });
}

const MACHINES = {
  db1: { hostName: "db1", address: "10.0.0.1" },
  db2: { hostName: "db2", address: "10.0.0.2" },
  db3: { hostName: "db3", address: "10.0.0.3" },
  app1: { hostName: "app1", address: "10.0.0.21" },
  mon1: { hostName: "mon1", address: "10.0.0.31" },
  admin: { hostName: "admin", address: "10.0.0.41" },
  /** The machine that replaces db3. */
  "db3-new": { hostName: "db3", address: "10.0.0.3" },
};
const PACKAGE = "/usr/lib/dbsync/node_modules/dbsyncd";
const STATUS = "dbsync status --wait 120";

describe("docs/production.md", { timeout: 1_800_000 }, () => {
  const blocks = blocksOf(page);

  test("has at most 250 lines, and names the user and the machines of each block", () => {
    assert.ok(page.trimEnd().split("\n").length <= 250);
    assert.ok(blocks.length > 20);
    for (const { machines } of blocks)
      for (const machine of machines) assert.ok(machine in MACHINES, machine);
  });

  test("sets up three machines, and rehearses incidents, as printed", {
    skip:
      skipUnlessFull ||
      skipWithoutMachines() ||
      ["nft", "haproxy", "promtool", "redis-cli", "openssl", "curl"].map(skipWithout).find(Boolean) ||
      false,
  }, async (context) => {
    const root = mkdtempSync(join(tmpdir(), "dbsync-package-"));
    context.after(() => rmSync(root, { recursive: true }));
    writeUnits(root);
    linkPrograms(JSON.parse(readFileSync(join(repositoryRoot, "package.json"), "utf8")), root);
    await using machines = await Machines.prepare(MACHINES, {
      [repositoryRoot]: PACKAGE,
      [buildRoot]: `${PACKAGE}/dist`,
      [root]: "/package",
    });
    /** The machine that has a name now. */
    const current = new Map<string, string>();
    /** The folder in which the administrator works, once the first block of admin has made it. */
    let folder = "";
    const switchOn = async (name: keyof typeof MACHINES): Promise<void> => {
      await machines.start(name);
      current.set(MACHINES[name].hostName, name);
      await succeeds(name, "cp -r /package/. /\nsystemctl daemon-reload");
    };

    async function succeeds(machine: string, script: string): Promise<void> {
      const name = current.get(machine) ?? machine;
      const { code, stdout, stderr } = await machines.run(name, script, machine === "admin" ? folder : "");
      if (code === 0) return;
      const logs = await Promise.all(
        ["db1", "db2", "db3"].map((each) =>
          machines.run(current.get(each) ?? each, "journalctl -o cat -n 30; systemctl --failed"),
        ),
      );
      assert.fail(`${machine}: ${script}\n${stdout}${stderr}\n${logs.map((log) => log.stdout).join("\n")}`);
    }

    async function execute({ machines: names, script, isOneByOne }: Block): Promise<void> {
      for (const name of names) {
        await succeeds(name, script);
        if (script.includes("mkdir -m 0700 dbsync")) folder = "dbsync";
        if (isOneByOne) await succeeds("admin", STATUS);
      }
    }

    const of = (title: string): Block[] => blocks.filter((block) => block.title === title);
    /** Installs db3 again, as the page says. */
    async function replaceMachine(): Promise<void> {
      await switchOn("db3-new");
      const copying = of("Keys").find(({ script }) => script.includes("scp ")) as Block;
      const copyingOne = { ...copying, script: copying.script.replace("db1 db2 db3", "db3") };
      const onNew = (title: string) => of(title).map((block) => ({ ...block, machines: ["db3"] }));
      for (const block of [...onNew("Install"), copyingOne, ...onNew("Start")]) await execute(block);
    }

    for (const name of ["db1", "db2", "db3", "app1", "mon1", "admin"] as const) await switchOn(name);
    for (const [index, block] of blocks.entries()) {
      context.diagnostic(`${block.title}: ${block.machines.join(", ")}`);
      await execute(block);
      if (block.script.includes("members evict")) await replaceMachine();
      if (block.script.includes("! dbsync status")) await succeeds("db1", "systemctl start dbsyncd");
      const isLast = blocks[index + 1]?.title !== block.title;
      if (isLast && index > blocks.findIndex(({ title }) => title === "The list of members"))
        await succeeds("admin", STATUS);
    }
  });
});
