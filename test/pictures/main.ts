/**
 * `npm run pictures`: makes the pictures of README.md and docs/ from the real programs, into docs/pictures. Arguments
 * select some of them: watched, dashboard, chat, chaos, recordings. It needs Chromium, script(1) and tmux.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "../support/repository.js";
import { runChaos } from "../system/chaos/chaos.js";
import { chatPicture } from "./chat-picture.js";
import { dashboardPictures } from "./dashboard-pictures.js";
import { recordings } from "./recordings.js";
import { terminalPicture } from "./terminal-picture.js";
import { watchedPictures } from "./watched-pictures.js";

const BYTES_MAX = 150_000;
const CHAOS_SECONDS = 60;

const MAKERS: Readonly<Record<string, () => Promise<Record<string, Buffer | string>>>> = {
  watched: watchedPictures,
  dashboard: dashboardPictures,
  chat: chatPicture,
  recordings,
  async chaos() {
    const lines = ["$ npm run chaos -- --minutes 1"];
    await runChaos({
      seed: 11,
      seconds: CHAOS_SECONDS,
      roundMs: 10_000,
      writers: 4,
      old: null,
      say: (line) => lines.push(...broken(line)),
    });
    return { "chaos.svg": terminalPicture("npm run chaos", lines.join("\n")) };
  },
};

/** Breaks a line at the width of a terminal. */
function broken(line: string): string[] {
  return line.match(/.{1,96}(?: |$)/g) ?? [line];
}

const folder = join(repositoryRoot, "docs/pictures");
mkdirSync(folder, { recursive: true });
const words = process.argv.slice(2);
for (const [name, make] of Object.entries(MAKERS)) {
  if (words.length > 0 && !words.includes(name)) continue;
  for (const [file, bytes] of Object.entries(await make())) {
    if (bytes.length > BYTES_MAX) throw new Error(`${file} has ${bytes.length} bytes`);
    writeFileSync(join(folder, file), bytes);
    console.log(`docs/pictures/${file}: ${bytes.length} bytes`);
  }
}
