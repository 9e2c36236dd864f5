/** Tests that the redis-cli commands of docs/sql.md, run in order on one daemon, print what the page shows. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { startDaemon } from "../../../test/support/daemon-process.js";
import { freePort } from "../../../test/support/free-port.js";
import { repositoryRoot } from "../../../test/support/repository.js";

const PROMPT = "$ redis-cli ";

/** Returns the page's commands, each with the output that the page shows. */
function examples(): readonly (readonly [command: string, answer: string])[] {
  const page = readFileSync(join(repositoryRoot, "docs/sql.md"), "utf8");
  const blocks = [...page.matchAll(/^```\n(.*?)^```$/gms)].map(([, text = ""]) => text);
  return blocks
    .filter((text) => text.startsWith(PROMPT))
    .flatMap((text) => text.split(/^(?=\$ )/m))
    .map((text) => {
      const [first = "", ...answer] = text.trimEnd().split("\n");
      return [first.slice(PROMPT.length), answer.join("\n")] as const;
    });
}

test("redis-cli prints what docs/sql.md shows", async () => {
  const port = await freePort();
  await using _ = await startDaemon(["-p", "0", "--resp", String(port)]);
  const all = examples();
  assert.ok(all.length >= 9, `${all.length} examples`);
  for (const [command, answer] of all) {
    const printed = execFileSync("bash", ["-c", `redis-cli --no-raw -p ${port} ${command}`], {
      encoding: "utf8",
    });
    assert.equal(printed.trimEnd(), answer, command);
  }
});
