/**
 * Runs the blocks of docs/first-contact.md as a reader pastes them: the first one starts a daemon, and each of the
 * others sends a command from one language.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "./free-port.js";
import { repositoryRoot } from "./repository.js";
import { skipWithout } from "./requirements.js";
import { type Ended, run } from "./run-program.js";

/** The package that the block of a language needs in addition to those that npm installs. */
const PACKAGES: Readonly<Record<string, string>> = {
  PHP: "php-cli",
  Python: "python3-cryptography",
  Go: "golang-go",
  "redis-cli": "redis-cli",
};

export interface FirstContact {
  readonly name: string;
  readonly block: string;
}

/** Returns the page's languages with their blocks, in order. The first section has the title of the page. */
export function firstContacts(): FirstContact[] {
  const page = readFileSync(join(repositoryRoot, "docs/first-contact.md"), "utf8");
  return [...page.matchAll(/^##? (.*)\n(?:(?!##? ).*\n)*?```sh\n([\s\S]*?)^```$/gm)].map(
    ([, name = "", block = ""]) => ({ name, block }),
  );
}

/** Returns why a language cannot be tested on this machine, or false if it can. */
export function skipReason({ name }: FirstContact): string | false {
  const { [name]: debianPackage } = PACKAGES;
  return debianPackage === undefined ? false : skipWithout(debianPackage);
}

/** A terminal in the clone, in which the first line of the page, npm install, was run. */
export class FirstTerminal implements AsyncDisposable {
  readonly #resp: string;
  readonly #env: Readonly<Record<string, string>>;
  /** The shell that runs the daemon, as the leader of a group of processes. */
  #pid: number | undefined;

  private constructor(port: string, resp: string) {
    this.#resp = resp;
    // Another process may use the ports of the page, and the Python on the PATH may not find Debian's packages.
    this.#env = {
      PATH: process.env["PATH"] ?? "",
      HOME: process.env["HOME"] ?? "",
      DBSYNCD_PORT: port,
      DBSYNC_SERVERS: `127.0.0.1:${port}`,
      // Otherwise Python would write bytecode files into the source folders.
      PYTHONDONTWRITEBYTECODE: "1",
    };
  }

  static async open(): Promise<FirstTerminal> {
    return new FirstTerminal(String(await freePort()), String(await freePort()));
  }

  /** Runs the block that starts the daemon. @returns its exit code */
  async start(block: string): Promise<number | null> {
    const script = this.#adapted(block).replace(/^npm install$/m, "");
    const shell = spawn("bash", ["-c", script], {
      cwd: repositoryRoot,
      env: this.#env,
      detached: true,
      stdio: "ignore",
    });
    this.#pid = shell.pid;
    const [code] = (await once(shell, "exit")) as [number | null];
    return code;
  }

  async paste(block: string): Promise<Ended> {
    return await run("bash", ["-c", this.#adapted(block)], { cwd: repositoryRoot, env: this.#env });
  }

  #adapted(block: string): string {
    return block.replaceAll("6380", this.#resp).replaceAll(" python3 ", " /usr/bin/python3 ");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#pid !== undefined) process.kill(-this.#pid, "SIGKILL");
  }
}
