/** Tests the page of --admin in Chromium: three daemons, one of which is killed and started again, and a late write. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { startChromium, type Tab } from "../../../client/browser/chromium.js";
import { skipUnlessFull } from "../../../support/amount.js";
import { axeFindings } from "../../../support/axe.js";
import { programPaths } from "../../../support/programs.js";
import { until } from "../../../support/until.js";
import { frameOf, memberOf, STUB } from "./frames.js";
import { WatchedCluster } from "./watched-cluster.js";

const textOf = (id: string) => `document.getElementById(${JSON.stringify(id)}).textContent`;
const membersAre = (states: string) =>
  `[...document.querySelectorAll("#members tbody td:nth-child(2)")].map((cell) => cell.textContent).sort().join() === "${states}"`;

/** Presses a key. The focused element receives the event. */
async function press(tab: Tab, key: "Tab" | "Enter"): Promise<void> {
  const code = key === "Tab" ? 9 : 13;
  const what = { key, code: key, windowsVirtualKeyCode: code, ...(key === "Enter" ? { text: "\r" } : {}) };
  await tab.command("Input.dispatchKeyEvent", { type: "keyDown", ...what });
  await tab.command("Input.dispatchKeyEvent", { type: "keyUp", ...what });
}

async function focus(tab: Tab, id: string): Promise<void> {
  const isFocused = async () => (await tab.run("document.activeElement.id")) === id;
  await until(`${id} has the focus`, isFocused, { pause: () => press(tab, "Tab") });
}

test("the page shows three daemons, one that stops and starts, late writes, and the log for an administrator", {
  skip: skipUnlessFull,
}, async () => {
  await using cluster = await WatchedCluster.start();
  await using chromium = await startChromium();
  const { tab } = chromium;
  await tab.command("Page.enable");
  const source = `window.violations = [];
    document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
      window.violations.push(violatedDirective + " " + blockedURI));
    window.addEventListener("error", ({ message }) => window.violations.push(message));`;
  await tab.command("Page.addScriptToEvaluateOnNewDocument", { source });
  await tab.open(cluster.urls[0] as string);
  await tab.until(membersAre("live,live,live"));
  assert.equal(await tab.run(textOf("state")), "live");

  await cluster.write(0, ["SET", "k", "1"]);
  await cluster.write(1, ["SET", "k", "2"]);
  await tab.until(`document.querySelector("#strip path.clients").getAttribute("d")`);
  await tab.until(`document.querySelector("#strip path.members").getAttribute("d")`);
  assert.equal(await tab.run(`document.querySelectorAll("#strip circle").length`), 0);
  await cluster.write(1, ["SET", "k", "0"], 10_000);
  await tab.until(`document.querySelector("#strip circle.falls")`.concat(" !== null"));
  // The write may already be more than a minute old.
  await tab.until(`/^[23] recorded in the last minute, 1 of them late/.test(${textOf("strip-words")})`);

  await cluster.trio.end(2, "SIGKILL");
  await tab.until(membersAre("disconnected,live,live"));
  await tab.until(`/127\\.0\\.0\\.1:\\d+ is disconnected/.test(${textOf("announcement")})`);
  const faults = `[...document.querySelectorAll("#problems li:not(.quiet)")].map((one) => one.textContent)`;
  await tab.until(
    `/^127\\.0\\.0\\.1:\\d+ is down for \\d+ s, seen by 2 of 2 .*What to do: start it first/.test(${faults}.join("\\n"))`,
  );
  assert.equal(await tab.run(`${faults}.length`), 1);
  await cluster.trio.start(2);
  await tab.until(membersAre("live,live,live"));

  await focus(tab, "unlock");
  await press(tab, "Enter");
  const pem = String(await tab.until(`document.getElementById("pem").value`));
  const pemFile = join(cluster.folder, "page.pem");
  writeFileSync(pemFile, pem);
  const advice = String(await tab.run(`document.querySelector("#introduce pre").textContent`));
  const rules = /--rules "([^"]+)"/.exec(advice)?.[1] as string;
  const add = ["keys", "add", pemFile, "--label", "dashboard", "--rules", rules, "-k", cluster.rootFile];
  const servers = cluster.trio.servers.join();
  await promisify(execFile)(process.execPath, [programPaths.dbsync, ...add, "-s", servers]);
  await press(tab, "Enter");
  await tab.until(`!document.getElementById("admitted").hidden`);
  await tab.until(`/dashboardvalidapplication\\+@read \\+timeline\\|log/.test(${textOf("key-list")})`);
  await focus(tab, "touching");
  await tab.command("Input.insertText", { text: "k" });
  await press(tab, "Enter");
  await tab.until(`!document.getElementById("log").hidden`);
  await tab.until(`/SET k 0.*SET k 1.*SET k 2/s.test(${textOf("log")})`);

  await focus(tab, "browse-button");
  await press(tab, "Enter");
  await tab.until(`/^kstring/.test(document.querySelector("#key-table tbody").textContent)`);
  await tab.run(`document.querySelector("#key-table button").focus()`);
  await press(tab, "Enter");
  await tab.until(`${textOf("value")} === "2"`);
  await tab.until(`/SET k 2.*SET k 1.*SET k 0/s.test(${textOf("blame")})`);
  await focus(tab, "largest");
  await press(tab, "Enter");
  await tab.until(`/^The largest of 1 key checked\\.$/.test(${textOf("browse-note")})`);
  assert.match(String(await tab.run(textOf("clients"))), /wsdashboard/);
  assert.match(String(await tab.run(textOf("clients-note"))), /connected/);
  assert.match(String(await tab.run(textOf("letters-note"))), /^No dead letters/);
  assert.match(String(await tab.run(textOf("slow-note"))), /^(The newest|No command)/);

  const long = `app:${"a-long-part:".repeat(6)}${"a".repeat(60)}`;
  await cluster.write(0, ["SET", long, "1"]);
  await tab.run(`document.getElementById("pattern").value = "app:*"`);
  await focus(tab, "browse-button");
  await press(tab, "Enter");
  await tab.until(`/^app:a-long/.test(document.querySelector("#key-table tbody").textContent)`);
  await tab.run(`document.querySelector("#key-table button").click()`);
  await tab.until(`${textOf("value-title")} === "Value of ${long}"`);
  for (const width of [1200, 390, 360]) {
    await tab.appear({ width, height: 1000, isDark: width < 1000 });
    assert.deepEqual(await axeFindings(tab), [], `${width}`);
    const isWithin = `document.documentElement.scrollWidth <= ${width}`;
    assert.equal(await tab.run(isWithin), true, `no element is wider than the page at ${width} pixels`);
  }
  await cluster.trio.end(0, "SIGKILL");
  await tab.until(`/^nothing received/.test(${textOf("feed")})`);
  await cluster.trio.start(0);
  await tab.until(`${textOf("feed")} === "connected"`);
  assert.deepEqual(await tab.run("window.violations"), []);
});

/** The number of frames that one call of the browser sends to the page. */
const CALL_FRAMES = 50;

test("an open page keeps no more data than it shows", { skip: skipUnlessFull }, async () => {
  await using chromium = await startChromium();
  const { tab } = chromium;
  await using cluster = await WatchedCluster.start();
  await tab.command("Page.enable");
  // The script sends the frames of many minutes as fast as the page can process them.
  await tab.command("Page.addScriptToEvaluateOnNewDocument", { source: STUB({ samples: [], arrivals: [] }) });
  await tab.open(cluster.urls[0] as string);

  const base = JSON.stringify(frameOf({ members: [memberOf("db2:1111")] }));
  const frames = (from: number, to: number) => `(() => {
    for (let i = ${from}; i < ${to}; i++) {
      const frame = ${base}, now = frame.now + i * 5000, bin = now / 250;
      Object.assign(frame, { now, sample: [now, ...frame.sample.slice(1)] });
      Object.assign(frame.timeline, { published: now - 30000, stable: now - 35000, arrivals: [[bin, 1, 1, 0], [bin - 40, 1, 0, 1]] });
      window.feed.take({ data: JSON.stringify(frame) });
    }
    return document.querySelectorAll("*").length;
  })()`;

  // A busy browser answers a call with many frames too late.
  const elementsAfter = async (from: number, to: number) => {
    for (let i = from; i < to - CALL_FRAMES; i += CALL_FRAMES) await tab.run(frames(i, i + CALL_FRAMES));
    return Number(await tab.run(frames(to - CALL_FRAMES, to)));
  };

  const before = await elementsAfter(0, 300);
  assert.equal(await elementsAfter(300, 900), before);
});
