/**
 * Tests examples/express-sessions with the real packages. A session continues on another daemon when the current one
 * is killed or hangs.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { until } from "../daemon/replicas.js";
import { ActiveCluster } from "../scenarios/active-cluster.js";
import { listenAtFreePort } from "../support/free-port.js";
import { repositoryRoot } from "../support/repository.js";

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

/** The application in a separate process, and one visitor. */
class Visitor implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #url: string;
  #cookie = "";

  private constructor(child: ChildProcess, port: string) {
    this.#child = child;
    this.#url = `http://127.0.0.1:${port}`;
  }

  static async start(respPorts: readonly number[]): Promise<Visitor> {
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
      return new Visitor(child, port as string);
    }
    assert.fail("The application ended.");
  }

  async get(path: string): Promise<string> {
    const response = await fetch(this.#url + path, { headers: { cookie: this.#cookie } });
    const [cookie] = response.headers.getSetCookie();
    if (cookie !== undefined) this.#cookie = cookie.split(";")[0] as string;
    return await response.text();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#child, "close");
    this.#child.kill("SIGKILL");
    await closed;
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
  await using visitor = await Visitor.start(cluster.indices.map((index) => cluster.respPort(index)));
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

/**
 * Opens a port that forwards to another one until it hangs. Then it accepts connections and bytes, but sends nothing.
 */
async function hangingPort(target: number) {
  const sockets: Socket[] = [];
  let isHung = false;
  const server = createServer((socket) => {
    const other = connect(target, "127.0.0.1");
    for (const each of [socket, other]) sockets.push(each.on("error", () => {}));
    if (!isHung) socket.pipe(other).pipe(socket);
  });
  const port = await listenAtFreePort(server);
  const hang = () => {
    isHung = true;
    for (const socket of sockets) socket.unpipe().pause();
  };
  const close = async () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return { port, hang, [Symbol.asyncDispose]: close };
}

test("a session continues on another daemon when the current one hangs", { skip }, async () => {
  await using cluster = await ActiveCluster.start(2);
  await using hanging = await hangingPort(cluster.respPort(0));
  await using visitor = await Visitor.start([hanging.port, cluster.respPort(1)]);
  assert.equal(await visitor.get("/"), "visits: 1\n");
  await cluster.untilEqual();
  hanging.hang();
  assert.equal(await visitor.get("/"), "visits: 2\n");
});
