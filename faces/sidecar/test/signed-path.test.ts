/** Tests the table "Commands that are not supported" of docs/sidecar.md with a sidecar. */
import "../../../test/support/all-families.js";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { commandTable } from "../../../daemon/store/command-table.js";
import type { DaemonHere } from "../../../test/support/daemon-here.js";
import { RedisConnection, valueOfReply } from "../../../test/support/redis-connection.js";
import { repositoryRoot } from "../../../test/support/repository.js";
import { startSidecar } from "../../../test/support/start-sidecar.js";
import { UNSUPPORTED_COMMANDS } from "../signed-path.js";
import { CALL_MS, type PlainScene, startPlain } from "./scene.js";

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

let scene: PlainScene;
let sidecar: DaemonHere;
let port: number;
before(async () => {
  scene = await startPlain();
  const args = ["--resp", "0", "--backend-timeout", `${CALL_MS}ms`];
  sidecar = await startSidecar(scene.key, scene.servers.split(","), args);
  port = await sidecar.portOf("Redis clients");
});
after(async () => {
  await sidecar?.[Symbol.asyncDispose]();
  await scene?.[Symbol.asyncDispose]();
});

test("the page lists all unsupported commands, and no others", () => {
  const names = listed().filter((name) => name !== "BLOCK" && !WITH_BLOCK.includes(name));
  assert.deepEqual(
    names.map((name) => name.replace(" ", "|")).sort(),
    [...UNSUPPORTED_COMMANDS.keys()].sort(),
  );
  assert.ok(WITH_BLOCK.every((name) => listed().includes(name)));
});

test("a sidecar refuses each command in the page's list", async () => {
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
    const text = reply.kind === "error" ? reply.text : "";
    // phpredis throws no exception for an error that begins with ERR.
    assert.match(text, /^NOTAPPLIED [A-Z_ ]+( with BLOCK)? is not supported by dbsyncd -d dbsync: /, name);
  }
});

test("a sidecar refuses such a command when MULTI would queue it, and EXEC then executes nothing", async () => {
  using client = await RedisConnection.open(port);
  for (const words of [
    ["PUBLISH", "news", "one"],
    ["BLPOP", "list", "1"],
    ["EVAL", "return 1", "0"],
  ]) {
    await client.call("MULTI");
    await client.call("SET", "key", "1");
    const reply = await client.call(...words);
    assert.match(reply.kind === "error" ? reply.text : "", /^NOTAPPLIED /);
    const executed = await client.call("EXEC");
    assert.match(executed.kind === "error" ? executed.text : "", /^EXECABORT /);
  }
  assert.equal(valueOfReply(await client.call("EXISTS", "key")), 0);
});
