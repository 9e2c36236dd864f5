/** Tests the example page in Chromium: it generates a key, an administrator admits it, and daemons stop and start. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { makeFolder } from "../../daemon/program/replicas.js";
import { skipUnlessFull } from "../../support/amount.js";
import { axeFindings } from "../../support/axe.js";
import { type DaemonProcess, startDaemon } from "../../support/daemon-process.js";
import { EnvelopeClient, makeKeyPair } from "../../support/envelope-client.js";
import { freePort, listenAtFreePort } from "../../support/free-port.js";
import { browserFile } from "../../support/make-browser-module.js";
import { programPaths } from "../../support/programs.js";
import { repositoryRoot } from "../../support/repository.js";
import { until } from "../../support/until.js";
import { startChromium } from "./chromium.js";

const INDEX = join(repositoryRoot, "examples/browser/index.html");

test("a page generates its key, writes to three daemons, continues without one, and waits if all are down", {
  skip: skipUnlessFull,
}, async () => {
  using folder = makeFolder();
  const [root, app] = [makeKeyPair(), makeKeyPair()];
  const places = await Promise.all(
    [0, 1, 2].map(async () => ({ port: await freePort(), ws: await freePort() })),
  );
  const start = (index: number) => {
    const { port, ws } = places[index] as (typeof places)[number];
    const keys = ["--root-key", root.file, "-s", app.file];
    return startDaemon([
      "-p",
      String(port),
      "--ws",
      String(ws),
      ...keys,
      "--data",
      join(folder.path, String(index)),
    ]);
  };
  const daemons: DaemonProcess[] = await Promise.all([0, 1, 2].map(start));
  const held = async (index: number, key: string) => {
    using client = await EnvelopeClient.open(places[index]?.port as number, app);
    const [reply] = await client.replies([["GET", key]]);
    return reply?.kind === "bulk" ? reply.bytes : null;
  };
  const web = createServer(({ url = "" }, response) => {
    const { pathname } = new URL(url, "http://a");
    const [file, type] = pathname === "/" ? [INDEX, "text/html"] : [browserFile(pathname), "text/javascript"];
    if (file === null) response.writeHead(404).end();
    else response.writeHead(200, { "content-type": type }).end(readFileSync(file));
  });
  const page = await listenAtFreePort(web);
  const servers = places.map(({ ws }) => `ws://127.0.0.1:${ws}`).join(",");
  const url = `http://localhost:${page}/?servers=${servers}`;
  await using chromium = await startChromium();
  const { tab } = chromium;
  try {
    await tab.open(url);
    const pem = String(await tab.until(`document.getElementById("pem").value`));
    assert.match(pem, /^-----BEGIN PUBLIC KEY-----\n/);
    const type = (command: string) =>
      tab.run(`(document.getElementById("command").value = ${JSON.stringify(command)},
        document.getElementById("form").requestSubmit(), true)`);
    const answer = (command: string) =>
      tab.until(`[...document.querySelectorAll("#answers li")].map((one) => one.textContent)
        .find((text) => text.startsWith(${JSON.stringify(`${command} →`)}))`);
    await type("SET before 1");
    assert.match(String(await answer("SET before 1")), /refused/, "no daemon accepts its key yet");

    const pemFile = join(folder.path, "page.pem");
    const rootFile = join(folder.path, "root-private.pem");
    writeFileSync(pemFile, pem);
    writeFileSync(rootFile, root.privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
    const list = places.map(({ port }) => `127.0.0.1:${port}`).join(",");
    const add = ["keys", "add", pemFile, "--label", "page", "-k", rootFile, "-s", list];
    await promisify(execFile)(process.execPath, [programPaths.dbsync, ...add]);

    await type("SET k one");
    assert.equal(await answer("SET k one"), 'SET k one → "OK"');
    for (const index of [0, 1, 2])
      await until(`daemon ${index} has the first write`, async () => (await held(index, "k")) === "one");

    daemons[1]?.kill("SIGKILL");
    await daemons[1]?.ended();
    await type("SET k two");
    assert.equal(await answer("SET k two"), 'SET k two → "OK"');
    for (const index of [0, 2])
      await until(`daemon ${index} has the second write`, async () => (await held(index, "k")) === "two");

    for (const index of [0, 2]) daemons[index]?.kill("SIGKILL");
    for (const index of [0, 2]) await daemons[index]?.ended();
    await type("INCR n");
    await tab.until(`document.querySelector("#waiting li")?.textContent.startsWith("INCR n")`);
    daemons[0] = await start(0);
    assert.equal(await answer("INCR n"), "INCR n → 1");
    assert.equal(await tab.until(`document.querySelectorAll("#waiting li").length === 0`), true);
    assert.equal(await held(0, "n"), "1");

    await tab.open(`${url}&again`);
    assert.equal(await tab.until(`document.getElementById("pem").value`), pem, "the key is stored");
    const given = await tab.run(`import("./dbsync.js").then(({ openKey }) => openKey("dbsync"))
      .then(({ privateKey }) => crypto.subtle.exportKey("pkcs8", privateKey)).then(() => "out", () => "kept")`);
    assert.equal(given, "kept");
    for (const width of [1200, 390]) {
      const picture = await tab.picture(width);
      assert.equal(picture.toString("latin1", 1, 4), "PNG");
      const isWithin = `document.documentElement.scrollWidth <= ${width}`;
      assert.equal(await tab.run(isWithin), true, `no element overflows at ${width} pixels`);
      assert.deepEqual(await axeFindings(tab), []);
    }
  } finally {
    web.close();
    web.closeAllConnections();
    for (const daemon of daemons) await daemon[Symbol.asyncDispose]();
  }
});
