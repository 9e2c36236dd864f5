/**
 * A port whose owner may be away for a while: below those that the system gives to connections, so that no client's own
 * end takes it while its daemon is down. (One that tries again and again might even reach itself there.)
 */
import { once } from "node:events";
import { createServer } from "node:net";

const FROM = 12_000;
const TO = 32_000;
const ATTEMPTS_MAX = 50;

export async function quietPort(): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const port = FROM + Math.floor(Math.random() * (TO - FROM));
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port found between ${FROM} and ${TO}`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
  } catch {
    return false;
  }
  server.close();
  await once(server, "close");
  return true;
}
