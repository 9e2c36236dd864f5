/** Tests the table "Commands that are not supported" of docs/sidecar.md with a sidecar. */
import "../../../test/support/all-families.js";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { commandTable } from "../../../daemon/store/command-table.js";
import { writeCommand } from "../../../protocol/resp/resp-writer.js";
import type { DaemonHere } from "../../../test/support/daemon-here.js";
import { RawClient } from "../../../test/support/raw-client.js";
import { RedisConnection, valueOfReply } from "../../../test/support/redis-connection.js";
import { repositoryRoot } from "../../../test/support/repository.js";
import { startSidecar } from "../../../test/support/start-sidecar.js";
import { UNSUPPORTED_COMMANDS } from "../unsupported-commands.js";
import { type PlainScene, startPlain } from "./scene.js";

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
  sidecar = await startSidecar(scene.key, scene.servers.split(","), ["--resp", "0"]);
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

test("a sidecar refuses such a command when MULTI would queue it, since phpredis waits if EXEC is refused", async () => {
  using client = await RedisConnection.open(port);
  for (const words of [
    ["PUBLISH", "news", "one"],
    ["BLPOP", "list", "1"],
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

test("a client that caches receives an invalidation after each answer that it could store", async () => {
  using client = await RawClient.open(port);
  const send = (...words: readonly string[]) => client.send(writeCommand(words));
  const invalidated = (key: string) => `>2\r\n$10\r\ninvalidate\r\n*1\r\n$${key.length}\r\n${key}\r\n`;

  send("HELLO", "3");
  send("CLIENT", "TRACKING", "ON", "BCAST");
  await client.readTo("-NOTAPPLIED ");
  await client.readTo("\r\n");

  send("CLIENT", "TRACKING", "ON");
  send("MSET", "one", "1", "two", "2");
  send("GET", "one");
  send("GET", "two");
  const received = (await client.readTo(invalidated("one"))) + (await client.readTo(invalidated("two")));
  assert.deepEqual(received.match(/\+OK|\$1\r\n[12]/g), ["+OK", "+OK", "$1\r\n1", "$1\r\n2"]);
  assert.ok(received.indexOf(invalidated("one")) > received.indexOf("$1\r\n1"));

  for (const words of [["MULTI"], ["GET", "one"], ["EXEC"]]) send(...words);
  assert.match(await client.readTo(invalidated("one")), /^\+OK\r\n\+QUEUED\r\n\*1\r\n\$1\r\n1\r\n>2/);
});
