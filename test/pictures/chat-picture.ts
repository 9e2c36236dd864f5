/** Makes the picture of the chat: its page in a browser, while two users write in terminals. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { startChromium } from "../client/browser/chromium.js";
import { makeFolder } from "../daemon/program/replicas.js";
import { buildRoot } from "../support/repository.js";
import { inFewColours } from "./small-png.js";

const TALK: readonly (readonly [who: string, text: string])[] = [
  ["Ann", "Two servers, three daemons, no state in any process but its sockets."],
  ["Bob", "I am on the other server, in a terminal."],
  ["Ann", "Kill my server, and I will be on yours before you have read this."],
  ["Bob", "And nothing is lost?"],
  ["Ann", "The daemons have the history. New users see its last messages."],
];

export async function chatPicture(): Promise<Record<string, Buffer>> {
  using folder = makeFolder();
  const demo = spawn(process.execPath, [join(buildRoot, "examples/chat/demo.js")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const programs: ChildProcess[] = [];
  await using chromium = await startChromium();
  try {
    const [first = "", second = ""] = await pagesOf(demo);
    const { tab } = chromium;
    await tab.appear({ width: 900, height: 740, isDark: false });
    await tab.command("Emulation.setScrollbarsHidden", { hidden: true });
    await tab.open(first);

    const enter = { key: "Enter", code: "Enter", windowsVirtualKeyCode: 13, text: "\r" };
    const say = async (text: string) => {
      await tab.command("Input.insertText", { text });
      for (const type of ["keyDown", "keyUp"])
        await tab.command("Input.dispatchKeyEvent", { type, ...enter });
    };

    await tab.until(`document.activeElement.id === "pseudo"`);
    await say("Lalao");
    await tab.until(`document.activeElement.id === "say"`);

    const people = new Map(
      [...new Set(TALK.map(([who]) => who))].map((who) => {
        const info = join(folder.path, `${who}.json`);
        const args = ["-p", new URL(second).port, "-n", who, "--info", info];
        const program = spawn(process.execPath, [join(buildRoot, "examples/chat/terminal.js"), ...args], {
          stdio: ["pipe", "ignore", "inherit"],
        });
        programs.push(program);
        return [who, program] as const;
      }),
    );

    await say("Hello from a browser!");
    const shows = (text: string) =>
      tab.until(`document.getElementById("messages").textContent.includes(${JSON.stringify(text)})`);
    await shows("Hello from a browser!");

    for (const [who, text] of TALK) {
      people.get(who)?.stdin.write(`${text}\n`);
      await shows(text);
    }
    return { "chat-light.png": inFewColours(await tab.picture(900, { height: 740 })) };
  } finally {
    for (const program of programs) program.kill();
    demo.kill("SIGINT");
    await once(demo, "exit");
  }
}

/** Waits until the demo has printed the addresses of both servers' pages. @returns the addresses */
async function pagesOf({ stdout }: ChildProcess): Promise<string[]> {
  let text = "";
  for await (const bytes of stdout ?? []) {
    text += String(bytes);
    const found = [...text.matchAll(/http:\/\/[\d.]+:\d+\//g)].map(([url]) => url);
    if (found.length >= 2 && text.includes("Open the page")) {
      stdout?.resume();
      return found;
    }
  }
  throw new Error(`the chat has not started: ${text}`);
}
