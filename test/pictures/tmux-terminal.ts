/** A tmux terminal of 80 columns with a shell. Its screen can be read as plain text. */
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { programPaths } from "../support/programs.js";
import { until } from "../support/until.js";

const COLUMNS = 80;
const PROMPT = "$ ";
/** Milliseconds between two checks of the screen. */
const POLL_MS = 100;

export class TmuxTerminal implements Disposable {
  readonly #socket = `dbsync-${process.pid}-${Math.trunc(performance.now())}`;

  /**
   * Starts the shell, with dbsync on its path.
   * @param folder  its working folder
   * @param variables  further environment variables
   */
  constructor(folder: string, variables: Readonly<Record<string, string>>, rows: number) {
    const bin = join(folder, "bin");
    mkdirSync(bin, { recursive: true });
    const program = join(bin, "dbsync");
    writeFileSync(program, `#!/bin/sh\nexec ${process.execPath} ${programPaths.dbsync} "$@"\n`);
    chmodSync(program, 0o755);
    const path = `PATH=${bin}${delimiter}${process.env["PATH"]}`;
    const environment = Object.entries({ ...variables, PS1: PROMPT, HOME: folder }).map(
      ([name, value]) => `${name}=${value}`,
    );
    const size = ["-x", String(COLUMNS), "-y", String(rows)];
    const shell = ["env", "-i", "TERM=screen", "LANG=C.UTF-8", path, ...environment, "sh"];
    this.#tmux("-u", "-f", "/dev/null", "new-session", "-d", ...size, "-c", folder, ...shell);
  }

  /** Returns the screen without the empty lines at its end. */
  get text(): string {
    return this.#tmux("capture-pane", "-p").trimEnd();
  }

  /** Types a line, and waits until the screen satisfies `holds`. */
  async line(text: string, holds: (screen: string) => boolean): Promise<string> {
    this.#tmux("send-keys", "-l", text);
    this.#tmux("send-keys", "Enter");
    return await this.shows(`what "${text}" comes to`, holds);
  }

  /** Waits until the screen satisfies `holds`. @returns the screen then */
  async shows(what: string, holds: (screen: string) => boolean): Promise<string> {
    let screen = "";
    await until(what, async () => {
      screen = this.text;
      if (holds(screen)) return true;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      return false;
    });
    return screen;
  }

  [Symbol.dispose](): void {
    spawnSync("tmux", ["-L", this.#socket, "kill-server"]);
  }

  #tmux(...words: string[]): string {
    return execFileSync("tmux", ["-L", this.#socket, ...words], { encoding: "utf8" });
  }
}

/** Returns whether the shell waits for a line. */
export function isAtPrompt(screen: string): boolean {
  return screen.includes("\n") && screen.endsWith(PROMPT.trimEnd());
}
