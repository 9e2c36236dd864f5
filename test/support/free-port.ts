/**
 * Hands out ports of 127.0.0.1 that no other test process uses while this one runs. A port refuses connections unless
 * the test listens on it. The ports lie below the range from which the operating system chooses ports for clients and
 * for port 0. Each process claims complete blocks of ports, and no port is returned twice.
 */
import { once } from "node:events";
import { createServer, type Server } from "node:net";

const FROM = 12_000;
const TO = 32_000;
const BLOCK = 50;
const BLOCKS = (TO - FROM) / BLOCK;

/** The unused ports of the claimed blocks. */
const ports: number[] = [];
/** The last call of `freePort`: each call waits for the previous one. */
let last: Promise<unknown> = Promise.resolve();

/**
 * Returns a port that refuses connections and that no other test process uses.
 * @throws Error if no block of ports is free
 */
export function freePort(): Promise<number> {
  const port = last.then(nextPort);
  last = port.catch(() => {});
  return port;
}

/** Returns the address of a port that refuses connections. */
export async function refusingAddress(): Promise<string> {
  return `127.0.0.1:${await freePort()}`;
}

/** Makes a server listen on a free port. @returns the port */
export async function listenAtFreePort(server: Server, host = "127.0.0.1"): Promise<number> {
  const port = await freePort();
  await once(server.listen(port, host), "listening");
  return port;
}

async function nextPort(): Promise<number> {
  if (ports.length === 0) await claimBlock();
  const port = ports.shift() as number;
  // A daemon of the developer may already listen on this port.
  const server = await listen(port);
  if (server === null) return await nextPort();
  server.close();
  await once(server, "close");
  return port;
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
  throw new Error(`no block of ports between ${FROM} and ${TO} is free`);
}

/** Listens on a port. @returns null if another process uses the port */
async function listen(port: number): Promise<Server | null> {
  const server = createServer().listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
    return server;
  } catch {
    return null;
  }
}
