/**
 * Tests the complete chat with three daemons, two servers, a browser, a terminal client, and a client of the exercise
 * (examples/chat/README.md). The test kills one server and one daemon.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { startChromium, type Tab } from "../../client/browser/chromium.js";
import { makeFolder } from "../../daemon/program/replicas.js";
import { skipUnlessFull } from "../../support/amount.js";
import { axeFindings } from "../../support/axe.js";
import { skipWithout } from "../../support/requirements.js";
import { until } from "../../support/until.js";
import { ClientProgram, python, terminal } from "./programs.js";
import { FrameLine, spawnServer, startDaemons } from "./scene.js";

const skip = skipUnlessFull || skipWithout("chromium") || skipWithout("python3-websockets");

const KEYS: Readonly<Record<string, object>> = {
  Enter: { key: "Enter", code: "Enter", windowsVirtualKeyCode: 13, text: "\r" },
  Escape: { key: "Escape", code: "Escape", windowsVirtualKeyCode: 27 },
  Tab: { key: "Tab", code: "Tab", windowsVirtualKeyCode: 9 },
  Earlier: { key: "ArrowUp", code: "ArrowUp", windowsVirtualKeyCode: 38, modifiers: 1 },
};

/** A page that is used only with the keyboard. */
class KeyboardPage {
  readonly tab: Tab;

  constructor(tab: Tab) {
    this.tab = tab;
  }

  async press(name: keyof typeof KEYS & string, times = 1): Promise<void> {
    for (let i = 0; i < times; i++) {
      await this.tab.command("Input.dispatchKeyEvent", { type: "keyDown", ...KEYS[name] });
      await this.tab.command("Input.dispatchKeyEvent", { type: "keyUp", ...KEYS[name] });
    }
  }

  async say(text: string): Promise<void> {
    await this.tab.command("Input.insertText", { text });
    await this.press("Enter");
  }

  async focused(): Promise<unknown> {
    return await this.tab.run(`document.activeElement.id || document.activeElement.textContent`);
  }

  /** Presses Tab until an element has the focus. */
  async goTo(what: string): Promise<void> {
    for (let i = 0; i < 40; i++) {
      if ((await this.focused()) === what) return;
      await this.press("Tab");
    }
    assert.fail(`the Tab key does not reach ${what}`);
  }

  async texts(): Promise<readonly string[]> {
    const script = `[...document.querySelectorAll(".message:not(.waiting) .text")].map((one) => one.textContent)`;
    return (await this.tab.run(script)) as string[];
  }

  async shows(text: string): Promise<void> {
    await until(`the page shows ${text}`, async () => (await this.texts()).includes(text));
  }
}

test("a browser, a terminal and the exercise's client chat on two servers, and continue on one when the other is killed", {
  skip,
}, async () => {
  await using daemons = await startDaemons();
  using folder = makeFolder();
  using ofTerminal = makeFolder();
  using ofPython = makeFolder();
  const first = await spawnServer(folder.path, daemons.settingsFrom(0));
  const second = await spawnServer(folder.path, daemons.settingsFrom(1));
  await using chromium = await startChromium();
  const page = new KeyboardPage(chromium.tab);
  try {
    const before = await fill(second.port);
    await page.tab.open(first.page);
    assert.equal(await page.focused(), "pseudo");
    await page.say("Lalao");
    await page.tab.until(`document.activeElement.id === "say"`);
    await page.shows(before.at(-1) as string);
    using ann = new ClientProgram(terminal(first.port), ofTerminal.path);
    ann.type("Ann");
    await ann.prints("you are Ann");
    using bob = new ClientProgram(python(second.port), ofPython.path);
    bob.type("Bob");
    await bob.prints("Annonce : Bob a rejoint la chatroom");

    const script = "<img src=x onerror='document.title=1'> <b>text</b>";
    await page.say(script);
    ann.type("from the terminal");
    bob.type("de Python");
    for (const one of ["from the terminal", "de Python", script]) await page.shows(one);
    for (const one of ["Lalao: <img", "Bob: de Python", "you: from the terminal"]) await ann.prints(one);
    for (const one of ["Vous avez dit : de Python", "Lalao\u001b[0m a dit : <img", "a dit : from the"])
      await bob.prints(one);
    assert.equal(await page.tab.run(`document.querySelectorAll("#messages img, #messages b").length`), 0);

    await readBack(page, before);
    const session = await page.tab.run(`sessionStorage.getItem("chat-session")`);
    await Promise.all([page.say("just before"), first.kill()]);
    ann.type("said to a dead server");
    await page.tab.until(
      `document.getElementById("status").textContent.startsWith("back at 127.0.0.1:${second.port}")`,
    );
    await ann.prints(`back at ws://127.0.0.1:${second.port}`);
    await page.say("behind");
    for (const one of ["just before", "said to a dead server", "behind"]) {
      await page.shows(one);
      await ann.prints(one);
      await bob.prints(one);
    }
    assert.equal(await page.tab.run(`sessionStorage.getItem("chat-session")`), session);
    // The remaining server uses this daemon.
    await daemons.kill(1);
    await page.say("at another daemon");
    await page.shows("at another daemon");
    await ann.prints("at another daemon");
    await bob.prints("Annonce : Lalao est de retour !");

    await bob.end();
    using back = new ClientProgram(python(second.port), ofPython.path);
    await back.prints("Welcome back  !");
    await back.prints("Vous avez dit : de Python");
    await checkOnce(page, ann, second.port, before, script);
    await page.goTo("room-name");
    await page.say("green");
    await page.tab.until(`document.getElementById("room").textContent === "green"`);
    await page.goTo("# chatroom");
    await page.press("Enter");
    await page.shows("behind");
    await checkLook(page);
  } finally {
    await first.kill();
    await second.kill();
  }
});

/** Sends more than two pages of messages. */
async function fill(port: number): Promise<readonly string[]> {
  const texts = Array.from({ length: 110 }, (_, index) => `earlier ${index}`);
  // Each user sends as many messages as the rate limit permits.
  const each = texts.length / 10;
  for (let from = 0; from < texts.length; from += each) {
    using line = new FrameLine(`ws://127.0.0.1:${port}`);
    await line.begin(`Filler ${from}`);
    for (const text of texts.slice(from, from + each)) {
      await line.ask({ do: "say", id: randomUUID(), text });
      await line.frame("kept");
    }
  }
  return texts;
}

async function readBack(page: KeyboardPage, before: readonly string[]): Promise<void> {
  for (const minimum of [80, 110]) {
    await page.press("Earlier");
    await until("the page shows earlier messages", async () => (await page.texts()).length >= minimum);
  }
  assert.deepEqual((await page.texts()).slice(0, before.length), before);
  await page.tab.until(`!document.getElementById("beginning").hidden`);
  await page.press("Escape");
  assert.equal(await page.focused(), "say");
}

async function checkOnce(
  page: KeyboardPage,
  ann: ClientProgram,
  port: number,
  before: readonly string[],
  script: string,
): Promise<void> {
  const sentTexts = [
    script,
    "from the terminal",
    "de Python",
    "just before",
    "said to a dead server",
    "behind",
  ];
  sentTexts.push("at another daemon");

  const expected = [...before, ...sentTexts].sort();
  assert.deepEqual([...(await page.texts())].sort(), expected, "no message is lost or shown twice");
  for (const text of sentTexts) assert.equal(ann.lines.filter((line) => line.includes(text)).length, 1, text);

  using line = new FrameLine(`ws://127.0.0.1:${port}`);
  await line.begin("Judge");
  const { messages } = await line.frame("history");
  assert.deepEqual(
    messages
      .map(({ text }) => text)
      .filter((text) => sentTexts.includes(text))
      .sort(),
    [...sentTexts].sort(),
  );

  const hosts = await page.tab.run(
    `[...new Set(performance.getEntriesByType("resource").map(({ name }) => new URL(name).host))]`,
  );
  assert.deepEqual(hosts, [await page.tab.run("location.host")], "the page loads files only from its server");
}

/** Checks the page in both widths, in light and dark mode. */
async function checkLook({ tab }: KeyboardPage): Promise<void> {
  for (const width of [1200, 390]) {
    for (const isDark of [false, true]) {
      assert.equal((await tab.picture(width, { isDark })).toString("latin1", 1, 4), "PNG");
      assert.deepEqual(await axeFindings(tab), []);
      assert.equal(await tab.run(`document.documentElement.scrollWidth <= ${width}`), true);
    }
  }
  await tab.run(`(document.getElementById("side-button").click(), true)`);
  assert.deepEqual(await axeFindings(tab), []);
}
