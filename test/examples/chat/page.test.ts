/**
 * Tests the page in a browser. The page shows many arrivals as one line, folds long texts, and keeps the list of rooms
 * and the Leave button visible. The Leave button and a closed tab release the name. The page shows that a server hangs.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { startChromium, type Tab } from "../../client/browser/chromium.js";
import { makeFolder } from "../../daemon/program/replicas.js";
import { skipUnlessFull } from "../../support/amount.js";
import { axeFindings } from "../../support/axe.js";
import { skipWithout } from "../../support/requirements.js";
import { until } from "../../support/until.js";
import { FrameLine, spawnServer, startServer, startStore } from "./scene.js";

const skip = skipUnlessFull || skipWithout("chromium");
const GUESTS = 40;
const LONG = Array.from({ length: 30 }, (_, line) => `line ${line} of a long text`).join("\n");

/** Returns a JavaScript expression that tests whether an element is completely visible and can be clicked. */
const isInView = (id: string) => `(() => {
  const one = document.getElementById("${id}");
  const { top, left, bottom, right } = one.getBoundingClientRect();
  const isInside = top >= 0 && left >= 0 && bottom <= innerHeight && right <= innerWidth && bottom > top;
  return isInside && one.contains(document.elementFromPoint((left + right) / 2, (top + bottom) / 2));
})()`;

async function enterAs(tab: Tab, name: string): Promise<void> {
  await tab.until(`!document.getElementById("enter").hidden`);
  await tab.run(`(document.getElementById("pseudo").value = ${JSON.stringify(name)}, true)`);
  await tab.run(`(document.getElementById("enter-form").requestSubmit(), true)`);
  await tab.until(`document.getElementById("status").dataset.state === "here"`);
}

/** Saves a screenshot in the folder that the variable PICTURES names. */
async function picture(
  tab: Tab,
  name: string,
  look: { width: number; height: number; isDark: boolean },
): Promise<void> {
  const folder = process.env["PICTURES"];
  const bytes = await tab.picture(look.width, look);
  if (folder !== undefined)
    writeFileSync(join(folder, `${name}-${look.width}-${look.isDark ? "dark" : "light"}.png`), bytes);
}

/** Returns whether another client can use a name. */
async function isFree(address: string, pseudo: string): Promise<boolean> {
  using line = new FrameLine(address);
  await line.ask({ do: "begin", pseudo, room: "elsewhere" });
  return !(await line.next()).includes("taken");
}

test("the page shows forty arrivals as one line, folds a long text, and keeps rooms and Leave visible", {
  skip,
}, async () => {
  await using store = await startStore();
  await using server = await startServer({ redis: store.port, limits: { SIGN_MS: 300 } });
  await using chromium = await startChromium();
  const { tab } = chromium;
  const lines: FrameLine[] = [];
  try {
    await tab.open(`${server.address.replace("ws", "http")}/`);
    await enterAs(tab, "Lalao");
    for (let i = 1; i <= GUESTS; i++) {
      const line = new FrameLine(server.address);
      lines.push(line);
      await line.begin(`Guest no. ${i} of many`);
    }
    const notices = `[...document.querySelectorAll(".notice")].map((one) => one.firstChild.textContent)`;
    const summary = "Guest no. 1 of many, Guest no. 2 of many, Guest no. 3 of many and 37 more have joined";
    await until("all guests have arrived", async () => (await tab.run(`${notices}.join()`)) === summary);
    await lines[0]?.ask({ do: "say", id: randomUUID(), text: LONG });
    await tab.until(`document.querySelector(".unfold") !== null`);
    lines[1]?.socket.close();
    await until("one guest has left", async () =>
      String(await tab.run(`${notices}.at(-1)`)).endsWith("2 of many has left"),
    );
    assert.equal(await tab.run(`${notices}.length`), 2, "the message separates two notices");

    const height = `document.querySelector(".text.folded")?.getBoundingClientRect().height ?? 0`;
    const folded = Number(await tab.run(height));
    assert.ok(folded > 0 && folded < 250, `${folded} px`);
    assert.equal(
      await tab.run(`document.querySelector(".unfold").textContent`),
      `Show all ${LONG.length} characters`,
    );
    await tab.until(`document.querySelectorAll("#rooms button").length > 0`);
    for (const [width, high] of [
      [1200, 600],
      [390, 700],
    ] as const)
      for (const isDark of [false, true]) {
        const look = { width, height: high, isDark };
        await tab.appear(look);
        const isPhone = width < 700;
        await picture(tab, "talk", look);
        assert.deepEqual(await axeFindings(tab), [], `${width} ${isDark}`);
        assert.equal(await tab.run(isInView("leave")), true, `Leave at ${width}`);
        if (isPhone) {
          assert.equal(await tab.run(isInView("side-button")), true);
          await tab.run(`(document.getElementById("side-button").click(), true)`);
        }
        for (const id of ["room-name", "rooms", "leave"])
          assert.equal(await tab.run(isInView(id)), true, `${id} at ${width}`);
        assert.equal(await tab.run(`document.documentElement.scrollWidth <= ${width}`), true);
        await picture(tab, "side", look);
        assert.deepEqual(await axeFindings(tab), [], `${width} ${isDark}, rooms`);
        if (isPhone) await tab.run(`(document.getElementById("side-button").click(), true)`);
      }
    await tab.run(`(document.querySelector(".unfold").click(), true)`);
    assert.equal(await tab.run(`document.querySelector(".text.folded")`), null);
    assert.equal(await tab.run(`document.querySelector(".unfold").getAttribute("aria-expanded")`), "true");

    assert.equal(await isFree(server.address, "lalao"), false);
    await tab.run(`(document.getElementById("leave").click(), true)`);
    await until("the name is free", () => isFree(server.address, "Lalao"));
    await enterAs(tab, "Rasoa");
    assert.equal(await isFree(server.address, "Rasoa"), false);
    await tab.open("about:blank");
    await until("the name is free", () => isFree(server.address, "Rasoa"));
    await tab.open(`${server.address.replace("ws", "http")}/`);
    await enterAs(tab, "Bema");
    assert.equal(await isFree(server.address, "Bema"), false);
    await tab.command("Page.close");
    await until("the name is free", () => isFree(server.address, "Bema"));
  } finally {
    for (const line of lines) line[Symbol.dispose]();
  }
});

test("the page keeps the name after a reload, and shows a hung server until it continues", {
  skip,
}, async () => {
  await using store = await startStore();
  using folder = makeFolder();
  const server = await spawnServer(folder.path, { DB_PORT: String(store.port) });
  await using chromium = await startChromium();
  const { tab } = chromium;
  try {
    await tab.open(server.page);
    await enterAs(tab, "Lalao");
    await tab.reload();
    await tab.until(`document.getElementById("status").textContent.startsWith("back at")`);
    assert.equal(await tab.run(`localStorage.getItem("chat-pseudo")`), "Lalao");

    server.signal("SIGSTOP");
    const status = `document.getElementById("status").textContent`;
    await tab.until(`${status} === "127.0.0.1:${server.port} does not answer"`);
    await picture(tab, "hung", { width: 390, height: 700, isDark: false });
    server.signal("SIGCONT");
    await tab.until(`${status} === "at 127.0.0.1:${server.port}"`);
  } finally {
    await server.kill();
  }
});
