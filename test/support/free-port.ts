/**
 * Ports of the loopback that nobody listens on, and that nobody takes before they are used, however long that is: below those
 * that the system gives to connections and to servers that ask for any, and of a block that is this process's alone. (A client
 * that tries a port of the system's again and again might even reach itself there.)
 */
import { once } from "node:events";
import { createServer, type Server } from "node:net";

const FROM = 12_000;
const TO = 32_000;
const BLOCK = 100;
const BLOCKS = (TO - FROM) / BLOCK;

let block: Promise<number> | null = null;
let given = 0;

/** @throws Error  none is left */
export async function freePort(): Promise<number> {
  block ??= claimBlock();
  const first = await block;
  for (let tries = 1; tries < BLOCK; tries++) {
    const port = first + 1 + (given++ % (BLOCK - 1));
    const server = await listen(port);
    if (server === null) continue;
    server.close();
    await once(server, "close");
    return port;
  }
  throw new Error(`no free port found from ${first} on`);
}

/** Who listens on its first port, until it ends, has the block. */
async function claimBlock(): Promise<number> {
  const start = Math.floor(Math.random() * BLOCKS);
  for (let tries = 0; tries < BLOCKS; tries++) {
    const first = FROM + ((start + tries) % BLOCKS) * BLOCK;
    const claim = await listen(first);
    claim?.unref();
    if (claim !== null) return first;
  }
  throw new Error(`no block of ports is free between ${FROM} and ${TO}`);
}

/** @returns null: somebody else has it */
async function listen(port: number): Promise<Server | null> {
  const server = createServer().listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
    return server;
  } catch {
    return null;
  }
}
