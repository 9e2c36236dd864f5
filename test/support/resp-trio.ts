/** Prepares the daemons of a Trio for clients without signatures, such as Redis clients. */
import { createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Trio } from "./trio.js";

export async function respPort(trio: Trio, index: number): Promise<number> {
  return await trio.daemon(index).portOf("Redis clients");
}

/** Authorizes the keys of the daemons, with which they sign for clients without signatures. */
export async function authorizeDaemons(trio: Trio): Promise<void> {
  await using root = trio.client([0], { key: trio.root.privateKey });
  for (const index of trio.ports.keys()) {
    const pem = readFileSync(join(trio.folder(index), "daemon.pem"));
    const spki = createPublicKey(pem).export({ type: "spki", format: "der" });
    await root.call(["CLUSTER", "ADD", spki.toString("base64")], { replicated: trio.ports.length });
  }
}
