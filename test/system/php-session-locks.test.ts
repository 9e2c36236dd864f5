/**
 * The lock of a PHP session is released on every daemon, not only on the one that granted it. A hung daemon does not
 * delay the first request for the maximum duration of a call. The members of a list decide on it if the loss of one of
 * them does not prevent decisions.
 */
import assert from "node:assert/strict";
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { describe, test } from "node:test";
import { PHP_FILE } from "../examples/php-script.js";
import { amount } from "../support/amount.js";
import { CuttablePort } from "../support/cuttable-port.js";
import { startDaemon } from "../support/daemon-process.js";
import { makeKeyPair } from "../support/envelope-client.js";
import { skipWithout } from "../support/requirements.js";
import { authorizeDaemons } from "../support/resp-trio.js";
import { ScratchFolder } from "../support/scratch-folder.js";
import { Trio } from "../support/trio.js";
import { until } from "../support/until.js";

/** The lifetime of a lock in seconds. It exceeds the duration of each test here, so only a release ends a lock. */
const LEASE = 3_600;

/** A PHP process that waits for lines on its standard input. */
class Request implements Disposable {
  readonly #child: ChildProcessWithoutNullStreams;
  #stdout = "";
  #stderr = "";
  #isOver = false;

  constructor(
    servers: readonly string[],
    key: string,
    code: string,
    more: Readonly<Record<string, string>> = {},
  ) {
    const { PATH = "" } = process.env;
    const env = { PATH, DBSYNC_SERVERS: servers.join(), DBSYNC_SIGNKEY: key, ...more };
    const ini = ["use_cookies=0", "use_only_cookies=0", "cache_limiter="].flatMap((line) => [
      "-d",
      `session.${line}`,
    ]);
    this.#child = spawn("php", [...ini, "-r", `require ${JSON.stringify(PHP_FILE)}; ${code}`], { env });
    this.#child.stdout.on("data", (chunk: Buffer) => (this.#stdout += chunk));
    this.#child.stderr.on("data", (chunk: Buffer) => (this.#stderr += chunk));
    this.#child.stdin.on("error", () => {});
    this.#child.on("close", () => {
      this.#isOver = true;
    });
  }

  /** The output of the process so far. */
  get printed(): string {
    return this.#stdout + this.#stderr;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Waits until the process has printed a text. @throws AssertionError if it ends first */
  async prints(text: string): Promise<void> {
    await until(`PHP prints ${text}`, () => this.printed.includes(text) || this.#isOver);
    assert.ok(this.printed.includes(text), this.printed);
  }

  /** Lets the process continue. @returns its complete output */
  async finish(): Promise<string> {
    this.#child.stdin.end("\n");
    if (!this.#isOver) await once(this.#child, "close");
    return this.printed;
  }

  [Symbol.dispose](): void {
    this.#child.kill("SIGKILL");
  }
}

/**
 * Returns the script of a request in the session `one`. It prints `held` when it has acquired the lock, and ends when
 * it reads a line. It then waits until each daemon has answered the release; without this, PHP would wait only 0.2 s
 * for the answers at the end of a script.
 * @param lock  the lifetime of the lock in seconds
 */
const session = (lock: number, options = "[]"): string => `
  $client = new Dbsync\\Client(${options});
  session_set_save_handler(new Dbsync\\Sessions($client, ['lock' => ${lock}, 'lease' => ${LEASE}]));
  try {
    session_id('one'); session_start(); echo "held\\n";
    fgets(STDIN); $_SESSION['visits'] = ($_SESSION['visits'] ?? 0) + 1; session_write_close();
  } catch (Dbsync\\Failure $failure) { echo "refused\\n"; exit(0); }
  if (getenv('TRIAL_SETTLES')) foreach (explode(',', getenv('DBSYNC_SERVERS')) as $server)
    $client->call('PING', ['servers' => [$server], 'timeout' => 20]);
  echo "visits ", $_SESSION['visits'], "\\n";`;

/**
 * Returns the script of a request that changes the session `one` several times, each time under the lock, and prints
 * the last number.
 */
const changes = (times: number): string => `
  $client = new Dbsync\\Client(['timeout' => 20]);
  session_set_save_handler(new Dbsync\\Sessions($client, ['lock' => 120, 'lease' => ${LEASE}, 'ask' => 20]));
  for ($i = 0; $i < ${times}; $i++) {
    session_id('one'); session_start(); $visits = $_SESSION['visits'] ?? 0;
    usleep(random_int(0, 3000)); $_SESSION['visits'] = $visits + 1; session_write_close();
  }
  echo "visits ", $_SESSION['visits'], "\\n";`;

/** Starts daemons with a member list. */
async function startListed(count: number): Promise<Trio> {
  const trio = await Trio.start([], count);
  await authorizeDaemons(trio);
  await trio.list();
  return trio;
}

describe("the lock of a PHP session", { timeout: 300_000, skip: skipWithout("php") }, () => {
  test("is released on a daemon that the granting daemon cannot reach", async () => {
    using folder = new ScratchFolder();
    await using pair = await Trio.make([], 2, { app: makeKeyPair("rsa"), keys: "app" });
    const key = folder.privateKey(pair.app);
    const [first, second] = pair.servers as [string, string];
    await using toFirst = await CuttablePort.open(() => pair.ports[0] as number);
    await using toSecond = await CuttablePort.open(() => pair.ports[1] as number);
    pair.linkPorts = [toFirst.port, toSecond.port];
    await pair.startAll();
    await until("a write reaches both daemons", async () => {
      const code = `echo dbsync_call('INCR probe', ['policy' => 'all']);`;
      using probe = new Request([first, second], key, code);
      return /^\d+$/.test(await probe.finish());
    });

    using holder = new Request([first, second], key, session(60), { TRIAL_SETTLES: "1" });
    await holder.prints("held\n");
    // The test only reads the lock. An attempt to acquire it could succeed on a daemon that does not have it yet.
    await until("the second daemon has the lock", async () => {
      const code = `echo dbsync_call(['ZSCORE', 'session:lock:one', 'taken']) ?? 'nothing';`;
      using other = new Request([second], key, code);
      return (await other.finish()) === "1";
    });
    using refused = new Request([second], key, session(0.2));
    assert.equal(await refused.finish(), "refused\n");
    toFirst.isCut = true;
    toSecond.isCut = true;
    assert.match(await holder.finish(), /visits 1\n/);
    using next = new Request([second], key, session(30));
    assert.match(
      await next.finish(),
      /held\nvisits 2\n/,
      "the second daemon has received the release and the session",
    );
  });

  test("is decided by three members, so that the order of the servers does not matter, and one may be down", async () => {
    using folder = new ScratchFolder();
    await using trio = await startListed(3);
    const key = folder.privateKey(trio.app);
    const [first, second, third] = trio.servers as [string, string, string];

    const times = amount(6, 30);
    const requests = [
      [first, second, third],
      [second, third, first],
      [third, first, second],
    ].map((servers) => new Request(servers, key, changes(times)));

    try {
      const ends = await Promise.all(requests.map((request) => request.finish()));
      const visits = ends.map((printed) => Number(/^visits (\d+)\n$/.exec(printed)?.[1]));
      assert.equal(Math.max(...visits), requests.length * times, ends.join());
    } finally {
      for (const request of requests) request[Symbol.dispose]();
    }

    using holder = new Request(trio.servers, key, session(60));
    await holder.prints("held\n");
    await trio.end(0, "SIGKILL");

    using refused = new Request([third, second, first], key, session(0.2));
    assert.equal(await refused.finish(), "refused\n");

    const before = requests.length * times;
    assert.match(await holder.finish(), new RegExp(`visits ${before + 1}\n`));
    using next = new Request([third, second, first], key, session(60));
    assert.match(await next.finish(), new RegExp(`held\nvisits ${before + 2}\n`));
  });

  test("is granted in a list of two while one of them is down", async () => {
    using folder = new ScratchFolder();
    await using pair = await startListed(2);
    const key = folder.privateKey(pair.app);
    await pair.end(0, "SIGKILL");
    using undecided = new Request(pair.servers, key, "echo dbsync_send('SETNX k v') ?? dbsync_last_error();");
    assert.match(await undecided.finish(), /cannot-decide/);
    using holder = new Request(pair.servers, key, session(60));
    await holder.prints("held\n");
    using refused = new Request(pair.servers, key, session(0.2));
    assert.equal(await refused.finish(), "refused\n");
    assert.match(await holder.finish(), /visits 1\n/);
  });

  test("is granted while the first daemon of the list hangs, long before a call to that daemon ends", async () => {
    using folder = new ScratchFolder();
    const pair = makeKeyPair("rsa");
    const key = folder.privateKey(pair);
    await using daemon = await startDaemon(["-s", pair.file]);
    await using hung = await CuttablePort.open(() => daemon.port);
    hung.isHeld = true;
    const servers = [hung.address, `127.0.0.1:${daemon.port}`];

    // A call takes at most 20 s. The call to the hung daemon takes this time.
    const calling = `echo "calling\\n"; dbsync_send('GET k', ['policy' => 'all', 'timeout' => 20]); fgets(STDIN);`;
    using call = new Request(servers, key, `${calling} echo "called";`);
    await call.prints("calling\n");

    using request = new Request(servers, key, session(60, "['timeout' => 20]"));
    const ended = call.finish();
    await request.prints("held\n");
    assert.ok(!call.isOver, "a call to the hung daemon ended before the lock was granted");
    assert.match(await request.finish(), /visits 1\n/);
    await ended;
  });
});
