/**
 * Compares the client with recordings of the original driver. The request bytes must be equal, and the recorded answer
 * of the original daemon must lead to the driver's result. If the daemon was silent, the driver returned null.
 * Source: test/vectors/php-dbsync/README.md.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { createClient } from "../../client/dbsync-send.js";
import { listenAtFreePort } from "../support/free-port.js";
import { repositoryRoot } from "../support/repository.js";
import { errorOf } from "./test-client.js";

interface Vector {
  readonly name: string;
  readonly direction: string;
  readonly keyFile: string | null;
  readonly request_hex: string;
  readonly response_hex: string | null;
  readonly command?: string;
  readonly driverResult?: string | null;
}

const folder = join(repositoryRoot, "test/vectors/php-dbsync");
const vectors = (JSON.parse(readFileSync(join(folder, "vectors.json"), "utf8")) as Vector[]).filter(
  ({ direction }) => direction === "driver->daemon",
);

/**
 * The calls with a different result. The original driver treats a stream that ends directly after an answer as an
 * error, but this client returns the answer. Source: docs/protocol.md, table of differences.
 */
const MENDED: Readonly<Record<string, string>> = { "no-keepalive-daemon": "redis:5:PONG" };

test("there are recorded calls of the original driver", () => assert.ok(vectors.length >= 30));

for (const vector of vectors) {
  test(`the recorded call "${vector.name}" has the same bytes and the same result`, async () => {
    await using daemon = await replay(Buffer.from(vector.response_hex ?? "", "hex"));
    const key = vector.keyFile === null ? false : readFileSync(join(folder, vector.keyFile));
    const servers = `dbsync1://${daemon.address}`;
    const timeout = vector.response_hex === null ? 1_000 : 20_000;
    await using client = createClient({ servers, key, timeout, format: "php-dbsync" });
    const call = client.send(vector.command as string);
    if (vector.response_hex === null) {
      assert.equal(vector.driverResult, null);
      assert.equal((await errorOf(call)).code, "all-failed");
    } else {
      assert.equal(await call, MENDED[vector.name] ?? vector.driverResult);
    }
    assert.equal(daemon.received().toString("hex"), vector.request_hex);
  });
}

/** Starts a daemon that answers the first bytes with recorded ones. */
async function replay(answer: Buffer): Promise<{ address: string; received(): Buffer } & AsyncDisposable> {
  const chunks: Buffer[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("data", (first: Buffer) => {
      // Bytes that are not version 1 are not a call, so the daemon closes the connection without an answer.
      if (first.toString("latin1", 0, 4) === "ds2:") {
        socket.end();
        return;
      }
      socket.write(answer);
      chunks.push(first);
      socket.on("data", (chunk: Buffer) => void chunks.push(chunk));
    });
  });
  await listenAtFreePort(server);

  return {
    address: `127.0.0.1:${(server.address() as { port: number }).port}`,
    received: () => Buffer.concat(chunks),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
