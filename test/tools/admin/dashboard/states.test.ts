/**
 * Tests the page of --admin in Chromium in all its states: many members, long names, no data, a daemon that hangs,
 * and malicious reports of members.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { DashboardFrame, FrameMember } from "../../../../protocol/json/dashboard-frame.js";
import { type Chromium, startChromium, type Tab } from "../../../client/browser/chromium.js";
import { skipUnlessFull } from "../../../support/amount.js";
import { axeFindings } from "../../../support/axe.js";
import { type DaemonProcess, startDaemon } from "../../../support/daemon-process.js";
import { until } from "../../../support/until.js";
import { frameOf, memberOf, SAMPLE, STUB } from "./frames.js";

const textOf = (id: string) => `document.getElementById(${JSON.stringify(id)}).innerText`;

async function pageOf(daemon: DaemonProcess): Promise<string> {
  return `http://localhost:${await daemon.portOf("/healthz and /metrics")}/`;
}

/** Opens a page that receives frames from the test. */
async function stubbed(chromium: Chromium, daemon: DaemonProcess, history: object): Promise<Tab> {
  const tab = await chromium.another();
  await tab.command("Page.enable");
  await tab.command("Page.addScriptToEvaluateOnNewDocument", { source: STUB(history) });
  await tab.open(await pageOf(daemon));
  return tab;
}

const send = (tab: Tab, frame: DashboardFrame) =>
  tab.run(`window.send(${JSON.stringify(JSON.stringify(frame))})`);

/** Opens the parts that are folded on a phone, and waits until the page has drawn them. */
const openAll = `(async () => {
  for (const part of document.querySelectorAll("details")) part.open = true;
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
})()`;

/** Whether the page contains the colour of a good state. */
const isGreenAnywhere = `(() => {
  const probe = document.createElement("i");
  probe.style.color = getComputedStyle(document.documentElement).getPropertyValue("--good");
  document.body.append(probe);
  const green = getComputedStyle(probe).color;
  probe.remove();
  return [...document.querySelectorAll("main *, header *")].some((one) => one.children.length === 0 &&
    one.checkVisibility() && one.textContent !== "" && getComputedStyle(one).color === green);
})()`;

/**
 * Checks that axe finds no violations and that no element is wider than the page, at desktop and phone widths, in
 * light and dark mode.
 */
async function examine(tab: Tab, what: string): Promise<void> {
  for (const width of [1200, 390])
    for (const isDark of [false, true]) {
      await tab.appear({ width, height: 1000, isDark });
      await tab.run(openAll);
      assert.deepEqual(await axeFindings(tab), [], `${what}, ${width}, ${isDark}`);
      const wide = `[...document.querySelectorAll("body *")].filter((one) => one.checkVisibility() && !one.closest("svg, .scroll, .box, .skip") &&
        one.getBoundingClientRect().right > innerWidth + 1).map((one) => one.outerHTML.slice(0, 120))`;
      assert.deepEqual(await tab.run(wide), [], `${what}, ${width}`);
      assert.equal(
        await tab.run(`document.documentElement.scrollWidth <= ${width}`),
        true,
        `${what}, ${width}`,
      );
    }
}

test("the page shows 20 members with long names as a table or, on a phone, as cards, below the problems", {
  skip: skipUnlessFull,
}, async () => {
  await using daemon = await startDaemon(["--admin", "0"]);
  await using chromium = await startChromium();
  const tab = await stubbed(chromium, daemon, { samples: SAMPLE, arrivals: [] });

  const members = Array.from({ length: 19 }, (_, index) =>
    memberOf(`db-${index}.a-rather-long-name-of-a-data-centre.example.internal:1111`, {
      ...(index === 3 ? { connection: "waiting" as const, state: null, lastHeard: 90_000 } : {}),
      ...(index === 4 ? { lastHeard: 7000 } : {}),
      problems: index > 10 ? [{ code: "failed", member: "", text: "its disk has failed (EIO)" }] : [],
    }),
  );

  await send(tab, frameOf({ members, problems: ["it cannot reach its member db-3 (ECONNREFUSED)"] }));
  assert.equal(await tab.run(`document.querySelectorAll("#members tbody tr").length`), 20);
  assert.equal(
    await tab.run(`document.querySelectorAll("#problems li").length`),
    2,
    "equal problems are combined",
  );
  assert.match(String(await tab.run(textOf("problems"))), /db-11.*and 5 more report:/s);
  assert.match(String(await tab.run("document.title")), /^✕ 2 problems · localhost:\d+ · dbsync$/);
  assert.match(String(await tab.run(`document.getElementById("icon").href`)), /icon-bad\.svg$/);

  const states = await tab.run(
    `[...document.querySelectorAll("#members tbody td:nth-child(2)")].slice(4, 7).map((cell) => cell.textContent + "/" + cell.className)`,
  );
  assert.deepEqual(states, ["disconnected/bad", "silent, was live/warn", "live/good"]);

  await examine(tab, "20 members");
  const display = `getComputedStyle(document.querySelector("#members tbody tr")).display`;
  assert.equal(await tab.run(display), "block", "a member is a card on a phone");

  const breaks = `(() => {
    const range = document.createRange(), node = document.querySelector("#members tbody tr:nth-child(2) a");
    return [...node.childNodes].filter((one) => one.nodeType === 3).every((one) => {
      range.selectNodeContents(one);
      return range.getClientRects().length === 1;
    });
  })()`;
  assert.equal(await tab.run(breaks), true, "a name wraps at separators");
});

test("a temporary state is grey, and the page's title, icon and state show no fault", {
  skip: skipUnlessFull,
}, async () => {
  await using daemon = await startDaemon(["--admin", "0"]);
  await using chromium = await startChromium();
  const tab = await stubbed(chromium, daemon, { samples: SAMPLE, arrivals: [] });

  const about = { code: "", member: "", fix: "see its log", isOfMember: false };
  const catchingUp = { ...about, text: "it is catching up", severity: "progress" as const };
  const failed = { ...about, text: "its disk has failed", severity: "problem" as const };
  const frame = frameOf({ state: "catching-up", isHealthy: false });

  await send(tab, { ...frame, problems: [catchingUp] });
  const classes = `[...document.querySelectorAll("#problems li, #state")].map(({ className }) => className)`;
  assert.deepEqual(await tab.run(classes), ["badge warn", "quiet"]);
  assert.match(String(await tab.run("document.title")), /^… 1 in progress · /);
  assert.match(String(await tab.run(`document.getElementById("icon").href`)), /\/icon\.svg$/);
  assert.match(
    String(await tab.run(textOf("problems"))),
    /This is temporary\. If it does not end: see its log\./,
  );
  await examine(tab, "catching up");

  await send(tab, { ...frame, problems: [catchingUp, failed] });
  assert.deepEqual(await tab.run(classes), ["badge warn", "bad", "quiet"]);
  assert.match(String(await tab.run("document.title")), /^✕ 1 problem · /);

  const command = "dbsync send -k root-private.pem CLUSTER ADD MCowBQYDK2VwAyEA+/=";
  const fix = `as administrator: ${command}`;
  const note = { ...about, fix, text: "its key is not authorized", severity: "note" as const };
  await send(tab, { ...frameOf({}), problems: [note] });
  assert.deepEqual(await tab.run(classes), ["badge good", "quiet"]);
  assert.match(String(await tab.run("document.title")), /^✓ healthy · /);
  assert.match(String(await tab.run(textOf("problems"))), /What to do, if you need it: as administrator:/);
  assert.equal(await tab.run(`document.querySelector("#problems code").textContent`), command);
  assert.equal(await tab.run(`document.getElementById("no-problems").checkVisibility()`), true);
  const isAbove = `document.getElementById("no-problems").offsetTop < document.getElementById("problems").offsetTop`;
  assert.equal(await tab.run(isAbove), true);
});

test("the page offers to sign in only if the daemon has keys and --ws, and otherwise names the missing option", {
  skip: skipUnlessFull,
}, async () => {
  await using daemon = await startDaemon(["--admin", "0"]);
  await using chromium = await startChromium();
  const tab = await stubbed(chromium, daemon, { samples: [], arrivals: [] });
  const isShown = `document.getElementById("unlock").checkVisibility()`;
  const frame = frameOf({});
  await send(tab, { ...frame, keys: null, ws: null });
  assert.equal(await tab.run(isShown), false);
  assert.match(String(await tab.run(textOf("no-sign-in"))), /no keys.*-s, --root-key and --ws:/);

  await send(tab, { ...frame, ws: null });
  assert.equal(await tab.run(isShown), false);
  assert.match(String(await tab.run(textOf("no-sign-in"))), /start it with --ws:/);

  const ws = { port: 1180, isSecure: false };
  await send(tab, { ...frame, keys: { application: 1 }, ws });
  assert.equal(await tab.run(isShown), false, "no administrator could authorize this browser");
  assert.match(String(await tab.run(textOf("no-sign-in"))), /start it with --root-key:/);

  await send(tab, { ...frame, ws });
  assert.equal(await tab.run(isShown), true);
  assert.equal(await tab.run(`document.getElementById("no-sign-in").checkVisibility()`), false);
});

test("each part of a page without data explains why it is empty", { skip: skipUnlessFull }, async () => {
  await using daemon = await startDaemon(["--admin", "0"]);
  await using chromium = await startChromium();
  const tab = await stubbed(chromium, daemon, { samples: [], arrivals: [] });

  await send(tab, frameOf({ timeline: null, sample: null, listeners: [] }));
  assert.match(String(await tab.run(textOf("no-problems"))), /^No problems/);
  assert.match(String(await tab.run("document.title")), /^✓ healthy/);
  assert.match(String(await tab.run(textOf("no-members"))), /without --data and --peer/);
  assert.match(String(await tab.run(textOf("no-strip"))), /start it with --data or --peer/);
  assert.match(String(await tab.run(textOf("no-listeners"))), /No client has connected yet/);

  const empty = await tab.run(
    `[...document.querySelectorAll("#charts .empty")].map((one) => one.checkVisibility() && one.innerText.length > 20)`,
  );
  assert.deepEqual(empty, Array(8).fill(true));

  const titles = `[...document.querySelectorAll(".card")].filter((one) => one.checkVisibility() && one.querySelector("h3") === null &&
    !one.parentElement?.closest("section")?.querySelector("h2, h3")).length`;
  assert.equal(await tab.run(titles), 0, "each card has a title");
  await examine(tab, "no data");
});

test("reports of members are shown as bounded text, and link only to the hosts of the members", {
  skip: skipUnlessFull,
}, async () => {
  await using daemon = await startDaemon(["--admin", "0"]);
  await using chromium = await startChromium();
  const tab = await stubbed(chromium, daemon, { samples: SAMPLE, arrivals: [] });

  const markup = `<img src=x onerror="window.hurt = true">`;
  const claim = { code: markup, member: markup, text: markup };
  const claims: Partial<FrameMember>[] = [
    { address: `${markup}:1111`, software: markup, problems: [claim] },
    { address: "javascript:alert(1)//:1111", pagePort: 80 },
    { address: "evil.example/path?:1111", pagePort: 80 },
    { address: "user@evil.example:1111", pagePort: 80 },
    { address: "db2.example:1111", pagePort: 9464, pageLocal: true },
    { address: "127.0.0.1:1112", pagePort: 9465, pageLocal: true },
    { address: "db3.example:1111", pagePort: 9466 },
    { address: "[2001:db8::1]:1111", pagePort: 9467 },
    { address: "db4.example:1111", pagePort: 0 },
  ];

  await send(tab, frameOf({ members: claims.map((claim) => memberOf("", claim)) }));
  const links = await tab.run(`[...document.querySelectorAll("#members a")].map(({ href }) => href)`);
  assert.deepEqual(links, [
    "http://localhost:9465/",
    "http://db3.example:9466/",
    "http://[2001:db8::1]:9467/",
  ]);

  assert.equal(await tab.run(`document.querySelectorAll("img").length`), 0);
  assert.equal(await tab.run("window.hurt === undefined"), true);
  assert.ok(String(await tab.run(textOf("problems"))).includes(markup));
});

test("a chart shows the value that the pointer or the arrow keys select", {
  skip: skipUnlessFull,
}, async () => {
  await using daemon = await startDaemon(["--admin", "0"]);
  await using chromium = await startChromium();
  const tab = await stubbed(chromium, daemon, { samples: SAMPLE, arrivals: [] });
  await tab.appear({ width: 1200, height: 2000, isDark: false });
  await send(tab, frameOf({}));

  const texts = `[...document.querySelectorAll("#charts figure:first-child text")].map((one) => one.textContent)`;
  const axes = (await tab.run(texts)) as string[];
  assert.deepEqual(axes.slice(0, 3), ["0/s", "500/s", "1K/s"]);
  assert.deepEqual(axes.slice(3), ["−60 min", "−48 min", "−36 min", "−24 min", "−12 min", "now"]);

  const [x, y] = (await tab.run(`(() => {
    const { left, top, width } = document.querySelector("#charts svg").getBoundingClientRect();
    return [left + width - 9, top + 40];
  })()`)) as [number, number];
  const readout = `document.querySelector("#charts .readout").textContent`;

  await tab.command("Input.dispatchMouseEvent", { type: "mouseMoved", x, y });
  await tab.until(
    `/^\\d\\d:\\d\\d:\\d\\d \\S+: cluster 71\\d\\/s \\(71\\d daemons\\), this daemon 71\\d\\/s$/.test(${readout})`,
  );
  await tab.command("Input.dispatchMouseEvent", { type: "mouseMoved", x: 1, y: 1 });
  await tab.until(`${readout} === ""`);

  await tab.run(`document.querySelector("#charts svg").focus()`);
  for (let i = 0; i < 2; i++) {
    const what = { key: "ArrowLeft", code: "ArrowLeft", windowsVirtualKeyCode: 37 };
    await tab.command("Input.dispatchKeyEvent", { type: "keyDown", ...what });
    await tab.command("Input.dispatchKeyEvent", { type: "keyUp", ...what });
  }
  assert.match(String(await tab.run(readout)), /: cluster 718\/s \(718 daemons\), this daemon 718\/s$/);
});

test("the labels of charts do not overlap, and the tables of the tiles fit, at every width", {
  skip: skipUnlessFull,
}, async () => {
  await using daemon = await startDaemon(["--admin", "0"]);
  await using chromium = await startChromium();
  const tab = await stubbed(chromium, daemon, { samples: SAMPLE, arrivals: [] });
  const listeners = [{ name: "long-name", ok: 1_234_567, errors: 123, connections: 100 }];
  const refusals = [{ reason: "too-many-connections", listener: "dbsync-v2", count: 1_234_567 }];

  for (const width of [1200, 1040, 720, 390, 360]) {
    await tab.appear({ width, height: 1000, isDark: false });
    await send(tab, frameOf({ listeners, refusals }));
    await tab.run(openAll);

    const labels = `[...document.querySelector("#charts svg").querySelectorAll("text[text-anchor=middle], text[y='122']")]
      .filter((one) => one.getAttribute("visibility") !== "hidden")
      .map((one) => ({ text: one.textContent, left: one.getBoundingClientRect().left, right: one.getBoundingClientRect().right }))`;
    const shown = (await tab.run(labels)) as { text: string; left: number; right: number }[];
    assert.ok(shown.length >= 3, `${width}`);
    assert.equal(shown.at(-1)?.text, "now", `${width}`);
    for (const [index, { left, text }] of shown.entries())
      assert.ok(index === 0 || left > (shown[index - 1]?.right ?? 0) + 2, `${width}: ${text}`);

    const wide = `[...document.querySelectorAll(".tiles .card")].filter((one) => one.scrollWidth > one.clientWidth)
      .map((one) => one.textContent.slice(0, 40))`;
    assert.deepEqual(await tab.run(wide), [], `${width}`);
  }
});

test("a member that is down is one problem, however many daemons report it, and the command to evict it is whole", {
  skip: skipUnlessFull,
}, async () => {
  await using daemon = await startDaemon(["--admin", "0"]);
  await using chromium = await startChromium();
  const tab = await stubbed(chromium, daemon, { samples: SAMPLE, arrivals: [] });

  const down = "db3:1111 is down for 3 min, seen by 2 of 2";
  const command = "dbsync members evict db3:1111 -k root-private.pem";
  const about = { code: "memberDown", member: "db3:1111", severity: "problem" as const, isOfMember: true };
  const awayFor = (member: string, time: string) => ({
    code: "memberAway",
    member,
    text: `it cannot reach its member ${member} for ${time}`,
  });

  const claims = [
    { code: "memberDown", member: "db3:1111", text: "db3:1111 is down for 2 min, seen by 2 of 2" },
    awayFor("db4:1111", "9 s"),
  ];
  const members = [
    memberOf("db2:1111", { problems: claims }),
    memberOf("db3:1111", { connection: "waiting" }),
    memberOf("db4:1111", { problems: [awayFor("db4:11112", "8 s")] }),
    memberOf("db5:1111", { problems: [awayFor("db4:1111", "7 s")] }),
  ];

  const fix = `start it first; only if it will never return, remove it, which is permanent: ${command}`;
  await send(tab, { ...frameOf({ members }), problems: [{ ...about, text: down, fix }] });

  const items = `[...document.querySelectorAll("#problems li")].map((one) => one.querySelector("b").textContent + one.querySelector("span").textContent)`;
  assert.deepEqual(await tab.run(items), [
    "db3:1111is down for 3 min, seen by 2 of 2.",
    "db2:1111, db5:1111 report:it cannot reach its member db4:1111 for 9 s.",
    "db4:1111 reports:it cannot reach its member db4:11112 for 8 s.",
  ]);
  assert.equal(await tab.run(`document.querySelector("#problems code").textContent`), command);
  await examine(tab, "a member that is down");
});

test("no row of tiles has a hole, at every width", { skip: skipUnlessFull }, async () => {
  await using daemon = await startDaemon(["--admin", "0"]);
  await using chromium = await startChromium();
  const tab = await stubbed(chromium, daemon, { samples: SAMPLE, arrivals: [] });
  await send(tab, frameOf({}));
  for (const width of [1600, 1200, 1040, 900, 720, 390]) {
    await tab.appear({ width, height: 1000, isDark: false });
    await tab.run(openAll);
    const holes = `[...document.querySelectorAll(".tiles")].filter(({ children, parentElement }) =>
      Math.abs(parentElement.getBoundingClientRect().right - children[children.length - 1].getBoundingClientRect().right) > 1).length`;
    assert.equal(await tab.run(holes), 0, `${width}`);
  }
});

test("many problems are all visible on a phone, with the last remedy, and the terms are explained", {
  skip: skipUnlessFull,
}, async () => {
  await using daemon = await startDaemon(["--admin", "0"]);
  await using chromium = await startChromium();
  const tab = await stubbed(chromium, daemon, { samples: SAMPLE, arrivals: [] });
  await tab.appear({ width: 390, height: 800, isDark: false });
  const problems = Array.from({ length: 12 }, (_, index) => `${index} envelopes of a unit were refused`);
  await send(tab, frameOf({ problems }));

  const isCut = `[...document.querySelectorAll("#problems, #problems *")].some((one) => one.scrollHeight > one.clientHeight + 1 && getComputedStyle(one).overflowY !== "visible")`;
  assert.equal(await tab.run(isCut), false);

  const lastFix = `document.querySelector("#problems li:last-child small")`;
  await tab.run(`${lastFix}.scrollIntoView()`);
  const isShown = `(() => {
    const { left, top } = ${lastFix}.getBoundingClientRect();
    return document.elementFromPoint(left + 5, top + 5) === ${lastFix};
  })()`;
  assert.equal(await tab.run(isShown), true);

  const terms = String(await tab.run(textOf("terms")));
  assert.match(terms, /^Envelope: one or more commands that are signed together\. Unit: one command, or/);
  await send(tab, frameOf({ problems: ["its disk has failed"] }));
  assert.equal(await tab.run(`document.getElementById("terms").checkVisibility()`), false);
});

test("on a phone, only problems and members are open, and an opened part shows its charts", {
  skip: skipUnlessFull,
}, async () => {
  await using daemon = await startDaemon(["--admin", "0"]);
  await using chromium = await startChromium();
  const tab = await stubbed(chromium, daemon, { samples: SAMPLE, arrivals: [] });
  const shown = `[...document.querySelectorAll("h2")].map((title) => [title.textContent, title.closest("details")?.open ?? true])`;
  const parts = ["Timeline of the last minute", "The last hour", "Since the start", "For administrators"];
  const first = [
    ["Problems", true],
    ["Cluster", true],
  ];

  await send(tab, frameOf({ members: [memberOf("db2:1111")] }));
  assert.deepEqual(await tab.run(shown), [...first, ...parts.map((title) => [title, true])]);

  await tab.appear({ width: 390, height: 1000, isDark: false });
  await tab.until(`!document.querySelector("details").open`);
  assert.deepEqual(await tab.run(shown), [...first, ...parts.map((title) => [title, false])]);
  assert.equal(await tab.run(`document.querySelector("#charts svg").checkVisibility()`), false);

  await tab.run(`document.getElementById("charts-title").click()`);
  await tab.until(
    `document.querySelector("#charts svg").getAttribute("viewBox") === "0 0 " + document.querySelector("#charts svg").clientWidth + " 126"`,
  );

  await tab.appear({ width: 1200, height: 1000, isDark: false });
  await tab.until(`[...document.querySelectorAll("details")].every(({ open }) => open)`);
});

test("the totals are those of the cluster, and name the members that do not report", {
  skip: skipUnlessFull,
}, async () => {
  await using daemon = await startDaemon(["--admin", "0"]);
  await using chromium = await startChromium();
  const tab = await stubbed(chromium, daemon, { samples: SAMPLE, arrivals: [] });

  const other = memberOf("db2:1111");
  await send(tab, frameOf({ members: [other, memberOf("db3:1111")] }));
  assert.equal(
    await tab.run(textOf("totals")),
    "All 3 daemons together: since their starts 32,351 commands answered and 7 requests refused; 17 clients connected now.",
  );

  await send(tab, frameOf({ members: [other, memberOf("db3:1111", { connection: "waiting" })] }));
  assert.match(String(await tab.run(textOf("totals"))), /^2 of 3 daemons together, without db3:1111: since/);

  await send(tab, frameOf({ members: [other, memberOf("", { connection: "waiting" })] }));
  assert.match(String(await tab.run(textOf("totals"))), /without a member of unknown address: since/);

  await send(tab, frameOf({ members: [other, memberOf("db3:1111", { lastHeard: 60_000 })] }));
  assert.match(
    String(await tab.run(textOf("totals"))),
    /^2 of 3 daemons together, without db3:1111: since/,
    "silent",
  );

  await send(tab, frameOf({ members: [] }));
  assert.equal(await tab.run(`document.getElementById("totals").checkVisibility()`), false);
});

test("an isolated daemon serves its clients, and its state is not green", {
  skip: skipUnlessFull,
}, async () => {
  await using daemon = await startDaemon(["--admin", "0"]);
  await using chromium = await startChromium();
  const tab = await stubbed(chromium, daemon, { samples: SAMPLE, arrivals: [] });
  await send(tab, frameOf({ state: "isolated", isHealthy: true }));
  const classes = `[document.getElementById("state"), document.querySelector("#members tbody td")].map(({ className }) => className)`;
  assert.deepEqual(await tab.run(classes), ["badge bad", "bad"]);
});

test("a daemon that hangs is not shown as live on the page, in its title or its icon, until it continues", {
  skip: skipUnlessFull,
}, async () => {
  await using daemon = await startDaemon(["--admin", "0"]);
  await using chromium = await startChromium();
  const { tab } = chromium;
  await tab.open(await pageOf(daemon));
  await tab.until(`${textOf("state")} === "live"`);
  assert.equal(await tab.run(isGreenAnywhere), true);

  daemon.kill("SIGSTOP");
  try {
    await tab.until(`/^✕ no answer/.test(document.title)`);
    assert.match(String(await tab.run(`document.getElementById("icon").href`)), /icon-bad\.svg$/);
    assert.match(String(await tab.run(textOf("state"))), /^unknown, was live$/);
    assert.match(String(await tab.run(textOf("problems"))), /it has sent nothing for \d+ s/);
    assert.equal(await tab.run(isGreenAnywhere), false);
    assert.deepEqual(await axeFindings(tab), []);
  } finally {
    daemon.kill("SIGCONT");
  }

  await tab.until(`/^✓ healthy/.test(document.title)`);
  await until("the daemon is shown as live again", async () => (await tab.run(isGreenAnywhere)) === true);
});
