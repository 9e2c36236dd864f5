/** Tests a page whose later modules load late or not at all. Each call settles in time, or fails with the reason. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { test } from "node:test";
import { skipUnlessFull } from "../../support/amount.js";
import { freePort, listenAtFreePort } from "../../support/free-port.js";
import { browserFile } from "../../support/make-browser-module.js";
import { startChromium } from "./chromium.js";

const PAGE = `<!doctype html><script type="module">
  import { createClient } from "./dbsync.js";
  const client = createClient({ servers: "ws://127.0.0.1:PORT" });
  const told = ({ code, effect, outcomes }) => [code, effect, outcomes.length].join(" ");
  window.call = (timeout) => client.call(["INCR", "k"], { timeout }).catch(told);
  window.watch = () => client.watch("k").next().catch(told);
  window.unkept = () => String(client.unkept);
  window.isReady = true;
</script>`;

test("a call fails by its deadline if a module is missing or slow, and the next call loads it", {
  skip: skipUnlessFull,
}, async () => {
  let missing = /core|live|kept/;
  let slow = /^$/;
  const held: (() => void)[] = [];
  const port = await freePort();

  const web = createServer(({ url = "" }, response) => {
    const module = browserFile(url);
    const type = module === null ? "text/html" : "text/javascript";
    const send = () =>
      response
        .writeHead(200, { "content-type": type })
        .end(module === null ? PAGE.replace("PORT", `${port}`) : readFileSync(module));
    if (missing.test(url)) response.writeHead(503).end();
    else if (slow.test(url)) held.push(send);
    else send();
  });

  const address = `http://localhost:${await listenAtFreePort(web)}/`;
  await using chromium = await startChromium();
  try {
    const { tab } = chromium;
    await tab.open(address);
    await tab.until("window.isReady");
    assert.equal(await tab.run("call(20000)"), "all-failed not-applied 0");
    assert.equal(await tab.run("watch()"), "all-failed not-applied 0");

    missing = /kept/;
    slow = /core/;
    assert.equal(await tab.run("call(1)"), "all-failed not-applied 0");

    slow = /^$/;
    for (const send of held.splice(0)) send();
    // The error has one outcome per server, because the call has waited for a daemon and none was reachable.
    assert.equal(await tab.run("call(1000)"), "all-failed not-applied 1");
    assert.match(String(await tab.run("unkept()")), /dbsync-kept/);
  } finally {
    await new Promise((resolve) => web.close(resolve));
  }
});
