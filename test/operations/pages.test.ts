/**
 * Executes the lines of the `console` blocks of all pages in order. A folder stands in for each machine, and its
 * systemctl starts and stops real daemons. A line that no test executes has a row in excepted-lines.ts, with the
 * reason.
 */
import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { knowsSecret } from "../support/cluster-secret.js";
import { CuttablePort } from "../support/cuttable-port.js";
import { type DaemonProcess, startDaemon } from "../support/daemon-process.js";
import { makeKeyPair } from "../support/envelope-client.js";
import { freePort } from "../support/free-port.js";
import { programPaths } from "../support/programs.js";
import { RedisConnection } from "../support/redis-connection.js";
import { buildRoot, ownFiles, repositoryRoot } from "../support/repository.js";
import { respPort } from "../support/resp-trio.js";
import { type Ended, run } from "../support/run-program.js";
import { ScratchFolder } from "../support/scratch-folder.js";
import { Trio } from "../support/trio.js";
import { until } from "../support/until.js";
import { type ConsoleLine, consoleLines } from "./console-text.js";
import { EXCEPTED } from "./excepted-lines.js";

/** The pages whose lines are all executed by other tests. */
const TYPED_ELSEWHERE: Readonly<Record<string, string>> = {
  "docs/runbooks.md": "test/operations/runbooks.test.js",
  "docs/proxy.md": "test/tools/proxy/chain.test.js",
  "docs/json-clients.md": "faces/json/test/moving.test.js",
};
const SIGN = { type: "pkcs8", format: "pem" } as const;

const typed = new Set<string>();
const isExcepted = (page: string, command: string): boolean =>
  EXCEPTED.some((one) => (one.page === null || one.page === page) && command.startsWith(one.start));

/** Returns the lines of a block, and records that they are executed. */
function block(page: string, section: string, number = 0): readonly ConsoleLine[] {
  const lines = consoleLines(page).filter((line) => line.section === section && line.block === number);
  assert.ok(lines.length > 0, `${page}, ${section}, block ${number}`);
  for (const line of lines) if (!isExcepted(page, line.command)) typed.add(`${page}:${line.number}`);
  return lines.filter((line) => !isExcepted(page, line.command));
}

/** A folder with a shell that finds the programs, as after an installation of the package. */
class Desk implements AsyncDisposable {
  readonly folder = new ScratchFolder();
  readonly #daemons: AsyncDisposable[] = [];
  readonly bin: string = join(this.folder.path, "node_modules/.bin");

  constructor() {
    const installed = join(this.folder.path, "node_modules/dbsyncd");
    mkdirSync(installed, { recursive: true });
    mkdirSync(this.bin);
    cpSync(join(repositoryRoot, "package.json"), join(installed, "package.json"));
    symlinkSync(buildRoot, join(installed, "dist"));
    for (const place of [installed, this.folder.path])
      cpSync(join(repositoryRoot, "examples"), join(place, "examples"), { recursive: true });
    for (const [name, path] of Object.entries(programPaths))
      this.program(name, `exec '${process.execPath}' '${path}' "$@"`);
    // The replacement of sudo does not change the user.
    this.program("sudo", '[ "$1" != -u ] || shift 2; [ "$1" = chown ] || exec "$@"');
  }

  /** Replaces a program on the path of the shell. */
  program(name: string, script: string): void {
    writeFileSync(join(this.bin, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }

  at(...names: readonly string[]): string {
    return join(this.folder.path, ...names);
  }

  adopt<Daemon extends AsyncDisposable>(daemon: Daemon): Daemon {
    this.#daemons.push(daemon);
    return daemon;
  }

  async run(
    line: string,
    env: Readonly<Record<string, string>> = {},
    cwd = this.folder.path,
  ): Promise<Ended> {
    const PATH = `${this.bin}:${process.env["PATH"]}`;
    return await run("bash", ["--norc", "-euo", "pipefail", "-c", line], { cwd, env: { PATH, ...env } });
  }

  /** Runs a line until it succeeds, since a daemon may still be starting. @returns its output */
  async succeeds(line: string, env: Readonly<Record<string, string>> = {}, cwd?: string): Promise<string> {
    let last: Ended | null = null;
    await until(line, async () => {
      last = await this.run(line, env, cwd);
      return last.code === 0 || last.code === 2;
    }).catch((problem: Error) => assert.fail(`${problem.message}\n${last?.stdout}${last?.stderr}`));
    const { code, stdout, stderr } = last as unknown as Ended;
    assert.equal(code, 0, `${line}: ${stderr}`);
    return stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const daemon of this.#daemons) await daemon[Symbol.asyncDispose]();
    this.folder[Symbol.dispose]();
  }
}

/** A machine of install.md: its files in /etc and /var, and its service. */
class Machine {
  readonly desk: Desk;
  readonly root: string;
  readonly port: number;
  readonly admin: number;
  daemon: DaemonProcess | null = null;
  /** The files that systemd passes to the service as credentials, by name. */
  readonly #credentials = new Map<string, string>();

  constructor(desk: Desk, name: string, port: number, admin: number) {
    this.desk = desk;
    this.root = desk.at(name);
    this.port = port;
    this.admin = admin;
    for (const folder of ["etc/systemd/system", "run/credentials/dbsyncd.service", "var/lib"])
      mkdirSync(join(this.root, folder), { recursive: true });
  }

  /**
   * Replaces the paths and addresses of a page with those of this machine.
   * @param servers  the addresses that replace 10.0.0.1, 10.0.0.2 and so on, as `host:port`
   */
  placed(text: string, servers: readonly string[]): string {
    return text
      .replace(/(?<=^|[\s"'=:])\/(?=etc\/|var\/lib\/|run\/credentials\/)/g, `${this.root}/`)
      .replace(/-o www-data -g www-data/, `-o ${process.getuid?.()} -g ${process.getgid?.()}`)
      .replaceAll("127.0.0.1:9464", `127.0.0.1:${this.admin}`)
      .replace(
        /(?<!--san )\b10\.0\.0\.([123])(?::1111)?\b/g,
        (_, digit) => servers[Number(digit) - 1] as string,
      );
  }

  get journal(): string {
    return (this.daemon?.log ?? []).map((line) => `${JSON.stringify(line)}\n`).join("");
  }

  /** Executes a `systemctl` command of the page. */
  async systemctl(words: readonly string[], comment: string, servers: readonly string[]): Promise<void> {
    assert.equal(words.at(-1), "dbsyncd");
    if (words[0] === "edit") {
      const [, name = "", file = ""] = /LoadCredential=([^:\s]+):(\S+)/.exec(comment) ?? assert.fail(comment);
      this.#credentials.set(name, this.placed(file, servers));
    } else if (words[0] === "status") assert.ok(this.daemon !== null);
    else {
      assert.ok(["enable --now", "restart"].includes(words.slice(0, -1).join(" ")), words.join(" "));
      await this.daemon?.stop();
      for (const [name, file] of this.#credentials)
        cpSync(file, join(this.root, "run/credentials/dbsyncd.service", name));
      const unit = readFileSync(join(this.root, "etc/systemd/system/dbsyncd.service"), "utf8");
      const [, args = ""] = /^ExecStart=\S+\/dbsyncd (.*)$/m.exec(unit) ?? [];
      const own = ["-p", String(this.port), "--bind", "127.0.0.1"];
      this.daemon = this.desk.adopt(await startDaemon([...this.placed(args, servers).split(" "), ...own]));
    }
  }

  /** Executes the lines of a block. */
  async type(lines: readonly ConsoleLine[], servers: readonly string[]): Promise<void> {
    for (const { command, comment } of lines) {
      if (command.startsWith("systemctl "))
        await this.systemctl(command.split(" ").slice(1), comment, servers);
      else {
        writeFileSync(this.desk.at("journal"), this.journal);
        const printed = await this.desk.succeeds(this.placed(command, servers));
        assert.ok(!/^(journalctl|curl)/.test(command) || printed !== "", command);
      }
    }
  }

  /** Adds lines of the page to the configuration. */
  configure(line: string, servers: readonly string[]): void {
    const file = join(this.root, "etc/dbsync/dbsyncd.toml");
    const name = line.split(" ")[0] as string;
    const others = readFileSync(file, "utf8")
      .split("\n")
      .filter((each) => !each.startsWith(`${name} =`));
    writeFileSync(file, [...others, this.placed(line, servers)].join("\n"));
  }
}

const INSTALL = "install.md";

/** Returns the part of install.md that contains a configuration line. */
function setting(shown: RegExp): string {
  const [, line] = shown.exec(readFileSync(join(repositoryRoot, INSTALL), "utf8")) ?? [];
  return line ?? assert.fail(String(shown));
}

describe("the commands that the pages print for their readers", { timeout: 900_000 }, () => {
  test("set up keys, the service, the secret, TLS and health checks of three machines: install.md", async () => {
    await using desk = new Desk();
    desk.program("journalctl", `exec cat '${desk.at("journal")}'`);
    for (const name of ["private", "root"])
      await desk.succeeds(`dbsync-keygen${name === "root" ? " --name root" : ""}`);
    await desk.succeeds("dbsync-keygen --cluster-secret cluster.secret");
    const machines: Machine[] = [];
    for (const name of ["db1", "db2", "db3"])
      machines.push(new Machine(desk, name, await freePort(), await freePort()));
    const servers = machines.map(({ port }) => `127.0.0.1:${port}`);
    const web = new Machine(desk, "web", 0, 0);
    const everywhere = async (section: string, number: number): Promise<void> => {
      const lines = block(INSTALL, section, number);
      for (const machine of machines) await machine.type(lines, servers);
    };

    assert.match(
      await desk.succeeds(
        block(INSTALL, "Node and dbsync", 1)
          .map(({ command }) => command)
          .join("\n"),
      ),
      /^v\d/,
    );
    await web.type(block(INSTALL, "Keys", 0), servers);
    await everywhere("Keys", 1);
    const service = block(INSTALL, "As a service");
    for (const machine of machines) {
      // The first two lines install the configuration and the service. Readers edit the configuration before the next
      // line.
      await machine.type(service.slice(0, 2), servers);
      machine.configure('data = "/var/lib/dbsyncd"', servers);
      const roots = join(machine.root, "etc/dbsync/roots");
      mkdirSync(roots);
      cpSync(desk.at("root-public.pem"), join(roots, "root-public.pem"));
      machine.configure('root-key = ["roots"]', servers);
      await machine.type(service.slice(2), servers);
    }
    await web.type(block(INSTALL, "Network, firewall, clocks", 2), servers);

    const peers = setting(/`(peer = \["10\.0\.0\.2:1111[^`]*)`/);
    for (const [index, machine] of machines.entries()) {
      machine.configure(
        setting(/(cluster-secret = )"cluster\.secret"/) + setting(/(?:with the unit: `)("[^`]*")/),
        servers,
      );
      machine.configure(peers, [...servers.slice(index), ...servers.slice(0, index)]);
    }
    await everywhere("Replication", 0);
    const DBSYNC_SERVERS = servers.join(",");
    const allLive = /(\blive\b.*){3}/s;
    await until("all daemons are live", async () => {
      const { code, stdout } = await desk.run("dbsync status -k root-private.pem", { DBSYNC_SERVERS });
      return code === 0 && allLive.test(stdout);
    });
    await desk.succeeds(web.placed(setting(/`(dbsync members add [^`]*)`/), servers));
    const listed = await desk.succeeds("dbsync members list -k root-private.pem", { DBSYNC_SERVERS });
    assert.match(listed, allLive);

    for (const machine of machines) {
      machine.configure(setting(/`(tls-cert = "[^`]*")`/), servers);
      machine.configure(setting(/`(tls-key = "[^`]*")`/), servers);
      machine.configure(setting(/`(admin = )9464`/) + String(machine.admin), servers);
    }
    await everywhere("TLS", 0);
    for (const machine of machines) await machine.systemctl(["restart", "dbsyncd"], "", servers);
    for (const machine of machines) {
      const cert = join(machine.root, "etc/dbsync/tls-cert.pem");
      const digest = `openssl x509 -in '${cert}' -noout -pubkey | openssl pkey -pubin -outform der | openssl sha256 -r | cut -c 1-64`;
      const fingerprint = (await desk.succeeds(digest)).trim();
      await desk.succeeds(
        `dbsync ping -s 'dbsyncs://127.0.0.1:${machine.port}#sha256:${fingerprint}' -k private.pem`,
      );
    }
    await everywhere("Health and metrics", 0);
  });

  test("manage backups, pins, member lists and dead letters: docs/operations.md", async () => {
    await using desk = new Desk();
    const trio = desk.adopt(await Trio.make(["--window", "3,2", "--resp", "0"], 4));
    // The third daemon is connected to the other members through these gates.
    const links = await Promise.all(trio.ports.map((port) => CuttablePort.open(() => port)));
    for (const link of links) desk.adopt(link);
    trio.linkPort = (from, to) =>
      from === 2 || to === 2 ? (links[to] as CuttablePort).port : (trio.ports[to] as number);
    const addresses = trio.servers.map((server, index) =>
      index === 2 ? `127.0.0.1:${links[2]?.port}` : server,
    );
    writeFileSync(desk.at("private.pem"), trio.app.privateKey.export(SIGN), { mode: 0o600 });
    writeFileSync(desk.at("root-private.pem"), trio.root.privateKey.export(SIGN), { mode: 0o600 });
    desk.program("journalctl", `exec cat '${desk.at("journal")}'`);
    mkdirSync(desk.at("backup"));
    const ids = new Map<string, string>();
    /** Executes a line on one of the four machines. */
    const type = async ({ command }: ConsoleLine, machine = 0, servers = trio.servers): Promise<string> => {
      writeFileSync(
        desk.at("dbsyncd.toml"),
        `sign-key = ["${trio.app.file}"]\nroot-key = ["${trio.root.file}"]\ndata = "${trio.folder(machine)}"\n`,
      );
      const line = command
        .replace("/etc/dbsync/dbsyncd.toml", desk.at("dbsyncd.toml"))
        .replace("/backup/", `${desk.at("backup")}/`)
        .replace(/\b(?:4f3a9c0e|3f2ab9c1)\b/, (id) => ids.get(id) ?? assert.fail(id))
        .replace(/\bdb([1-4])(?::1111)?\b/g, (_, digit) => addresses[Number(digit) - 1] as string);
      return await desk.succeeds(line, { DBSYNC_SERVERS: servers.join(",") });
    };
    const send = async (words: string, ...indices: readonly number[]): Promise<string> => {
      const servers = indices.map((index) => trio.servers[index]).join(",");
      return await desk.succeeds(`dbsync send -s ${servers} -k private.pem ${words}`);
    };
    /** Waits until the member list shows these daemons as live. */
    const liveMembers = (indices: readonly number[]): Promise<void> =>
      until("all daemons are members and live", async () => {
        const servers = indices.map((index) => trio.servers[index]).join(",");
        const { stdout } = await desk.run(`dbsync members list -s ${servers} -k root-private.pem`);
        return /(\blive\b.*){3}/s.test(stdout);
      });
    const page = "docs/operations.md";

    await Promise.all([0, 1, 2].map((index) => trio.start(index)));
    await send("--replicated 3 SET greeting hello", 0, 1, 2);
    const [backup] = block(page, "Backups") as [ConsoleLine];
    await type(backup);
    const file = join(desk.at("backup"), `${(await desk.succeeds("date +%F")).trim()}.dbsync`);
    const keys = `--sign-key ${trio.app.file} --root-key ${trio.root.file}`;
    await desk.succeeds(`dbsync log verify --backup ${file} ${keys}`);
    const [pin] = block(page, "Keys instead of a secret") as [ConsoleLine];
    const pins: string[] = [];
    for (const index of [0, 1, 2]) {
      const { log } = trio.daemon(index);
      writeFileSync(desk.at("journal"), log.map((line) => `${JSON.stringify(line)}\n`).join(""));
      pins.push((await type(pin, index)).trim());
    }
    assert.equal(new Set(pins).size, 3);
    for (const one of pins) assert.match(one, /^#ed25519:[0-9a-f]{64}$/);

    const members = block(page, "Members by list");
    const typeMembers = async (start: string): Promise<string> =>
      await type(
        members.find(({ command }) => command.startsWith(`dbsync members ${start} `)) as ConsoleLine,
      );
    await typeMembers("add");
    await typeMembers("list");
    // Entries that only the third daemon has become dead letters when it is evicted.
    for (const link of links) link.isCut = true;
    await until(
      "the third daemon is disconnected",
      async () =>
        (await Promise.all([0, 1].map((index) => trio.status(index)))).every(
          ({ connected }) => connected === 1,
        ),
      { mayFail: true },
    );
    await send("SET lonely x", 2);
    await trio.end(2, "SIGKILL");
    await typeMembers("evict");
    await trio.start(3);
    await type(members[3] as ConsoleLine);
    await liveMembers([0, 1, 3]);
    ids.set("4f3a9c0e", (pins[1] as string).slice(9, 17));
    await trio.end(1, "SIGTERM");
    rmSync(trio.folder(1), { recursive: true });
    await trio.start(1);
    await typeMembers("replace");
    const remaining = [0, 1, 3];
    await liveMembers(remaining);
    // The same lines have authorized the keys of the daemons.
    for (const index of [1, 3]) {
      using client = await RedisConnection.open(await respPort(trio, index));
      assert.equal(await client.value("SET", `unsigned ${index}`, "x"), "OK");
    }

    const letters = block(page, "Dead letters");
    assert.deepEqual(
      letters.map(({ command }) => command.split(" ")[2]),
      ["list", "find", "show", "write-again", "remove"],
    );
    const others = remaining.map((index) => trio.servers[index] as string);
    for (const line of letters) {
      await type(line, 2, others);
      if (line.command.includes(" find ")) {
        const list = letters[0] as ConsoleLine;
        const listed = await type({ ...list, command: `${list.command} --json` }, 2, others);
        const { id } = JSON.parse(listed) as { readonly id: string };
        ids.set("3f2ab9c1", id.slice(0, 8));
      }
    }
    for (const index of remaining)
      await until(
        "the daemon has the rewritten dead letter",
        async () => (await send("GET lonely", index)).trim() === "x",
        { mayFail: true },
      );
  });

  test("let members sign lists: docs/operations.md", async () => {
    await using desk = new Desk();
    const isNamed = [true, true, true];
    const trio: Trio = await Trio.make(
      (index) => {
        const others = trio.ports.filter((_, other) => other !== index && isNamed[other]);
        return [...others.flatMap((port) => ["--peer", `127.0.0.1:${port}`]), ...knowsSecret];
      },
      3,
      { keys: "app", arePeers: false },
    );
    desk.adopt(trio);
    await trio.startAll();
    const ids = new Map<string, string>();
    /** Executes a line on one of the machines. */
    const type = ({ command }: ConsoleLine, machine = 0): Promise<Ended> => {
      const line = command
        .replace("/var/lib/dbsyncd", trio.folder(machine))
        .replace(/\b(?:4f3a9c0e|77e0c3a9)\b/, (id) => ids.get(id) ?? assert.fail(id))
        .replace(/\bdb([1-3]):1111\b/g, (_, digit) => trio.servers[digit - 1] as string);
      return desk.run(line, { DBSYNC_SERVERS: trio.servers[machine] as string });
    };
    const prints = (shown: RegExp, line: ConsoleLine, machine = 0): Promise<void> =>
      until(`${line.command} prints ${shown}`, async () => shown.test((await type(line, machine)).stdout));
    const [found, list, replace, remove] = block("docs/operations.md", "Lists that members sign") as [
      ConsoleLine,
      ConsoleLine,
      ConsoleLine,
      ConsoleLine,
    ];
    const idOfThird = async () => {
      const { stdout } = await type({ ...list, command: `${list.command} --json` }, 2);
      const { daemons } = JSON.parse(stdout) as { readonly daemons: readonly { readonly id: string }[] };
      return (daemons[0]?.id ?? assert.fail(stdout)).slice(0, 12);
    };

    await prints(/^List 1, .*\nsigned by its 3 members/, found);
    await prints(/^List 1, /, list, 2);
    ids.set("4f3a9c0e", await idOfThird());
    await trio.end(2, "SIGKILL");
    rmSync(trio.folder(2), { recursive: true });
    await trio.start(2);
    await prints(/^List 2, /, replace);
    await prints(/^List 2, /, list, 2);
    ids.set("77e0c3a9", await idOfThird());
    isNamed[2] = false;
    for (const index of [2, 1, 0]) await trio.end(index, "SIGTERM");
    for (const index of [0, 1]) await trio.start(index);
    await prints(/^List 3, /, remove);
    await prints(/^List 3, /, list, 1);

    await trio.end(1, "SIGKILL");
    const [show, force, after] = block("docs/operations.md", "Force a list") as [
      ConsoleLine,
      ConsoleLine,
      ConsoleLine,
    ];
    await until("the daemon has noticed that a member is lost", async () => {
      const { code, stderr } = await type(show);
      return code === 1 && /nothing was ordered/.test(stderr);
    });
    const forced = await type(force);
    assert.equal(forced.code, 0, forced.stderr);
    await prints(/^List 4, .*\nsigned by its only member/, after);
    await using client = trio.client([0]);
    assert.equal(await client.call(["SET", "lock", "me", "NX"]), "OK");
  });

  test("store servers and a key as a profile: docs/operations.md", async () => {
    await using desk = new Desk();
    const trio = desk.adopt(await Trio.start());
    writeFileSync(desk.at("root-private.pem"), trio.root.privateKey.export(SIGN), { mode: 0o600 });
    const printed: string[] = [];
    for (const { command } of block("docs/operations.md", "Profiles")) {
      const line = command.replace(/\bdb([1-3]):1111\b/g, (_, digit) => trio.servers[digit - 1] as string);
      printed.push(await desk.succeeds(line, { XDG_CONFIG_HOME: desk.at("config") }));
    }
    assert.match(printed[1] as string, /(\blive\b.*){3}/s);
    assert.match(printed[3] as string, /\bprod\b/);
  });

  test("start three composed daemons, and one with the options of a container: docs/docker.md", async () => {
    await using desk = new Desk();
    const cwd = desk.at("examples/production");
    const ports = [await freePort(), await freePort(), await freePort()];
    const compose = block("docs/docker.md", "Docker", 0);
    const [last, ...first] = [...compose].reverse() as [ConsoleLine, ...ConsoleLine[]];
    assert.equal(first.pop()?.command, "cd examples/production");
    for (const { command } of first.reverse()) await desk.succeeds(command, {}, cwd);
    for (const port of ports) {
      const peers = ports
        .filter((other) => other !== port)
        .flatMap((other) => ["--peer", `127.0.0.1:${other}`]);
      const files = ["-s", join(cwd, "public.pem"), "--cluster-secret", join(cwd, "cluster.secret")];
      desk.adopt(
        await startDaemon(["-p", String(port), ...files, ...peers, "--data", desk.at(`data${port}`)]),
      );
    }
    const placed = last.command.replace(
      /127\.0\.0\.1:111([123])/g,
      (_, digit) => `127.0.0.1:${ports[digit - 1]}`,
    );
    await desk.succeeds(placed, {}, cwd);

    const text = readFileSync(join(repositoryRoot, "docs/docker.md"), "utf8");
    const [, options = ""] = /^ {2}dbsyncd (--sign-key .*)$/m.exec(text) ?? [];
    mkdirSync(desk.at("keys"));
    cpSync(join(cwd, "public.pem"), desk.at("keys/public.pem"));
    const own = options
      .replace("/etc/dbsync/keys", desk.at("keys"))
      .replace("/var/lib/dbsyncd", desk.at("own"));
    const { port } = desk.adopt(await startDaemon(own.split(" ")));
    await desk.succeeds(`dbsync ping -s 127.0.0.1:${port} -k private.pem`, {}, cwd);
  });

  test("work with an installed package: docs/first-contact.md, docs/php.md, examples/browser, the key of the dashboard", async () => {
    await using desk = new Desk();
    const DBSYNCD_PORT = String(await freePort());
    const DBSYNC_SERVERS = `127.0.0.1:${DBSYNCD_PORT}`;
    // These lines share one terminal. Background jobs end with the terminal.
    const terminal = `set -m\ntrap 'for job in $(jobs -p); do kill -9 -- "-$job"; done 2>/dev/null' EXIT`;
    const contact = [
      terminal,
      ...block("docs/first-contact.md", "Without a clone").map((line) => line.command),
    ];
    assert.match(await desk.succeeds(contact.join("\n"), { DBSYNCD_PORT, DBSYNC_SERVERS }), /^1$/m);

    const [php] = block("docs/php.md", "On a web server") as [ConsoleLine];
    const target = desk.at("dbsync.php");
    await desk.succeeds(php.command.replace("/usr/share/php/dbsync.php", target));
    assert.ok(existsSync(target));

    const [copy, keygen, serve, web, add, ...more] = block(
      "examples/browser/README.md",
      "A web page that signs its commands",
    );
    assert.deepEqual(more, []);
    const [ws, http] = [await freePort(), await freePort()];
    for (const line of [copy, keygen]) await desk.succeeds((line as ConsoleLine).command);
    const [dashboard] = block("docs/metrics.md", "For administrators") as [ConsoleLine];
    for (const name of ["page.pem", "dashboard.pem"]) writeFileSync(desk.at(name), makeKeyPair().pem);
    const script = [
      terminal,
      serve?.command.replace("1180", String(ws)),
      `${web?.command.replace("8080", String(http))} > web.log 2>&1 &`,
      `until curl -sf http://127.0.0.1:${http}/ > page.html; do sleep 0.1; done`,
      `until curl -sf http://127.0.0.1:${http}/dbsync.js > module.js; do sleep 0.1; done`,
      "until dbsync ping -k root-private.pem > /dev/null 2>&1; do sleep 0.1; done",
      add?.command,
      "mv dashboard.pem page.pem",
      dashboard.command,
      "dbsync keys list -k root-private.pem",
    ];
    const keys = await desk.succeeds(script.join("\n"), { DBSYNCD_PORT, DBSYNC_SERVERS });
    assert.match(keys, /dashboard .*\+timeline\|deadletters/);
    for (const name of ["page.html", "module.js"]) assert.notEqual(readFileSync(desk.at(name)).length, 0);
  });

  test("are all executed by a test, or have a reason in excepted-lines.ts", () => {
    const missed: string[] = [];
    const used = new Set<string>();

    for (const page of ownFiles().filter((file) => file.endsWith(".md") && file !== "CHANGELOG.md")) {
      const lines = consoleLines(page);
      const elsewhere = TYPED_ELSEWHERE[page];
      if (elsewhere !== undefined) assert.ok(existsSync(join(buildRoot, elsewhere)), elsewhere);

      for (const { command, number } of lines) {
        const excepted = EXCEPTED.filter(
          (one) => (one.page === null || one.page === page) && command.startsWith(one.start),
        );
        for (const { start } of excepted) used.add(start);
        if (excepted.length === 0 && elsewhere === undefined && !typed.has(`${page}:${number}`))
          missed.push(`${page}:${number}: ${command}`);
      }
    }

    assert.deepEqual(missed, []);
    assert.deepEqual(
      EXCEPTED.filter(({ start }) => !used.has(start)),
      [],
    );
  });
});
