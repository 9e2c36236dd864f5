/**
 * Prints how much of the source code a daemon with -s, --data and --peer loads until it has answered one signed SET, as V8
 * reports it: `node dist/bench/loaded-code.js [-- --files]`. The daemon is not bundled, so each source file is a module.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createClient } from "../client/public-api.js";
import { knowsSecret } from "../test/support/cluster-secret.js";
import { startDaemon } from "../test/support/daemon-process.js";
import { makeKeyPair } from "../test/support/envelope-client.js";
import { freePort } from "../test/support/free-port.js";
import { buildRoot, repositoryRoot } from "../test/support/repository.js";

const RETRY_MS = 200;

interface Coverage {
  readonly result: readonly { readonly url: string }[];
}

const folder = mkdtempSync(join(tmpdir(), "dbsync-loaded-"));
const coverage = join(folder, "coverage");
const key = makeKeyPair();
const args = ["-s", key.file, "--data", join(folder, "data"), ...knowsSecret];
const peer = ["--peer", `127.0.0.1:${await freePort()}`];
const daemon = await startDaemon([...args, ...peer], {
  program: join(buildRoot, "daemon/program/main.js"),
  env: { NODE_V8_COVERAGE: coverage },
});
try {
  await using client = createClient({ servers: [`127.0.0.1:${daemon.port}`], key: key.privateKey });
  // Until it has waited for its peer, the daemon refuses commands.
  const isAccepted = () =>
    client.call("SET key value").then(
      () => true,
      () => false,
    );
  while (!(await isAccepted())) await setTimeout(RETRY_MS);
} finally {
  await daemon.stop();
}

const loaded = new Set<string>();
for (const name of readdirSync(coverage)) {
  const { result } = JSON.parse(readFileSync(join(coverage, name), "utf8")) as Coverage;
  for (const { url } of result) {
    if (!url.startsWith("file:")) continue;
    const file = relative(buildRoot, fileURLToPath(url));
    if (!file.startsWith("..") && !file.includes("node_modules")) loaded.add(file.replace(/\.js$/, ".ts"));
  }
}
rmSync(folder, { recursive: true });

const lines = (file: string): number =>
  readFileSync(join(repositoryRoot, file), "utf8").split("\n").length - 1;
const rooms = new Map<string, { files: number; lines: number }>();
for (const file of loaded) {
  const room = file.split("/").slice(0, 2).join("/");
  const sum = rooms.get(room) ?? { files: 0, lines: 0 };
  rooms.set(room, { files: sum.files + 1, lines: sum.lines + lines(file) });
}
for (const [room, sum] of [...rooms].sort(([, one], [, other]) => other.lines - one.lines))
  console.log(
    `${room.padEnd(24)}${String(sum.files).padStart(5)} files${String(sum.lines).padStart(8)} lines`,
  );
const total = [...loaded].reduce((sum, file) => sum + lines(file), 0);
console.log(
  `${"total".padEnd(24)}${String(loaded.size).padStart(5)} files${String(total).padStart(8)} lines`,
);
if (process.argv.includes("--files")) for (const file of [...loaded].sort()) console.log(file);
