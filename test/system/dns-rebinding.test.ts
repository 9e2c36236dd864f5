/**
 * Attack: DNS rebinding. A web page whose host name resolves to this machine can read nothing from the admin port.
 */
import assert from "node:assert/strict";
import { request } from "node:http";
import { test } from "node:test";
import { startDaemonHere } from "../support/daemon-here.js";

function ask(port: number, path: string, host: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(
      { port, host: "127.0.0.1", path, headers: { Host: host }, agent: false },
      async (response) => {
        let text = "";
        for await (const chunk of response) text += chunk;
        resolve({ status: response.statusCode ?? 0, text });
      },
    );
    sent.on("error", reject).end();
  });
}

test("/metrics and / reject a request with an unknown host name", { timeout: 300_000 }, async () => {
  await using daemon = await startDaemonHere(["--admin", "0"]);
  const port = await daemon.portOf("/healthz and /metrics");
  for (const path of ["/metrics", "/"]) {
    for (const host of [
      "rebound.example",
      `rebound.example:${port}`,
      "127.0.0.1.rebound.example",
      "localhost.rebound.example",
    ]) {
      const { status, text } = await ask(port, path, host);
      assert.ok(status >= 400, `${path} as ${JSON.stringify(host)}: ${status}`);
      assert.doesNotMatch(text, /dbsyncd_/);
    }
  }
  for (const host of ["127.0.0.1", `127.0.0.1:${port}`, `localhost:${port}`]) {
    assert.equal((await ask(port, "/metrics", host)).status, 200, host);
  }
});
