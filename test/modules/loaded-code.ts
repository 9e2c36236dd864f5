/**
 * Prints how much of the source code a daemon with -s, --data and --peer (with `--alone`: without --peer) loads until
 * it has answered one signed SET, as V8 reports it: `node dist/test/modules/loaded-code.js [--alone] [--files]`. The
 * daemon is not bundled, so each source file is a module.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { createClient } from "../../client/public-api.js";
import { knowsSecret } from "../support/cluster-secret.js";
import { startDaemon } from "../support/daemon-process.js";
import { makeKeyPair } from "../support/envelope-client.js";
import { freePort } from "../support/free-port.js";
import { buildRoot, repositoryRoot } from "../support/repository.js";
import { ScratchFolder } from "../support/scratch-folder.js";
import { until } from "../support/until.js";

using folder = new ScratchFolder();
const coverage = join(folder.path, "coverage");
const key = makeKeyPair();
const isAlone = process.argv.includes("--alone");
const peer = isAlone ? [] : ["--peer", `127.0.0.1:${await freePort()}`, ...knowsSecret];
const daemon = await startDaemon(["-s", key.file, "--data", join(folder.path, "data"), ...peer], {
  program: join(buildRoot, "daemon/program/main.js"),
  env: { NODE_V8_COVERAGE: coverage },
});
try {
  await using client = createClient({ servers: `127.0.0.1:${daemon.port}`, key: key.privateKey });
  // Until it has waited for its peer, the daemon refuses commands.
  await until("the daemon accepts a command", () => client.call("SET key value").then(() => true), {
    mayFail: true,
  });
} finally {
  await daemon.stop();
}

const urls = readdirSync(coverage).flatMap((name) => {
  const { result } = JSON.parse(readFileSync(join(coverage, name), "utf8")) as {
    readonly result: readonly { readonly url: string }[];
  };
  return result.map(({ url }) => url);
});
const files = urls
  .filter((url) => url.startsWith("file:"))
  .map((url) => relative(buildRoot, fileURLToPath(url)).replace(/\.js$/, ".ts"))
  .filter((file) => !file.startsWith("..") && !file.includes("node_modules"));
const loaded = [...new Set(files)].sort();
const linesOf = (file: string): number =>
  readFileSync(join(repositoryRoot, file), "utf8").split("\n").length - 1;
const sizes = new Map([["total", { files: 0, lines: 0 }]]);
for (const file of loaded)
  for (const part of ["total", file.split("/").slice(0, 2).join("/")]) {
    const { files = 0, lines = 0 } = sizes.get(part) ?? {};
    sizes.set(part, { files: files + 1, lines: lines + linesOf(file) });
  }
for (const [part, { files, lines }] of [...sizes].sort(([, one], [, other]) => one.lines - other.lines))
  console.log(`${part.padEnd(24)}${String(files).padStart(5)} files${String(lines).padStart(8)} lines`);
if (process.argv.includes("--files")) console.log(loaded.join("\n"));
