/**
 * Runs the programs of docs/change-feed.md as printed, against daemons with a smaller window: each is killed while it
 * follows, and then continues. Checks that a key with the rules of the page may follow.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import type { ReplyValue } from "../../client/public-api.js";
import { makeFolder } from "../daemon/program/replicas.js";
import { skipUnlessFull } from "../support/amount.js";
import { makeKeyPair } from "../support/envelope-client.js";
import { listenAtFreePort } from "../support/free-port.js";
import { buildRoot, repositoryRoot } from "../support/repository.js";
import { run } from "../support/run-program.js";
import { Trio } from "../support/trio.js";
import { fieldsOf } from "../system/status.js";

const page = readFileSync(join(repositoryRoot, "docs", "change-feed.md"), "utf8");
const programOf = (name: string): string => {
  const [, text] =
    new RegExp(`^\`\`\`(?:js|python)\\n((?://|#) ${name}\\n[\\s\\S]*?)^\`\`\`$`, "m").exec(page) ?? [];
  assert.ok(text !== undefined, name);
  return text;
};
const PYTHON = "/usr/bin/python3";

test("the programs of the page continue after a kill, and miss and repeat nothing", {
  skip: skipUnlessFull,
}, async () => {
  await using trio = await Trio.start(["--window", "3s,1s"], 2);
  await trio.list();
  using folder = makeFolder();
  const installed = join(folder.path, "node_modules", "dbsyncd");
  mkdirSync(installed, { recursive: true });
  cpSync(join(repositoryRoot, "package.json"), join(installed, "package.json"));
  symlinkSync(buildRoot, join(installed, "dist"));
  const follower = makeKeyPair();
  await using administrator = trio.client(undefined, { key: trio.root.privateKey });
  const [, rules = ""] = /--rules '(.*?)'/.exec(page) ?? [];
  const spki = readFileSync(follower.file, "utf8").replace(/-----.*-----|\s/g, "");
  await administrator.call(["KEY", "ADD", spki, "RULES", ...rules.split(" ")], { policy: "all" });
  const keyFile = join(folder.path, "follower.pem");
  writeFileSync(keyFile, follower.privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });

  const posted: string[] = [];
  const server = createServer((request, response) => {
    posted.push(String(request.headers["idempotency-key"]));
    request.resume().on("end", () => response.end());
  });
  const port = await listenAtFreePort(server);
  const env = {
    ...process.env,
    DBSYNC_SERVERS: trio.servers.join(","),
    DBSYNC_SIGNKEY: keyFile,
    WEBHOOK_URL: `http://127.0.0.1:${port}/`,
    PYTHONPATH: join(repositoryRoot, "clients", "python"),
  };
  const start = (name: string): ChildProcess => {
    writeFileSync(join(folder.path, name), programOf(name));
    const program = name.endsWith(".py") ? PYTHON : process.execPath;
    return spawn(program, [name], { cwd: folder.path, env, stdio: ["ignore", "inherit", "inherit"] });
  };
  const names = ["search-index.mjs", "webhook.mjs", ...(existsSync(PYTHON) ? ["warehouse.py"] : [])];
  let children = names.map(start);
  const kill = () =>
    Promise.all(
      children.map((child) => {
        const closed = once(child, "close");
        child.kill("SIGKILL");
        return closed;
      }),
    );

  await using client = trio.client();
  const rows = async (): Promise<number> => {
    if (!existsSync(join(folder.path, "warehouse.db"))) return 0;
    const code =
      "import sqlite3; print(sqlite3.connect('warehouse.db').execute(\"SELECT count(*) FROM writes\").fetchone()[0])";
    const { stdout } = await run(PYTHON, ["-c", code], { cwd: folder.path });
    return Number(stdout);
  };
  const index = () => {
    const file = join(folder.path, "index.json");
    return existsSync(file)
      ? (JSON.parse(readFileSync(file, "utf8")) as { products: Record<string, string> })
      : null;
  };
  try {
    // Each program begins with the units that are dated after its first request.
    await trio.until("all programs have begun", async () => {
      await client.call(["HSET", "product:0", "name", "Begun"]);
      return (
        posted.length > 0 &&
        index()?.products["product:0"] === "begun" &&
        (names.length < 3 || (await rows()) > 0)
      );
    });
    await kill();
    for (let i = 1; i <= 20; i++) await client.call(["HSET", `product:${i}`, "name", `Name ${i}`]);
    await client.call("HSET hidden name x");
    await client.call("DEL product:3");
    children = names.map(start);
    await trio.until("all programs have everything", async () => {
      const found = index()?.products ?? {};
      return found["product:20"] === "name 20" && found["product:3"] === undefined && posted.length >= 22;
    });
    const reply = await administrator.call(["TIMELINE", "LOG", "FROM", "0", "LIMIT", "10000"]);
    const units = fieldsOf(reply).get("units") as ReplyValue[];
    if (names.length === 3)
      await trio.until("the warehouse has each unit", async () => (await rows()) === units.length);
    assert.equal(new Set(posted).size, posted.length, "nothing is posted twice");
    assert.equal(index()?.products["hidden"], undefined);
  } finally {
    await kill();
    server.close();
  }
});
