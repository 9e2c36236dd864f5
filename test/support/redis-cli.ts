/** Runs redis-cli. Debian's package redis-server installs it. */
import { run } from "./run-program.js";

/** Runs redis-cli with the arguments and input. @returns its output */
export async function redisCli(port: number, args: readonly string[], input = ""): Promise<string> {
  return (await run("redis-cli", ["-p", String(port), ...args], { input })).stdout;
}
