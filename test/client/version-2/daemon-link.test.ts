/** Tests what a connection to a daemon sends before the first answer. */
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test } from "node:test";
import { openClient } from "../../../client/dbsync-send.js";
import { readOptions, type SendOptions } from "../../../client/settings/client-settings.js";
import { FrameParser } from "../../../protocol/frame.js";
import { writeClientHello } from "../../../protocol/version-2/messages-v2.js";
import { makeKeyPair } from "../../support/envelope-client.js";
import { listenAtFreePort } from "../../support/free-port.js";
import { until } from "../../support/until.js";

/** Returns the first payload that a client sends to a daemon. */
async function helloOf(options: SendOptions): Promise<string> {
  const heard: Buffer[] = [];
  const server = createServer((socket) => {
    const parser = new FrameParser(1000, 2);
    socket.on("data", (chunk) => heard.push(...parser.split(chunk)));
    socket.on("error", () => {});
  });
  const port = await listenAtFreePort(server);
  const settings = readOptions({ servers: `127.0.0.1:${port}`, versions: "2", ...options }, () =>
    assert.fail("no defaults"),
  );
  const { client } = openClient(settings, assert.fail);
  const answer = client.send("PING").catch(() => {});
  await until("the hello", () => heard.length > 0);

  client.close();
  await answer;
  server.close();
  return (heard[0] as Buffer).toString("latin1");
}

/** Returns a hello without its time. */
const timeless = (hello: string) => hello.replace(/\d{13}/, "time");

test("the hello names the configured cluster, and none without a configuration or without a key", async () => {
  const key = makeKeyPair().privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const expected = (cluster: string) => timeless(writeClientHello(cluster, Date.now(), 0));
  assert.equal(timeless(await helloOf({ key, cluster: "63".repeat(32) })), expected("c".repeat(32)));
  assert.equal(timeless(await helloOf({ key })), expected(""));
  assert.equal(timeless(await helloOf({ key: false })), expected(""));
});
