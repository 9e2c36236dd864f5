/**
 * Runs the first page of docs/browsers.md in Chromium. The daemon refuses the page until its key is admitted.
 * Afterwards the page counts visits in every tab.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { skipUnlessFull } from "../../support/amount.js";
import { startDaemon } from "../../support/daemon-process.js";
import { makeKeyPair } from "../../support/envelope-client.js";
import { freePort, listenAtFreePort } from "../../support/free-port.js";
import { browserFile } from "../../support/make-browser-module.js";
import { programPaths } from "../../support/programs.js";
import { repositoryRoot } from "../../support/repository.js";
import { scratchFolder } from "../../support/scratch-folder.js";
import { startChromium } from "./chromium.js";

const VISITS = `document.getElementById("visits").textContent`;

test("the first page works as described in docs/browsers.md", { skip: skipUnlessFull }, async () => {
  const [root, ws, port] = [makeKeyPair(), await freePort(), await freePort()];
  const shown = readFileSync(join(repositoryRoot, "docs", "browsers.md"), "utf8");
  assert.ok(shown.includes("`dbsyncd --ws 1180 --root-key root-public.pem`"));
  await using _daemon = await startDaemon(["-p", `${port}`, "--ws", `${ws}`, "--root-key", root.file]);

  const [, block = ""] = /^```html\n([\s\S]*?)^```$/m.exec(shown) ?? [];
  assert.ok(block.includes(":1180"));
  const html = block.replace(":1180", `:${ws}`);

  const web = createServer(({ url = "" }, response) => {
    const module = browserFile(url);
    response.writeHead(200, { "content-type": module === null ? "text/html" : "text/javascript" });
    response.end(module === null ? html : readFileSync(module));
  });

  const address = `http://localhost:${await listenAtFreePort(web)}/`;
  await using chromium = await startChromium();
  try {
    const { tab } = chromium;
    await tab.open(address);
    assert.match(String(await tab.until(VISITS)), /refused/);

    const folder = scratchFolder("first-page");
    const [pemFile, rootFile] = [join(folder, "page.pem"), join(folder, "root-private.pem")];
    writeFileSync(pemFile, String(await tab.run(`document.getElementById("pem").textContent`)));
    const rootPem = root.privateKey.export({ type: "pkcs8", format: "pem" });
    writeFileSync(rootFile, rootPem, { mode: 0o600 });
    const add = ["keys", "add", pemFile, "-k", rootFile, "-s", `127.0.0.1:${port}`];
    await promisify(execFile)(process.execPath, [programPaths.dbsync, ...add]);

    await tab.reload();
    assert.equal(await tab.until(`${VISITS} === "1"`), true);

    const other = await chromium.another();
    await other.open(address);
    assert.equal(await other.until(`${VISITS} === "2"`), true);
    assert.equal(await tab.until(`${VISITS} === "2"`), true, "an open page is notified");
  } finally {
    web.close();
    web.closeAllConnections();
  }
});
