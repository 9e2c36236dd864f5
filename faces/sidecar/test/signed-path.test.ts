/** Tests the table "Commands that are not supported" of docs/sidecar.md with a sidecar. */
import "../../../test/support/all-families.js";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { commandTable } from "../../../daemon/store/command-table.js";
import { RedisConnection } from "../../../test/support/redis-connection.js";
import { repositoryRoot } from "../../../test/support/repository.js";
import { UNSUPPORTED_COMMANDS } from "../signed-path.js";
import { startPlain } from "./scene.js";

const WITH_BLOCK = ["XREAD", "XREADGROUP"];

/** Returns the commands in the first column, as they are typed. */
function listed(): readonly string[] {
  const page = readFileSync(join(repositoryRoot, "docs/sidecar.md"), "utf8");
  const [, section = ""] = page.split("## Commands that are not supported\n");
  const rows = (section.split("\n## ")[0] ?? "").split("\n").filter((line) => line.startsWith("| `"));
  return rows.flatMap((row) =>
    [...(row.split("|")[1] ?? "").matchAll(/`([A-Z_ ]+)`/g)].map(([, name]) => name as string),
  );
}

test("the page lists all unsupported commands, and no others", () => {
  const names = listed().filter((name) => name !== "BLOCK" && !WITH_BLOCK.includes(name));
  assert.deepEqual(
    names.map((name) => name.replace(" ", "|")).sort(),
    [...UNSUPPORTED_COMMANDS.keys()].sort(),
  );
  assert.ok(WITH_BLOCK.every((name) => listed().includes(name)));
});

test("a sidecar refuses each command in the page's list", async () => {
  await using scene = await startPlain();
  const { port } = await scene.sidecar();
  for (const name of listed()) {
    if (name === "BLOCK") continue;
    using client = await RedisConnection.open(port);
    const words = name.split(" ");
    const arity = commandTable.find(words.join("|"))?.arity ?? -words.length;
    const options = WITH_BLOCK.includes(name)
      ? [...(name === "XREADGROUP" ? ["GROUP", "g", "c"] : []), "BLOCK", "1", "STREAMS", "k", "0"]
      : Array.from({ length: Math.max(0, Math.abs(arity) - words.length) }, () => "1");
    const reply = await client.call(...words, ...options);
    assert.equal(reply.kind, "error", name);
    assert.match(reply.kind === "error" ? reply.text : "", / is not supported by dbsyncd -d dbsync: /, name);
  }
});
