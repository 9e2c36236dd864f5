/** Tests subscriptions to a daemon that hangs: its kernel still accepts bytes, but it sends nothing. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient } from "../../../client/public-api.js";
import { skipUnlessFull } from "../../support/amount.js";
import { type DaemonProcess, startDaemon } from "../../support/daemon-process.js";
import { makeKeyPair } from "../../support/envelope-client.js";
import { keyFile, makeSocket, page, key as pageKey } from "../browser/scene.js";

const app = makeKeyPair();

const KINDS = ["of Node", "of a page"] as const;

function clientOf(kind: (typeof KINDS)[number], daemons: readonly DaemonProcess[], ws: readonly number[]) {
  if (kind === "of a page")
    return page.createClient({
      servers: ws.map((port) => `ws://127.0.0.1:${port}`),
      key: pageKey,
      makeSocket,
    });
  const servers = daemons.map(({ port }) => `127.0.0.1:${port}`);
  return createClient({ servers, key: app.privateKey });
}

test("a client whose daemon hangs reports a gap and listens to the next daemon, or to the same daemon when it continues", {
  skip: skipUnlessFull,
}, async () => {
  const args = ["-s", app.file, "-s", keyFile, "--ws", "0"];
  await using first = await startDaemon(args);
  await using second = await startDaemon(args);
  const daemons = [first, second];
  const ws = await Promise.all(daemons.map((daemon) => daemon.portOf("WebSocket clients")));

  const clients = KINDS.map((kind) => ({
    both: clientOf(kind, daemons, ws),
    alone: clientOf(kind, [first], ws.slice(0, 1)),
  }));

  const subscriptions = clients.map(
    ({ both, alone }) => [both.subscribe("news"), alone.subscribe("news")] as const,
  );
  for (const [both, alone] of subscriptions)
    for (const events of [both, alone]) assert.equal((await events.next()).value.type, "open");

  first.kill("SIGSTOP");
  for (const [index, [both, alone]] of subscriptions.entries()) {
    for (const events of [both, alone]) {
      const { type, reason, detail } = (await events.next()).value as Record<string, unknown>;
      assert.deepEqual({ type, reason, detail }, { type: "gap", reason: "lost", detail: "silent" });
    }

    const server = index === 0 ? `127.0.0.1:${second.port}` : `ws://127.0.0.1:${ws[1]}`;
    assert.deepEqual((await both.next()).value, { type: "open", server });
    // The client waits for the hung daemon no longer than its limit, and uses the other daemon's answer.
    await clients[index]?.both.send("PUBLISH news hello");
    assert.equal((await both.next()).value.text, "hello");
  }

  first.kill("SIGCONT");
  for (const [, alone] of subscriptions) assert.equal((await alone.next()).value.type, "open");
  for (const { both, alone } of clients) for (const client of [both, alone]) client.close();
});
