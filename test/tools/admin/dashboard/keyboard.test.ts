/**
 * Uses the page of --admin with the keyboard only, in Chromium, in light and dark mode and on a phone: each control and
 * each region that scrolls is reachable in both directions, and its focus is visible. An administrator signs in and
 * out.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { startChromium, type Tab } from "../../../client/browser/chromium.js";
import { runDbsync } from "../../../client/child.js";
import { skipUnlessFull } from "../../../support/amount.js";
import { startDaemon } from "../../../support/daemon-process.js";
import { frameOf, memberOf, NOW, SAMPLE, STUB } from "./frames.js";
import { WatchedCluster } from "./watched-cluster.js";

/** The keys that the test presses, with their codes in Windows, which Chromium needs. */
const CODES = { Tab: 9, Enter: 13, Escape: 27, " ": 32, ArrowLeft: 37, ArrowRight: 39 } as const;
const SHIFT = 8;
const DECIDED = {
  keeperAddress: "db3:1111",
  decidedSlots: 1_234,
  decidedAt: NOW - 3_000,
  waitingEnvelopes: 1,
  undecidedCause: "no-majority",
};
const CONTROL = 2;
/** More presses than the page has controls: focus that has not returned by then is in a trap. */
const PRESSES_MAX = 200;

async function press(tab: Tab, key: keyof typeof CODES, modifiers = 0): Promise<void> {
  const text = key === "Enter" ? "\r" : key === " " ? " " : "";
  const parts = { key, code: key === " " ? "Space" : key, windowsVirtualKeyCode: CODES[key], modifiers };
  await tab.command("Input.dispatchKeyEvent", {
    type: text === "" ? "rawKeyDown" : "keyDown",
    text,
    ...parts,
  });
  await tab.command("Input.dispatchKeyEvent", { type: "keyUp", ...parts });
}

/** Functions that the page receives: a name for each element, and the elements that the keyboard must reach. */
const PAGE = `(() => {
  window.nameOf = (one) => one.id || one.getAttribute("aria-label") || one.getAttribute("aria-labelledby") || one.textContent.trim().slice(0, 40);
  window.wanted = () => [...document.querySelectorAll("body *")].filter((one) => {
    if (!one.checkVisibility({ visibilityProperty: true })) return false;
    const { overflowX, overflowY } = getComputedStyle(one);
    const scrolls = (/auto|scroll/.test(overflowX) && one.scrollWidth > one.clientWidth + 1) ||
      (/auto|scroll/.test(overflowY) && one.scrollHeight > one.clientHeight + 1);
    return one.matches("a[href], button:enabled, summary, input:enabled, textarea:enabled, select:enabled, [tabindex='0']") || scrolls;
  }).map(nameOf);
  window.focused = () => {
    const one = document.activeElement;
    if (one === null || one === document.body || one === document.documentElement) return null;
    const { outlineStyle, outlineWidth, outlineColor } = getComputedStyle(one);
    const { top, bottom, left, right } = one.getBoundingClientRect();
    const isInside = bottom > 0 && top < innerHeight && right > 0 && left < innerWidth;
    const isOutlined = outlineStyle !== "none" && parseFloat(outlineWidth) >= 2 && !/, 0\\)$/.test(outlineColor);
    return { name: nameOf(one), isInside, isOutlined };
  };
})()`;

/** Moves the focus to the beginning of the page. */
const toBeginning = (tab: Tab) =>
  tab.run(`document.body.tabIndex = -1, document.body.focus(), document.body.removeAttribute("tabindex")`);

/** Presses Tab until the focus leaves the page. @returns the names of the elements in their order */
async function walk(tab: Tab, modifiers: number, what: string): Promise<readonly string[]> {
  const names: string[] = [];
  for (let presses = 0; presses < PRESSES_MAX; presses++) {
    await press(tab, "Tab", modifiers);
    const one = (await tab.run("focused()")) as {
      name: string;
      isInside: boolean;
      isOutlined: boolean;
    } | null;
    // The focus is in the browser's own controls before the first element, and after the last one.
    if (one === null && names.length === 0) continue;
    if (one === null || (names.length > 1 && one.name === names[0])) return names;
    assert.ok(one.isInside, `${what}: ${one.name} is outside the window while it has the focus`);
    assert.ok(one.isOutlined, `${what}: the focus on ${one.name} is not visible`);
    names.push(one.name);
  }
  assert.fail(`${what}: the focus does not leave the page; it was last on ${names.slice(-3).join(", ")}`);
}

for (const look of [
  { width: 1200, height: 900, isDark: false },
  { width: 1200, height: 900, isDark: true },
  { width: 390, height: 800, isDark: false },
  { width: 390, height: 800, isDark: true },
])
  test(`the keyboard reaches each control of the page, ${look.width} px, ${look.isDark ? "dark" : "light"}`, {
    skip: skipUnlessFull,
  }, async () => {
    await using daemon = await startDaemon(["--admin", "0"]);
    await using chromium = await startChromium();
    const tab = await chromium.another();
    await tab.command("Page.enable");
    const source = STUB({ samples: SAMPLE, arrivals: [] });
    await tab.command("Page.addScriptToEvaluateOnNewDocument", { source });
    await tab.appear(look);
    await tab.open(`http://localhost:${await daemon.portOf("/healthz and /metrics")}/`);
    const frame = frameOf({
      members: [memberOf("db2:1111"), memberOf("db3:1111")],
      problems: ["its disk has failed (EIO)"],
      // With --ws, administrators can sign in.
      ws: { port: 1, isSecure: false },
    });
    const named = {
      ...frame,
      timeline: frame.timeline && { ...frame.timeline, master: "db2:6379", isMaster: false, ...DECIDED },
    };
    await tab.run(`window.send(${JSON.stringify(JSON.stringify(named))})`);
    await tab.run(PAGE);
    assert.equal(
      await tab.run(`document.getElementById("master").innerText`),
      "Sentinels name db2:6379 as the master.",
    );
    assert.equal(
      await tab.run(`document.getElementById("decisions").innerText`),
      "Keeper of decisions: db3:1111; 719 slots and 719 units a second; " +
        "1,234 decisions, the last 3 s ago; waiting envelopes: 1, blocked by no-majority.",
    );

    // The page before and after an administrator has signed in.
    for (const state of ["sign-in", "admitted"]) {
      await tab.run(`(() => {
        for (const part of document.querySelectorAll("details")) part.open = true;
        for (const one of document.querySelectorAll("main [hidden]")) one.hidden = false;
        document.getElementById("admitted").hidden = ${state !== "admitted"};
        document.getElementById("sign-in").hidden = ${state !== "sign-in"};
        document.getElementById("value").textContent = "a long line ".repeat(500);
      })()`);
      const wanted = ((await tab.run("wanted()")) as string[]).sort();
      assert.ok(wanted.includes(state === "sign-in" ? "unlock" : "refresh"), `${wanted}`);
      await toBeginning(tab);
      const forwards = await walk(tab, 0, "Tab");
      assert.equal(forwards[0], "Skip to the figures");
      assert.deepEqual([...forwards].sort(), wanted, "Tab reaches each control once");
      await toBeginning(tab);
      const backwards = await walk(tab, SHIFT, "Shift and Tab");
      assert.deepEqual([...backwards].sort(), wanted, "Shift and Tab reach each control once");
    }

    await tab.run(`document.querySelector(".skip").focus()`);
    await press(tab, "Enter");
    assert.equal(await tab.run("document.activeElement.id"), "main");

    const isOpen = `document.querySelector("details").open`;
    await tab.run(`document.querySelector("summary").focus()`);
    for (const key of ["Enter", " "] as const) {
      const before = await tab.run(isOpen);
      await press(tab, key);
      assert.equal(await tab.run(isOpen), !before, `${JSON.stringify(key)} folds a part`);
    }

    // A chart shows the values at the time that the arrow keys choose, until Escape.
    const selected = `document.querySelector("#charts svg").parentElement.innerText`;
    await tab.run(`document.querySelector("#charts svg").focus()`);
    const before = await tab.run(selected);
    await press(tab, "ArrowLeft");
    assert.notEqual(await tab.run(selected), before, "an arrow key chooses a time");
    await press(tab, "Escape");
    assert.equal(await tab.run(selected), before, "Escape ends the choice");
  });

/** Presses Tab until an element has the focus. @param name  as `nameOf` returns it */
async function tabTo(tab: Tab, name: string): Promise<void> {
  for (let presses = 0; presses < PRESSES_MAX; presses++) {
    await press(tab, "Tab");
    const one = (await tab.run("focused()")) as { readonly name: string } | null;
    if (one?.name === name) return;
  }
  assert.fail(`Tab does not reach ${name}`);
}

/** Replaces the text of the field that has the focus. */
async function type(tab: Tab, text: string): Promise<void> {
  await selectAll(tab);
  for (const character of text)
    await tab.command("Input.dispatchKeyEvent", { type: "char", text: character, key: character });
}

/** Presses Ctrl and A, for which a headless Chromium needs the name of the command. */
async function selectAll(tab: Tab): Promise<void> {
  const parts = { key: "a", code: "KeyA", windowsVirtualKeyCode: 65, modifiers: CONTROL };
  await tab.command("Input.dispatchKeyEvent", { type: "rawKeyDown", commands: ["selectAll"], ...parts });
  await tab.command("Input.dispatchKeyEvent", { type: "keyUp", ...parts });
}

const textOf = (id: string) => `document.getElementById("${id}").textContent`;
const isShown = (id: string) => `document.getElementById("${id}")?.hidden === false`;

test("an administrator signs in, uses each part, signs out and signs in again with the keyboard alone", {
  skip: skipUnlessFull,
}, async () => {
  await using cluster = await WatchedCluster.start();
  await using chromium = await startChromium();
  const tab = await chromium.another();
  await tab.command("Page.enable");
  await tab.command("Page.addScriptToEvaluateOnNewDocument", { source: PAGE });
  await cluster.write(0, ["RPUSH", "list", "one", "two"]);
  await tab.open(cluster.urls[0] as string);
  await tab.until(isShown("sign-in"));

  await tabTo(tab, "unlock");
  await press(tab, "Enter");
  await tab.until(`document.getElementById("pem").value`);
  await tabTo(tab, "pem");
  await selectAll(tab);
  const pem = String(
    await tab.run(`getSelection().toString() || (({ value, selectionStart, selectionEnd }) =>
    value.slice(selectionStart, selectionEnd))(document.activeElement)`),
  );
  const file = join(cluster.folder, "page.pem");
  writeFileSync(file, pem);
  const rules = /--rules "([^"]+)"/.exec(String(await tab.run(textOf("authorize"))))?.[1] as string;
  const words = ["keys", "add", file, "--label", "dashboard", "--rules", rules, "-k", cluster.rootFile];
  const { code, stderr } = await runDbsync([...words, "-s", cluster.trio.servers.join()]);
  assert.equal(code, 0, stderr);
  await tabTo(tab, "unlock");
  await press(tab, "Enter");
  await tab.until(isShown("admitted"));
  assert.equal(await tab.run("focused().name"), "refresh", "the focus is in the parts that have appeared");

  await press(tab, "Enter");
  await tab.until(`/one of them is this page/.test(${textOf("clients-note")})`);
  await tabTo(tab, "pattern");
  await type(tab, "li*");
  await press(tab, "Enter");
  await tab.until(`/^listlist/.test(document.querySelector("#key-table tbody").textContent)`);
  await tabTo(tab, "Table of keys");
  await tabTo(tab, "list");
  await press(tab, "Enter");
  await tab.until(`/one[^]*two/.test(${textOf("value")})`);
  await tab.until(`/RPUSH list one two/.test(${textOf("blame")})`);
  await tabTo(tab, "value");
  await tabTo(tab, "Table of dead letters");
  assert.match(String(await tab.run(textOf("letters-note"))), /^No dead letters/);
  await tabTo(tab, "touching");
  await type(tab, "list");
  await press(tab, "Enter");
  await tab.until(`/^1 found/.test(${textOf("found")})`);
  await tabTo(tab, "Table of signing keys");
  assert.match(String(await tab.run(textOf("key-list"))), /dashboardvalidapplication/);

  await tabTo(tab, "sign-out");
  await tab.run("globalThis.isOld = true");
  await press(tab, "Enter");
  await tab.until(`globalThis.isOld !== true && ${isShown("sign-in")}`);
  assert.equal(await tab.run(isShown("admitted")), false);
  assert.doesNotMatch(String(await tab.run("document.body.textContent")), /RPUSH|dashboardvalid/);
  await tabTo(tab, "unlock");
  await press(tab, "Enter");
  await tab.until(`${isShown("admitted")} && /dashboardvalid/.test(${textOf("key-list")})`);
});
