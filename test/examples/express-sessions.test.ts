/**
 * Tests examples/express-sessions with the real packages. A session continues on another daemon when the current one
 * is killed or hangs.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { ActiveCluster } from "../support/active-cluster.js";
import { repositoryRoot } from "../support/repository.js";
import { until } from "../support/until.js";
import { Visitor } from "./visitor.js";

const LINES_MAX = 60;
const source = join(repositoryRoot, "examples", "express-sessions");
const libraries = join(repositoryRoot, "test", "libraries", "npm");
const readDependencies = (folder: string) =>
  (JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { dependencies: Record<string, string> })
    .dependencies;
const isInstalled = Object.keys(readDependencies(source)).every((name) =>
  existsSync(join(libraries, "node_modules", name)),
);
const skip = isInstalled ? false : "test/libraries/npm is not installed";

const scratch = mkdtempSync(join(tmpdir(), "dbsync-express-"));

before(() => {
  cpSync(source, scratch, { recursive: true });
  symlinkSync(join(libraries, "node_modules"), join(scratch, "node_modules"));
});

after(() => rmSync(scratch, { recursive: true, force: true }));

/** The application in a separate process. */
class SessionsVisitor extends Visitor {
  static async start(respPorts: readonly number[]): Promise<SessionsVisitor> {
    const child = spawn(process.execPath, ["app.mjs"], {
      cwd: scratch,
      env: {
        PATH: process.env["PATH"],
        PORT: "0",
        SECRET: "a test's",
        REDIS_URLS: respPorts.map((port) => `redis://127.0.0.1:${port}`).join(),
      },
      stdio: ["ignore", "pipe", "ignore"],
    });
    for await (const line of createInterface({ input: child.stdout! })) {
      const [, port] = /^port (\d+)$/.exec(line) ?? assert.fail(line);
      return new SessionsVisitor(child, `http://127.0.0.1:${port}`);
    }
    assert.fail("The application ended.");
  }

  async get(path: string): Promise<string> {
    return await (await this.request(path)).text();
  }
}

test("the example is short, and uses the packages of test/libraries", () => {
  assert.ok(readFileSync(join(source, "app.mjs"), "utf8").split("\n").length - 1 <= LINES_MAX);
  const libraryDependencies = readDependencies(libraries);
  for (const [name, range] of Object.entries(readDependencies(source)))
    assert.equal(range, libraryDependencies[name], name);
});

test("a session continues on another daemon while each daemon is killed and restarted", {
  skip,
}, async () => {
  await using cluster = await ActiveCluster.start(2);
  await using visitor = await SessionsVisitor.start(cluster.indices.map((index) => cluster.respPort(index)));
  assert.equal(await visitor.get("/"), "visits: 1\n");
  assert.equal(await visitor.get("/"), "visits: 2\n");
  await cluster.untilEqual();

  await cluster.end(0, "SIGKILL");
  assert.equal(await visitor.get("/"), "visits: 3\n");
  const together = await Promise.all([visitor.get("/"), visitor.get("/")]);
  for (const answer of together) assert.match(answer, /^visits: [45]\n$/);

  await cluster.restart(0);
  await cluster.untilEqual();
  const before = Number(/\d+/.exec(await visitor.get("/"))?.[0]);
  await cluster.untilEqual();
  await cluster.end(1, "SIGKILL");

  // The application reconnects to the restarted daemon within half a second.
  let answer = "";
  await until("the application is connected to a daemon", async () =>
    (answer = await visitor.get("/")).startsWith("visits: "),
  );
  assert.equal(answer, `visits: ${before + 1}\n`);

  assert.equal(await visitor.get("/logout"), "bye\n");
  assert.equal(await visitor.get("/"), "visits: 1\n");
});

test("a session continues on another daemon when the current one hangs", { skip }, async () => {
  await using cluster = await ActiveCluster.start(2);
  await using visitor = await SessionsVisitor.start(cluster.indices.map((index) => cluster.respPort(index)));
  assert.equal(await visitor.get("/"), "visits: 1\n");
  await cluster.untilEqual();
  cluster.hang(0);
  assert.equal(await visitor.get("/"), "visits: 2\n");
});
