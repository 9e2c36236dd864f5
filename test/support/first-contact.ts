/**
 * Runs what docs/first-contact.md prints for each language, as it is typed: three lines, of which the second starts a
 * daemon.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { freePort } from "./free-port.js";
import { repositoryRoot } from "./repository.js";
import { skipWithout } from "./requirements.js";
import { type Ended, run } from "./run-program.js";

/** What the third line requires in addition to what npm installs. */
const NEEDED: Readonly<Record<string, string>> = {
  PHP: "php-cli",
  Python: "python3-cryptography",
  "redis-cli": "redis-cli",
};

export interface FirstContact {
  readonly name: string;
  readonly lines: readonly string[];
}

export interface Met {
  /** The outcome of the third line. */
  readonly answer: Ended;
  /** Milliseconds from the second line until the daemon listens. */
  readonly listening: number;
  /** Milliseconds of the third line. */
  readonly answered: number;
}

/** Returns all languages of the page, in order. */
export function firstContacts(): FirstContact[] {
  const page = readFileSync(join(repositoryRoot, "docs/first-contact.md"), "utf8");
  return [...page.matchAll(/^## (.*)\n(?:(?!## ).*\n)*?```sh\n([\s\S]*?)^```$/gm)].map(
    ([, name = "", block = ""]) => ({ name, lines: block.trimEnd().split("\n") }),
  );
}

/** Returns what the machine is missing for a language, or false. */
export function lackOf({ name }: FirstContact): string | false {
  const { [name]: needed } = NEEDED;
  return needed === undefined ? false : skipWithout(needed);
}

/**
 * Runs the second line and, once the daemon listens, the third.
 * @param clone  the folder in which the first line was run
 */
export async function meet({ lines }: FirstContact, clone: string): Promise<Met> {
  // Another process may use the page's ports, and the PATH's Python may not see Debian's packages.
  const port = String(await freePort());
  const resp = String(await freePort());
  const env = {
    DBSYNCD_PORT: port,
    DBSYNC_SERVERS: `127.0.0.1:${port}`,
    // Otherwise Python would write files among the sources.
    PYTHONDONTWRITEBYTECODE: "1",
    // npx links the clone into its cache the first time, and would rebuild it while other tests run its programs.
    npm_config_ignore_scripts: "true",
  };
  const [, start = "", send = ""] = lines.map((line) =>
    line.replaceAll("6380", resp).replace(" python3 ", " /usr/bin/python3 "),
  );
  const ports = start.includes(resp) ? [port, resp] : [port];
  const begun = performance.now();
  const daemon = spawn("bash", ["-c", start.replace(/ &$/, "")], {
    cwd: clone,
    detached: true,
    stdio: "ignore",
    env: { PATH: process.env["PATH"], HOME: process.env["HOME"], ...env },
  });
  const closed = once(daemon, "close");
  try {
    for (const each of ports) {
      while (!(await listens(Number(each)))) {
        if (daemon.exitCode !== null) throw new Error(`${start}: ended with ${daemon.exitCode}`);
        await delay(5);
      }
    }
    const there = performance.now();
    const answer = await run("bash", ["-c", send], { cwd: clone, env });
    return { answer, listening: there - begun, answered: performance.now() - there };
  } finally {
    if (daemon.pid !== undefined && daemon.exitCode === null) process.kill(-daemon.pid, "SIGKILL");
    await closed;
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}
