/**
 * Runs the three lines that docs/first-contact.md prints for each language, exactly as a reader types them. The
 * second line starts a daemon.
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

/** The package that the third line needs in addition to those that npm installs. */
const PACKAGES: Readonly<Record<string, string>> = {
  PHP: "php-cli",
  Python: "python3-cryptography",
  "redis-cli": "redis-cli",
};

export interface FirstContact {
  readonly name: string;
  readonly lines: readonly string[];
}

export interface Measured {
  /** The output and exit code of the third line. */
  readonly answer: Ended;
  /** Milliseconds from the start of the second line until the daemon listens. */
  readonly listening: number;
  /** Milliseconds that the third line takes. */
  readonly answered: number;
}

/** Returns the page's languages, in order. */
export function firstContacts(): FirstContact[] {
  const page = readFileSync(join(repositoryRoot, "docs/first-contact.md"), "utf8");
  return [...page.matchAll(/^## (.*)\n(?:(?!## ).*\n)*?```sh\n([\s\S]*?)^```$/gm)].map(
    ([, name = "", block = ""]) => ({ name, lines: block.trimEnd().split("\n") }),
  );
}

/** Returns why a language cannot be tested on this machine, or false if it can. */
export function skipReason({ name }: FirstContact): string | false {
  const { [name]: debianPackage } = PACKAGES;
  return debianPackage === undefined ? false : skipWithout(debianPackage);
}

/**
 * Runs the second line and, as soon as the daemon listens, the third.
 * @param clone  the folder where the first line was run
 */
export async function runFirstContact({ lines }: FirstContact, clone: string): Promise<Measured> {
  // Another process may use the ports of the page, and the Python on the PATH may not find Debian's packages.
  const port = String(await freePort());
  const resp = String(await freePort());
  const env = {
    DBSYNCD_PORT: port,
    DBSYNC_SERVERS: `127.0.0.1:${port}`,
    // Otherwise Python would write bytecode files into the source folders.
    PYTHONDONTWRITEBYTECODE: "1",
    // On its first run npx links the clone into its cache. It would then rebuild the clone while other tests run its
    // programs.
    npm_config_ignore_scripts: "true",
  };
  const [, start = "", send = ""] = lines.map((line) =>
    line.replaceAll("6380", resp).replace(" python3 ", " /usr/bin/python3 "),
  );
  const ports = start.includes(resp) ? [port, resp] : [port];
  const startedAt = performance.now();
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
    const listeningAt = performance.now();
    const answer = await run("bash", ["-c", send], { cwd: clone, env });
    return { answer, listening: listeningAt - startedAt, answered: performance.now() - listeningAt };
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
