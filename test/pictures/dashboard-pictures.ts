/**
 * Makes the pictures of the dashboard in different states: for an administrator, on a phone, with an unavailable
 * member, without an answer, with 20 members, and without data.
 */
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Chromium, startChromium, type Tab } from "../client/browser/chromium.js";
import { programPaths } from "../support/programs.js";
import { frameOf, memberOf, SAMPLE, STUB } from "../tools/admin/dashboard/frames.js";
import { WatchedCluster } from "../tools/admin/dashboard/watched-cluster.js";
import { inFewColours } from "./small-png.js";

const WIDE = 1040;
const PHONE = 390;
const BUSY_WRITES = 150;

export async function dashboardPictures(): Promise<Record<string, Buffer>> {
  await using cluster = await WatchedCluster.start();
  await using chromium = await startChromium();
  const { tab } = chromium;
  await tab.command("Emulation.setScrollbarsHidden", { hidden: true });
  await tab.appear({ width: WIDE, height: 1000, isDark: false });
  await tab.open(cluster.urls[0] as string);

  await write(cluster);
  await signIn(tab, cluster);

  await tab.run(`document.getElementById("browse").requestSubmit()`);
  await tab.until(`!document.getElementById("key-table").hidden`);
  await tab.run(`[...document.querySelectorAll("#key-table button")].at(-1).click()`);
  await tab.until(`!document.getElementById("blame").hidden`);
  await tab.run(`document.activeElement.blur(), document.getElementById("signed-title").scrollIntoView()`);
  const administrator = await tab.picture(WIDE, { height: 1300 });

  await tab.run("scrollTo(0, 0)");
  await tab.until(`document.getElementById("problems").hidden`);
  await tab.appear({ width: PHONE, height: 1340, isDark: true });
  const phone = await shot(tab, PHONE, { height: 1340, isDark: true });

  await cluster.trio.end(2, "SIGKILL");
  await tab.until(`/1 problem|2 problems/.test(document.title)`);
  await tab.until(`/reports:/.test(document.getElementById("problems").textContent)`);
  const memberDown = await shot(tab, WIDE, { height: 520 });

  cluster.trio.daemon(0).kill("SIGSTOP");
  await tab.until(`/no answer/.test(document.title)`);
  const silent = await shot(tab, WIDE, { height: 560 });
  cluster.trio.daemon(0).kill("SIGCONT");

  const url = cluster.urls[1] as string;
  return few({
    "dashboard-administrator.png": administrator,
    "dashboard-phone.png": phone,
    "dashboard-problem.png": memberDown,
    "dashboard-no-answer.png": silent,
    "dashboard-members.png": await withMembers(chromium, url),
    "dashboard-no-data.png": await withoutData(chromium, url),
  });
}

async function write(cluster: WatchedCluster): Promise<void> {
  for (let n = 0; n < BUSY_WRITES; n++)
    await cluster.write(
      n % 2,
      n % 3 === 0 ? ["INCR", `page:${n % 7}:views`] : ["HSET", "user:7", "visits", `${n}`],
    );
}

async function signIn(tab: Tab, cluster: WatchedCluster): Promise<void> {
  await tab.run(`document.getElementById("unlock").click()`);
  const pem = String(await tab.until(`document.getElementById("pem").value`));
  const file = join(cluster.folder, "page.pem");
  writeFileSync(file, pem);
  const command = String(await tab.run(`document.getElementById("authorize").textContent`));
  const rules = /--rules "([^"]+)"/.exec(command)?.[1] as string;
  const add = ["keys", "add", file, "--label", "dashboard", "--rules", rules, "-k", cluster.rootFile];
  const servers = cluster.trio.servers.join();
  await promisify(execFile)(process.execPath, [programPaths.dbsync, ...add, "-s", servers]);
  await tab.run(`document.getElementById("unlock").click()`);
  await tab.until(`!document.getElementById("admitted").hidden`);
}

/** Opens the dashboard with a server that repeats one frame. */
async function stubbed(chromium: Chromium, url: string, history: object, frame: object): Promise<Tab> {
  const tab = await chromium.another();
  await tab.command("Page.enable");
  await tab.command("Emulation.setScrollbarsHidden", { hidden: true });
  await tab.command("Page.addScriptToEvaluateOnNewDocument", { source: STUB(history) });
  await tab.appear({ width: WIDE, height: 1000, isDark: false });
  await tab.open(url);
  await tab.run(`window.send(${JSON.stringify(JSON.stringify(frame))})`);
  return tab;
}

async function withMembers(chromium: Chromium, url: string): Promise<Buffer> {
  const nearlyFull = {
    code: "diskLow",
    member: "",
    text: "its disk is nearly full: 5722 of 190734 MiB are free",
  };

  const members = Array.from({ length: 19 }, (_, index) =>
    memberOf(`db${index + 2}.${index % 2 === 0 ? "antananarivo" : "toamasina"}.example:1111`, {
      skew: (index * 7) % 11,
      roundTrip: 1 + index / 10,
      ...(index === 6 ? { diskFree: 6e9, problems: [nearlyFull] } : {}),
      ...(index === 11 ? { state: "catching-up", lag: 5200, equal: false } : {}),
    }),
  );

  const catchingUp = {
    ...{ code: "final", member: "" },
    text: `its member ${members[11]?.address} is catching up`,
    fix: "that daemon's log shows its progress",
    ...{ severity: "progress", isOfMember: true },
  };

  const frame = { ...frameOf({ members }), problems: [catchingUp] };
  const tab = await stubbed(chromium, url, { samples: SAMPLE, arrivals: [] }, frame);
  return shot(tab, WIDE, { height: 1360 });
}

async function withoutData(chromium: Chromium, url: string): Promise<Buffer> {
  const frame = frameOf({ timeline: null, sample: null, listeners: [], refusals: [] });
  const tab = await stubbed(chromium, url, { samples: [], arrivals: [] }, frame);
  return shot(tab, WIDE, { height: 760 });
}

/** Takes a picture of the page at a width, after the page has been drawn. */
async function shot(tab: Tab, width: number, look: { height: number; isDark?: boolean }): Promise<Buffer> {
  await tab.appear({ width, isDark: false, ...look });
  await tab.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))");
  return tab.picture(width, look);
}

const few = (pictures: Readonly<Record<string, Buffer>>): Record<string, Buffer> =>
  Object.fromEntries(Object.entries(pictures).map(([name, png]) => [name, inFewColours(png)]));
