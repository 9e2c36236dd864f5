/** Tests that an error in the code that parses requests closes the connection that caused it, and no other. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { MemcachedParser } from "../../faces/memcached/bytes/memcached-requests.js";
import { makeFolder, startReplica } from "../daemon/program/replicas.js";

async function open(port: number): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1" });
  await once(socket, "connect");
  return socket;
}

async function ask(socket: Socket, line: string): Promise<string> {
  socket.write(`${line}\r\n`);
  const [chunk] = (await once(socket, "data")) as [Buffer];
  return String(chunk);
}

for (const method of ["push", "next"] as const)
  test(`an error in ${method} of a parser ends its own connection`, async (context) => {
    using folder = makeFolder();
    await using replica = await startReplica({ args: ["--memcached", "0", "--data", folder.path] });
    const port = replica.daemon.addressOf("memcached")?.port ?? 0;
    const served = await open(port);
    const failing = await open(port);
    assert.match(await ask(served, "version"), /^VERSION/);
    const fault = context.mock.method(MemcachedParser.prototype, method, () => {
      throw new TypeError("Cannot read properties of null");
    });
    failing.write("get k\r\n");
    await once(failing, "close");
    fault.mock.restore();
    assert.match(await ask(served, "version"), /^VERSION/);
    const line = replica.log.find(({ reason }) => reason === "internal-error");
    assert.match(String(line?.["detail"]), /TypeError: Cannot read properties of null/);
    served.destroy();
  });
