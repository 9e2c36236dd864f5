/**
 * Tests examples/php-app, installed by Composer without a network and served by PHP. A visitor signs the guest book
 * while daemons are killed.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { freePort } from "../support/free-port.js";
import { repositoryRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirements.js";
import { run } from "../support/run-program.js";
import { Trio } from "../support/trio.js";
import { until } from "../support/until.js";
import { Visitor } from "./visitor.js";

const skip = skipWithout("php") || skipWithout("composer");
const scratch = mkdtempSync(join(tmpdir(), "dbsync-php-app-"));
const project = join(scratch, "php-app");

before(async () => {
  if (skip) return;
  for (const name of ["php", "php-app"])
    cpSync(join(repositoryRoot, "examples", name), join(scratch, name), { recursive: true });
  const env = { COMPOSER_HOME: scratch, COMPOSER_ALLOW_SUPERUSER: "1", COMPOSER_DISABLE_NETWORK: "1" };
  const args = ["install", "--no-interaction", "--no-ansi"];
  const { code, stderr } = await run("composer", args, { cwd: project, env });
  assert.equal(code, 0, stderr);
});

after(() => rmSync(scratch, { recursive: true, force: true }));

/** PHP's own web server with the guest book. */
class GuestBookVisitor extends Visitor {
  static async start(env: Readonly<Record<string, string>>): Promise<GuestBookVisitor> {
    const address = `127.0.0.1:${await freePort()}`;
    const child = spawn("php", ["-d", "display_errors=1", "-S", address, "-t", "public"], {
      cwd: project,
      env: { PATH: process.env["PATH"], ...env },
      stdio: "ignore",
    });
    const visitor = new GuestBookVisitor(child, `http://${address}`);
    await until("PHP listens", () =>
      visitor.get().then(
        () => true,
        () => false,
      ),
    );
    return visitor;
  }

  /** Opens the page, or signs the guest book. */
  async get(entry?: Readonly<Record<string, string>>): Promise<{ status: number; text: string }> {
    const options = entry === undefined ? {} : { method: "POST", body: new URLSearchParams(entry) };
    const response = await this.request("/", options);
    return { status: response.status, text: await response.text() };
  }
}

const listed = (page: string) => [...page.matchAll(/^<li>(.*)<\/li>$/gm)].map(([, item]) => item);

test("a visitor signs the guest book, is remembered while a daemon is killed, and sees an error if no daemon answers", {
  skip,
}, async () => {
  await using trio = await Trio.start();
  await trio.untilNoneIsLate();
  const key = join(scratch, "private.pem");
  writeFileSync(key, trio.app.privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  await using visitor = await GuestBookVisitor.start({
    DBSYNC_SERVERS: trio.servers.join(),
    DBSYNC_SIGNKEY: key,
  });

  const signed = await visitor.get({ name: "Ada", text: "<b>hello</b>" });
  assert.equal(signed.status, 200, signed.text);
  assert.deepEqual(listed(signed.text), ["Ada: &lt;b&gt;hello&lt;/b&gt;"]);
  assert.match(signed.text, /value="Ada"/);

  await trio.end(0, "SIGKILL");
  const again = await visitor.get({ name: "Ada", text: "again" });
  assert.deepEqual(listed(again.text), ["Ada: again", "Ada: &lt;b&gt;hello&lt;/b&gt;"]);
  assert.match(again.text, /Your entries: 2</);
  const pageAfterKill = await visitor.get();
  assert.match(pageAfterKill.text, /value="Ada"[\s\S]*Your entries: 2</);

  await trio.end(1, "SIGKILL");
  await trio.end(2, "SIGKILL");
  const none = await visitor.get();
  assert.deepEqual(none, {
    status: 503,
    text: "The guest book cannot be reached. Reload the page to see whether your entry is in it.\n",
  });
});
