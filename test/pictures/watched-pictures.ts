/**
 * Makes the pictures of the dashboard and of `dbsync status --watch` with the same three daemons. Clients write, some
 * writes arrive late, and a daemon ends.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { startChromium } from "../client/browser/chromium.js";
import { programPaths } from "../support/programs.js";
import { SeededRandom } from "../support/seeded-random.js";
import { WatchedCluster } from "../tools/admin/dashboard/watched-cluster.js";
import { inFewColours } from "./small-png.js";
import { terminalPicture } from "./terminal-picture.js";

const BUSY_MS = 50_000;
const WATCH_MS = 24_000;

export async function watchedPictures(): Promise<Record<string, Buffer | string>> {
  await using cluster = await WatchedCluster.start();
  await using chromium = await startChromium();
  const { tab } = chromium;
  await tab.command("Emulation.setScrollbarsHidden", { hidden: true });
  await tab.appear({ width: 1040, height: 1080, isDark: false });
  await tab.open(cluster.urls[0] as string);
  await writeFor(cluster, BUSY_MS - WATCH_MS);

  const servers = cluster.trio.servers.join();
  const command = `${process.execPath} ${programPaths.dbsync} status --watch -s ${servers} -k ${cluster.rootFile}`;
  const watching = spawn("script", ["-qefc", `stty cols 80 rows 40; exec ${command}`, "/dev/null"], {
    env: { ...process.env, TERM: "xterm" },
    stdio: ["pipe", "pipe", "inherit"],
  });
  let output = "";
  watching.stdout.on("data", (bytes: Buffer) => {
    output += bytes.toString();
  });
  await writeFor(cluster, WATCH_MS);

  const pictures: Record<string, Buffer> = {};
  for (const theme of ["light", "dark"]) {
    await tab.appear({ width: 1040, height: 1080, isDark: theme === "dark" });
    await writeFor(cluster, 2000);
    const picture = await tab.picture(1040, { height: 1080, isDark: theme === "dark" });
    pictures[`dashboard-${theme}.png`] = inFewColours(picture);
  }

  await cluster.trio.end(2, "SIGKILL");
  await writeFor(cluster, 5000);
  watching.stdin.write("\x03");
  await once(watching, "close");

  const last = output.split(/\x1b\[\d+A\r/).at(-1) ?? "";
  const screen = `$ dbsync status --watch -k root-private.pem\n${last.replace("^C", "")}`;
  return {
    ...pictures,
    "status-watch.svg": terminalPicture("dbsync status --watch, with one of three daemons down", screen),
  };
}

const random = new SeededRandom(7);

async function writeFor(cluster: WatchedCluster, forMs: number): Promise<void> {
  const end = performance.now() + forMs;
  for (let n = 0; performance.now() < end; n++) {
    const delay = n % 35 === 34 ? random.between(3000, 17_000) : 0;
    const count = random.between(1, 4);
    // A write may be refused because it is too late, or fail because the daemon is down.
    await Promise.allSettled([
      ...Array.from({ length: count }, (_, index) => cluster.write(index % 2, ["INCR", `k${n}`])),
      ...(delay === 0 ? [] : [cluster.write(1, ["SET", "late", "1"], delay)]),
    ]);
    await new Promise((resolve) => setTimeout(resolve, random.between(30, 120)));
  }
}
