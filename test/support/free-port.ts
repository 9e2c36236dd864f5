/**
 * Ports of 127.0.0.1 that this process alone may use, for as long as it runs: they refuse connections unless the test
 * listens on them. They lie below the range from which the system serves port 0, so neither another run of the tests
 * nor a client's own end takes one. Each process claims blocks of them; no port is returned twice.
 */
import { once } from "node:events";
import { createServer, type Server } from "node:net";

const FROM = 12_000;
const TO = 32_000;
const BLOCK = 50;
const BLOCKS = (TO - FROM) / BLOCK;

/** The unused ports of the claimed blocks. Requests run one after the other. */
const ports: number[] = [];
let last: Promise<unknown> = Promise.resolve();

/** Returns a port that refuses connections and that no other process's tests use. @throws Error  none is left */
export function freePort(): Promise<number> {
  const port = last.then(nextPort);
  last = port.catch(() => {});
  return port;
}

/** Returns the address of such a port. */
export async function refusingAddress(): Promise<string> {
  return `127.0.0.1:${await freePort()}`;
}

/** Listens on such a port. @returns the port */
export async function listenAtFreePort(server: Server, host = "127.0.0.1"): Promise<number> {
  const port = await freePort();
  await once(server.listen(port, host), "listening");
  return port;
}

async function nextPort(): Promise<number> {
  for (;;) {
    const port = ports.shift();
    if (port === undefined) {
      await claimBlock();
      continue;
    }
    // A daemon of the user may listen here.
    const server = await listen(port);
    if (server === null) continue;
    server.close();
    await once(server, "close");
    return port;
  }
}

/** Claims a block by listening on its first port until the process ends. */
async function claimBlock(): Promise<void> {
  const start = Math.floor(Math.random() * BLOCKS);
  for (let tries = 0; tries < BLOCKS; tries++) {
    const first = FROM + ((start + tries) % BLOCKS) * BLOCK;
    const claim = await listen(first);
    if (claim === null) continue;
    claim.unref();
    for (let port = first + 1; port < first + BLOCK; port++) ports.push(port);
    return;
  }
  throw new Error(`no block of ports is free between ${FROM} and ${TO}`);
}

/** Listens on a port. @returns null: another process uses it */
async function listen(port: number): Promise<Server | null> {
  const server = createServer().listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
    return server;
  } catch {
    return null;
  }
}
