/**
 * Runs the commands in README.md and the user pages: the first two lines of README.md in a fresh copy of the
 * repository, and the blocks of each page in order in one folder.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { skipUnlessFull } from "./support/amount.js";
import { documents, readDocument } from "./support/documents.js";
import { freePort } from "./support/free-port.js";
import { LISTENER_NAMES } from "./support/installed-options.js";
import { buildRoot, ownFiles, repositoryRoot } from "./support/repository.js";
import { skipWithout } from "./support/requirements.js";

const manifest = JSON.parse(readFileSync(join(repositoryRoot, "package.json"), "utf8")) as {
  bin: Record<string, string>;
};

/** Returns the blocks of a language, in order. */
function blocks(document: string, language: string): string[] {
  return [...document.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map(
    ([, text]) => text as string,
  );
}

/** Makes a folder in which npx finds the programs and import finds the library, as after `npm install dbsyncd`. */
function userFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "dbsync-docs-"));
  const modules = join(folder, "node_modules");
  mkdirSync(join(modules, ".bin"), { recursive: true });
  mkdirSync(join(modules, "dbsyncd"));
  cpSync(join(repositoryRoot, "package.json"), join(modules, "dbsyncd/package.json"));
  symlinkSync(buildRoot, join(modules, "dbsyncd/dist"));

  for (const [name, path] of Object.entries(manifest.bin)) {
    const program = join(buildRoot, path.replace(/^dist\//, ""));
    chmodSync(program, 0o755);
    symlinkSync(program, join(modules, ".bin", name));
  }
  cpSync(join(repositoryRoot, "examples"), join(folder, "examples"), { recursive: true });
  // The Python on the PATH may not find Debian's packages.
  if (existsSync("/usr/bin/python3")) symlinkSync("/usr/bin/python3", join(modules, ".bin", "python3"));
  return folder;
}

/** Matches the ports in a document: the argument of an option or of the function `configure`, or part of an address. */
const PORT = new RegExp(
  `(?<=(?:-p|--(?:port|${LISTENER_NAMES.join("|")})|^configure .*) |127\\.0\\.0\\.1:|localhost:)\\d{4,5}\\b`,
  "gm",
);

/** Replaces the ports in a document, including the default port, with free ports. */
async function withFreePorts(text: string): Promise<{ document: string; port: string }> {
  const ports = new Map([["1111", String(await freePort())]]);
  for (const [port] of text.matchAll(PORT)) if (!ports.has(port)) ports.set(port, String(await freePort()));
  const document = text.replace(/\b\d{4,5}\b/g, (port) => ports.get(port) ?? port);
  return { document, port: ports.get("1111") as string };
}

/** Makes a block wait until each of its background programs listens, as a reader would. */
function waitingForServers(block: string): string {
  return block.replace(
    /^(?!#)(.*(?:-p|--port) (\d+).*&)$/gm,
    (_, command, port) => `${command}\nwait_for ${port}`,
  );
}

/**
 * Replaces most calls of npx, since each call takes a second of CPU time. npx still runs once for each program, and for
 * each daemon, because npx must forward the daemon's exit.
 */
function askingNpxOnce(script: string): string {
  const called = new Set<string>();
  return script.replace(/\bnpx ([\w-]+)/g, (words, program: string) => {
    if (program !== "dbsyncd" && called.has(program)) return program;
    called.add(program);
    return words;
  });
}

/** Arguments of timeout(1): a script receives SIGTERM after 900 seconds, and SIGKILL five seconds later. */
const LIMIT = ["-k", "5", "900"];

const WAIT_FOR = `wait_for() {
  local left=2400
  until (exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null; do
    [ $((left -= 1)) -gt 0 ] || return 1
    sleep 0.05
  done
}
`;

/**
 * The beginning of each script. As in an interactive shell, each job is a process group. The remaining jobs end with
 * the script.
 */
const AS_TYPED = `set -m
trap 'for job in $(jobs -p); do kill -9 -- "-$job"; done 2>/dev/null' EXIT
`;

/** Returns whether no process listens on a port. */
function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => resolve(false));
    socket.on("error", () => resolve(true)).on("connect", () => socket.destroy());
  });
}

/**
 * Runs a script in its own process group, and kills this group when the script ends. A separate program limits the
 * time of the script. Otherwise a loop that waits for a server would never end if the tests were killed.
 */
function runScript(
  script: string,
  cwd: string,
  more: NodeJS.ProcessEnv = {},
  limit: readonly string[] = LIMIT,
): Promise<{ code: number | null; output: string }> {
  const path = `${join(cwd, "node_modules/.bin")}:${process.env["PATH"]}`;
  // With this variable, a test run inside the script would report to this test run.
  const { NODE_TEST_CONTEXT: _, ...outer } = process.env;
  const env = {
    ...outer,
    PATH: path,
    DBSYNC_SIGNKEY: "",
    ...more,
    npm_config_update_notifier: "false",
  };

  const child = spawn("timeout", [...limit, "bash", "-euo", "pipefail", "-c", script], {
    cwd,
    env,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });

  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (output += chunk));
  return new Promise((resolve) => {
    child.once("exit", (code) => {
      try {
        process.kill(-(child.pid as number), "SIGKILL");
      } catch {
        // The group no longer has any process.
      }
      resolve({ code, output });
    });
  });
}

test("a script that would wait forever is killed", async () => {
  const { code } = await runScript("until false; do sleep 0.1; done", tmpdir(), {}, ["-k", "5", "0.5"]);
  assert.equal(code, 124);
});

/** Starts `npm start`, and prints the status and the title of the dashboard at the address that it names. */
const DASHBOARD_OF_START = `
npm start > started 2>&1 & started=$!
until address=$(grep -o 'dashboard: http://.*' started | cut -d ' ' -f 2) && [ "$address" ]; do
  kill -0 "$started" || { cat started; exit 1; }
  sleep 0.1
done
node -e 'fetch(process.argv[1]).then(async (page) => console.log(page.status, /<title>(.*)<.title>/.exec(await page.text())[1]))' "$address"
kill "$started"; wait "$started" || true
`;

/** Returns what `npm start` printed without the ports, the times, and the mark of the first answer. */
const unmeasured = (output: string): string =>
  output.replace(/(127\.0\.0\.1):\d+/g, "$1").replace(/ +[\d.]+ ms(?: .*)?$/gm, "");

test("the first two command lines of README.md work in a fresh copy", { skip: skipUnlessFull }, async () => {
  const lines = blocks(readDocument("README.md"), "sh").slice(0, 2);
  assert.deepEqual(lines, ["npm install && npm start\n", "npm install && npm test\n"]);

  const copy = mkdtempSync(join(tmpdir(), "dbsync-copy-"));
  for (const file of ownFiles()) {
    mkdirSync(dirname(join(copy, file)), { recursive: true });
    cpSync(join(repositoryRoot, file), join(copy, file));
  }

  const start = await runScript("npm install --no-audit --no-fund && npm start -- --once", copy);
  assert.equal(start.code, 0, start.output);
  assert.match(
    start.output,
    /INCR visits\n.*2.*\n.*2.*\n.*failed: connect[\s\S]*GET greeting\n(.*bonjour.*\n){3}/,
  );

  const [, shown = ""] = /^```\n( {2}INCR [\s\S]*?)^```$/m.exec(readDocument("README.md")) ?? [];
  assert.match(shown, /is stopped/);
  assert.ok(
    unmeasured(start.output).includes(unmeasured(shown)),
    `${start.output}\ndoes not contain\n${shown}`,
  );

  // From here on, the dependencies of the copy are installed.
  const page = await runScript(DASHBOARD_OF_START, copy);
  assert.equal(page.code, 0, page.output);
  assert.match(page.output, /^200 dbsync$/m);

  const tested = await runScript("npm test -- protocol/frame", copy);
  assert.equal(tested.code, 0, tested.output);
  assert.match(tested.output, /pass [1-9]/);
  rmSync(copy, { recursive: true });
});

const PRINTED = "value: ";

/** Returns a program that prints each value with a comment, and the values that the comments name. */
function printing(program: string): { text: string; expected: unknown[] } {
  const expected: unknown[] = [];
  const text = program.replace(
    /^await (.*?);\s*\/\/ (.*)$/gm,
    (line, expression: string, comment: string) => {
      try {
        expected.push(JSON.parse(comment));
      } catch {
        return line;
      }
      return `console.log("${PRINTED}" + JSON.stringify(await ${expression}));`;
    },
  );
  return { text, expected };
}

const withoutRedis = skipWithout("redis-server");

test("the tour and its programs, and the program of client/README.md, work line by line", {
  skip: skipUnlessFull || withoutRedis || skipWithout("nc"),
}, async () => {
  const { document } = await withFreePorts(readDocument("docs/tour.md"));
  const folder = userFolder();

  const [first = "", second = ""] = blocks(document, "js");
  const others = blocks(readDocument("client/README.md"), "js");
  const programs = [`${first}${second}`, ...others].map(printing);
  for (const [i, { text }] of programs.entries()) writeFileSync(join(folder, `program-${i}.mjs`), text);

  const tour = blocks(document, "sh").map(waitingForServers);
  const runs = programs.map((_, i) => `node program-${i}.mjs`).join("\n");
  // The last block stops the daemons that the programs need.
  const script = [WAIT_FOR, AS_TYPED, ...tour.slice(0, -1), runs, ...tour.slice(-1)].join("\n");

  const { code, output } = await runScript(askingNpxOnce(script), folder, {
    DBSYNCD_PORT: String(await freePort()),
  });
  assert.equal(code, 0, output);

  for (const [, port] of document.matchAll(/^npx dbsyncd .*?(?:-p|--resp|--json) (\d+)/gm))
    assert.ok(
      await isFree(Number(port)),
      `the last block of docs/tour.md does not stop the daemon on port ${port}`,
    );

  const printed = output.split("\n").filter((line) => line.startsWith(PRINTED));
  assert.deepEqual(
    printed.map((line) => JSON.parse(line.slice(PRINTED.length)) as unknown),
    programs.flatMap(({ expected }) => expected),
    output,
  );
  rmSync(folder, { recursive: true });
});

test("README.md shows the first program of the tour, and two command lines", () => {
  const readme = readDocument("README.md");
  assert.deepEqual(blocks(readme, "js"), blocks(readDocument("docs/tour.md"), "js").slice(0, 1));
  assert.equal(blocks(readme, "sh").length, 2);
});

/** The pages whose blocks a reader runs in order, in an empty folder. */
const PAGES = [
  "install.md",
  "docs/setup.md",
  "docs/operations.md",
  "docs/production.md",
  "docs/keys.md",
  "docs/redis-clients.md",
  "docs/active-active.md",
  "docs/from-redis.md",
  "docs/migration.md",
  "docs/json-clients.md",
  "docs/php.md",
  "docs/python.md",
];

/** The pages whose blocks wait for their daemons. These run exactly as printed. */
const WAITING_PAGES = [
  "docs/active-active.md",
  "docs/migration.md",
  "docs/php.md",
  "docs/production.md",
  "docs/python.md",
];

/** The page whose daemons read their ports from files. */
const CONFIGURED_PAGE = "docs/production.md";

for (const page of PAGES)
  test(`the blocks of ${page} work in order, as an ordinary user`, {
    skip:
      skipUnlessFull ||
      withoutRedis ||
      skipWithout("nc") ||
      skipWithout("php") ||
      skipWithout("python3-cryptography"),
  }, async () => {
    const { document, port } = await withFreePorts(readDocument(page));
    const folder = userFolder();
    const asPrinted = blocks(document, "sh");
    const script = WAITING_PAGES.includes(page)
      ? asPrinted.join("\n")
      : `${WAIT_FOR}${asPrinted.map(waitingForServers).join("\n")}`;
    const { code, output } = await runScript(script, folder, {
      // The variable takes precedence over a configuration file.
      ...(page === CONFIGURED_PAGE ? {} : { DBSYNCD_PORT: port }),
      DBSYNC_SERVERS: `127.0.0.1:${port}`,
    });
    assert.equal(code, 0, output);
    rmSync(folder, { recursive: true });
  });

test("every page with blocks of commands is run by a test", () => {
  const others = documents.filter(
    (name) =>
      !PAGES.includes(name) &&
      !["README.md", "CONTRIBUTING.md", "docs/tour.md", "docs/first-contact.md"].includes(name),
  );
  for (const name of others) assert.deepEqual(blocks(readDocument(name), "sh"), [], name);
});
