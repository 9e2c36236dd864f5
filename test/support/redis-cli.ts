/** Runs redis-cli. It comes with Debian's redis-tools, which redis-server needs. */
import { run } from "./run-program.js";

/** Returns what it prints. */
export async function redisCli(port: number, args: readonly string[], input = ""): Promise<string> {
  return (await run("redis-cli", ["-p", String(port), ...args], { input })).stdout;
}
