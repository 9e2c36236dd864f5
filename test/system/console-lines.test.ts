/**
 * No command that a page prints for its readers is a usage error. The test runs the commands against
 * servers that refuse connections, and no command exits with 2.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { makeKeyPair } from "../support/envelope-client.js";
import { freePort, refusingAddress } from "../support/free-port.js";
import { programPaths } from "../support/programs.js";
import { repositoryRoot } from "../support/repository.js";
import { run } from "../support/run-program.js";
import { ScratchFolder } from "../support/scratch-folder.js";
import { type ConsoleCommand, commandsOf, consoleCommands } from "./console-lines.js";

const USAGE = 2;
/** The number of parallel child processes. */
const TOGETHER = 4;

type Checked = Pick<ConsoleCommand, "program" | "text">;

describe("the commands that the pages print for their readers", { timeout: 600_000 }, () => {
  const folder = new ScratchFolder();
  let refusing = "";

  before(async () => {
    refusing = await refusingAddress();
    mkdirSync(join(folder.path, "etc/keys"), { recursive: true });
    for (const name of ["", "root-", "next-", "next-root-"]) {
      const pair = makeKeyPair();
      folder.privateKey(pair, `${name}private.pem`);
      folder.file(`${name}public.pem`, pair.pem);
      folder.file(`etc/keys/${name}public.pem`, pair.pem);
    }
    const example = readFileSync(join(repositoryRoot, "examples/production/dbsyncd.toml"), "utf8");
    folder.file("etc/dbsyncd.toml", inFolder(example));
  });
  after(() => folder[Symbol.dispose]());

  /** Replaces the machine's folders in a text by folders of the test. */
  function inFolder(text: string): string {
    return text
      .replaceAll("/etc/dbsync", join(folder.path, "etc"))
      .replaceAll("/var/lib/dbsyncd", join(folder.path, "data"))
      .replaceAll("/backup", join(folder.path, "backup"));
  }

  /**
   * Replaces the addresses in a command: servers by addresses that refuse connections, listeners by free ports. Waits
   * for these servers last a second.
   */
  async function withTestAddresses({ program, text }: Checked): Promise<string> {
    let command = inFolder(text)
      .replace(/--at \S+/, "--at 2026-01-31T11:58:20Z")
      .replace(/--wait \d+|(?<=status )--wait\b(?! \d)/, "--wait 1");
    if (program === "dbsync")
      command = command
        .replace(/(\s(?:-s|--servers)\s+)\S+/, `$1${refusing}`)
        .replace(/\b(?:127|10)(?:\.\d+){3}:\d+/g, refusing);
    if (program === "dbsync-proxy")
      for (const port of new Set(command.match(/\b39\d\d\b/g)))
        command = command.replaceAll(port, String(await freePort()));
    if (program === "dbsyncd") command += " --check-config";
    return command.replace(program, `exec ${process.execPath} ${programPaths[program as "dbsync"]}`);
  }

  /** Runs a command. @param page  the page whose profiles it uses @returns its usage error, or null if it has none */
  async function usageError(command: Checked, page = "no page"): Promise<string | null> {
    const text = await withTestAddresses(command);
    if (command.program === "dbsync-proxy") return await usageErrorOfProxy(text);
    const env = { DBSYNC_SERVERS: refusing, XDG_CONFIG_HOME: join(folder.path, page) };
    const { code, stderr } = await run("sh", ["-c", text], { cwd: folder.path, env });
    return code === USAGE ? stderr : null;
  }

  /**
   * Runs a command of dbsync-proxy. If the program listens, it has accepted its arguments.
   * @returns its usage error, or null if it has none
   */
  async function usageErrorOfProxy(text: string): Promise<string | null> {
    const child = spawn("sh", ["-c", text], { cwd: folder.path, stdio: ["ignore", "pipe", "pipe"] });
    let printed = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => {
        printed += chunk;
        if (printed.includes('"msg":"listening"')) child.kill("SIGKILL");
      });
    const [code] = (await once(child, "close")) as [number | null];
    return code === USAGE ? printed : null;
  }

  test("have no usage error", async () => {
    const commands = consoleCommands();
    for (const page of ["docs/runbooks.md", "docs/operations.md", "docs/proxy.md", "install.md"])
      assert.ok(
        commands.some(({ where }) => where.startsWith(page)),
        page,
      );
    for (const program of Object.keys(programPaths))
      assert.ok(
        commands.some((command) => command.program === program),
        program,
      );
    // Commands with a profile need those before them on their page.
    const isOfProfile = ({ text }: ConsoleCommand) => /\bprofile\b/.test(text);
    const pageOf = (command: ConsoleCommand) =>
      isOfProfile(command) ? command.where.replace(/:\d+$/, "") : undefined;

    // Any other command that appears on two pages is checked once.
    const keyOf = (command: ConsoleCommand) => `${pageOf(command)} ${command.text}`;
    const different = [...new Map(commands.map((command) => [keyOf(command), command])).values()];
    const wrong: string[] = [];
    const check = async (some: ConsoleCommand[]): Promise<void> => {
      for (let command = some.shift(); command !== undefined; command = some.shift()) {
        const problem = await usageError(command, pageOf(command));
        if (problem !== null) wrong.push(`${command.where}: ${command.text}: ${problem.split("\n")[0]}`);
      }
    };

    const others = different.filter((command) => !isOfProfile(command));
    const parallel = Array.from({ length: TOGETHER }, () => check(others));
    await Promise.all([...parallel, check(different.filter(isOfProfile))]);
    assert.deepEqual(wrong.sort(), []);
  });

  for (const program of ["dbsync", "dbsyncd", "dbsync-proxy", "dbsync-keygen"])
    test(`are checked: the test finds a usage error of ${program}`, async () => {
      assert.notEqual(await usageError({ program, text: `${program} --nonsense` }), null);
    });

  test("are checked: the test finds an option of another subcommand", async () => {
    const [command] = commandsOf("page", "```console\ndbsync members list --rules x   # not here\n```\n");
    assert.notEqual(await usageError(command as ConsoleCommand), null);
  });

  test("are found after operators and other programs, on several lines, and without their comments", () => {
    const page = [
      "   ```console",
      "   dbsyncd --json 8888 \\",
      "     --resp 6379   # both",
      "   ```",
      "```console",
      "dbsync-keygen && sudo -u www-data dbsync send SET a 'x; y' | grep OK",
      "docker run --name dbsyncd --detach dbsyncd --data data",
      "journalctl -u dbsyncd -o cat",
      "```",
    ];
    const found = commandsOf("page", page.join("\n")).map(({ text }) => text.replace(/ +/g, " "));
    assert.deepEqual(found, [
      "dbsyncd --json 8888 --resp 6379",
      "dbsync-keygen",
      "dbsync send SET a 'x; y'",
      "dbsyncd --data data",
    ]);
  });
});
