/**
 * Runs the module for web pages in Node, with WebSockets from the package ws, keys from Node's WebCrypto, and daemons
 * with --ws in this process.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { WebSocket } from "ws";
import type { BrowserOptions } from "../../../client/browser/browser-client.js";
import { MemoryBackend } from "../../../daemon/engine/backends/memory-backend.js";
import { realEnvironment } from "../../../daemon/net/process/clock-and-randomness.js";
import { openWs } from "../../../faces/web/test/open-ws.js";
import { type InProcessDaemon, startInProcess } from "../../daemon/program/in-process.js";
import { freePort } from "../../support/free-port.js";
import { browserModule } from "../../support/make-browser-module.js";
import { scratchFolder } from "../../support/scratch-folder.js";

/** The module in the form that a page loads. */
export const page = (await import(browserModule)) as typeof import("../../../client/browser/public-api.js");

export const key = await page.makeKey();

/** The public keys that may sign. */
export const keyFile = join(scratchFolder("browser"), "public.pem");
writeFileSync(keyFile, page.publicKeyPem(key));

export const makeSocket = (url: string, protocol: string) => new WebSocket(url, protocol);

export interface Fleet extends AsyncDisposable {
  readonly servers: readonly string[];
  readonly daemons: (InProcessDaemon | null)[];
  start(index: number): Promise<void>;
  stop(index: number): Promise<void>;
}

/** Creates daemons. @param running  the number of daemons to start */
export async function makeFleet(count: number, running = count, signKey = keyFile): Promise<Fleet> {
  const ports = await Promise.all(Array.from({ length: count }, freePort));
  const daemons: (InProcessDaemon | null)[] = ports.map(() => null);
  const fleet: Fleet = {
    servers: ports.map((port) => `ws://127.0.0.1:${port}`),
    daemons,
    async start(index) {
      const ws = openWs({ ws: { address: "127.0.0.1", port: ports[index] as number } });
      daemons[index] = await startInProcess({
        backends: [new MemoryBackend(realEnvironment)],
        keys: [signKey],
        ws,
      });
    },
    async stop(index) {
      await daemons[index]?.[Symbol.asyncDispose]();
      daemons[index] = null;
    },
    async [Symbol.asyncDispose]() {
      for (const index of daemons.keys()) await fleet.stop(index);
    },
  };

  for (let index = 0; index < running; index++) await fleet.start(index);
  return fleet;
}

export function clientOf({ servers }: Pick<Fleet, "servers">, options: Partial<BrowserOptions> = {}) {
  const client = page.createClient({ servers, key, makeSocket, ...options });
  return Object.assign(client, { [Symbol.dispose]: () => client.close() });
}
