/**
 * Tests clients/php/dbsync.php: typed calls, several commands in one unit, and options of a call, with daemons in
 * memory, with TLS, and with timelines.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type TestCertificate, writeCertificate } from "../support/certificate-files.js";
import { type DaemonProcess, startDaemon } from "../support/daemon-process.js";
import { answer, fakeDaemon, silence } from "../support/fake-daemon.js";
import { CLUSTER, fakeV2, hello, result } from "../support/fake-daemon-v2.js";
import { refusingAddress } from "../support/free-port.js";
import { repositoryRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirements.js";
import { Trio } from "../support/trio.js";
import { readVectors, vectorFolder } from "../support/v2-vectors/vector.js";
import { PHP_FILE, runPhp } from "./running.js";

const rsa = readVectors().keys.find(({ name }) => name === "rsa2048");
assert.ok(rsa);
const privateKey = join(vectorFolder, rsa.privateFile);
const publicKey = join(vectorFolder, rsa.publicFile);

/** Returns PHP code that evaluates a call to its result, or to the class and message of its exception. */
const TRIED = `function tried($call) {
  try { return $call(); } catch (Throwable $thrown) { return [get_class($thrown), $thrown->getMessage()]; }
}`;

/**
 * Evaluates expressions in one script. `$at` contains the options of a call.
 * @returns the value or exception of each expression
 */
async function evaluated(
  expressions: readonly string[],
  at: Readonly<Record<string, unknown>>,
  ini: Readonly<Record<string, string>> = {},
): Promise<unknown[]> {
  const list = expressions.map((expression) => `tried(function () use ($at) { return ${expression}; })`);
  const code = `${TRIED} $at = json_decode(stream_get_contents(STDIN), true); $result = [${list.join(", ")}]`;
  return (await runPhp(code, { input: JSON.stringify(at), ini })) as unknown[];
}

describe("dbsync.php's typed calls", { skip: skipWithout("php") }, () => {
  const folder = mkdtempSync(join(tmpdir(), "dbsync-php-"));
  let certificate: TestCertificate;
  let encrypted: DaemonProcess;
  let keyless: DaemonProcess;
  let trio: Trio;

  before(async () => {
    certificate = await writeCertificate(folder);
    const tls = ["--tls-cert", certificate.certificate, "--tls-key", certificate.key];
    encrypted = await startDaemon(["-s", publicKey, ...tls]);
    keyless = await startDaemon();
    trio = await Trio.start(["-s", publicKey, "--window", "30s,1s"], 2);
    await trio.untilNoneIsLate();
  });
  after(async () => {
    await encrypted[Symbol.asyncDispose]();
    await keyless[Symbol.asyncDispose]();
    await trio[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  const pinned = () => `dbsyncs://127.0.0.1:${encrypted.port}#sha256:${certificate.fingerprint}`;
  const kinds: Readonly<Record<string, () => { servers: string; signkey: string }>> = {
    "in memory, with TLS and a pin": () => ({ servers: pinned(), signkey: privateKey }),
    "without keys": () => ({ servers: `127.0.0.1:${keyless.port}`, signkey: "" }),
    "that are peers with timelines": () => ({ servers: trio.servers.join(), signkey: privateKey }),
  };

  for (const [kind, at] of Object.entries(kinds))
    test(`Daemons ${kind}: values of every kind are returned unchanged and with their types`, async () => {
      const bytes = "implode('', array_map('chr', range(0, 255)))";
      const results = await evaluated(
        [
          "dbsync_call(['SET', 'a key', 'with  blanks '], $at)",
          "dbsync_call(['GET', 'a key'], $at)",
          "dbsync_call(['SET', '', ''], $at)",
          "dbsync_call(['GET', ''], $at)",
          `dbsync_call(['SET', 'bytes', ${bytes}], $at)`,
          `dbsync_call(['GET', 'bytes'], $at) === ${bytes}`,
          "dbsync_call(['SET', 'text', 'grüß – 你好 \u{1F600}'], $at)",
          "dbsync_call(['GET', 'text'], $at)",
          "dbsync_call(['INCRBY', 'n', 41], $at)",
          "dbsync_call('INCR n', $at)",
          "dbsync_call(['GET', 'absent'], $at)",
          "dbsync_call(['LRANGE', 'absent', 0, -1], $at)",
          "dbsync_call(['MGET', 'n', 'absent', 'a key'], $at)",
          "dbsync_call(['SET', 'long', str_repeat('ab', 500000)], $at)",
          "md5(dbsync_call(['GET', 'long'], $at)) === md5(str_repeat('ab', 500000))",
          "dbsync_call(array_merge(['MSET'], ...array_map(fn ($i) => [\"many:$i\", $i], range(0, 999))), $at)",
          "array_sum(dbsync_call(array_merge(['MGET'], array_map(fn ($i) => \"many:$i\", range(0, 999))), $at))",
          "dbsync_send(['GET', 'a key'], ['format' => 'text'] + $at)",
          "dbsync_send(['GET', 'a key'], $at)",
        ],
        at(),
      );
      assert.deepEqual(results, [
        ...["OK", "with  blanks ", "OK", "", "OK", true, "OK", "grüß – 你好 \u{1F600}", 41, 42, null, []],
        ...[
          ["42", null, "with  blanks "],
          "OK",
          true,
          "OK",
          499_500,
          "with  blanks ",
          "redis:14:with  blanks ",
        ],
      ]);
    });

  for (const [kind, at] of Object.entries(kinds))
    test(`Daemons ${kind}: several commands form one unit, and each has its reply`, async () => {
      const text = "array_map(fn ($each) => $each instanceof Dbsync\\CommandError ? $each->reply : $each, ";

      const results = await evaluated(
        [
          "dbsync_multi([['SET', 'm 1', 'x y'], 'INCR m2', ['GET', 'm 1']], $at)",
          `${text}dbsync_multi([['SET', 'm3', 'x'], 'INCR m3', 'GET m3'], $at))`,
          "dbsync_multi(['SET m4 1', 'NOSUCH m4'], $at)",
          "dbsync_call('GET m4', $at)",
          "dbsync_multi([], $at)",
          "dbsync_multi([['SET', 'm5', null]], $at)",
          "dbsync_multi(['SET m6 1', 'SET m7 1'], ['db' => 1] + $at)",
          "[dbsync_call('EXISTS m6 m7', $at), dbsync_call('EXISTS m6 m7', ['db' => 1] + $at)]",
        ],
        at(),
      );

      const [first, second, third, fourth, fifth, sixth, ...rest] = results as [
        unknown,
        unknown,
        string[],
        ...unknown[],
      ];

      assert.deepEqual(first, ["OK", 1, "x y"]);
      assert.deepEqual(second, ["OK", "ERR value is not an integer or out of range", "x"]);
      assert.match(third.join(), /Dbsync\\CommandError,ERR unknown command .NOSUCH/);
      assert.equal(fourth, null);
      assert.deepEqual(fifth, ["Dbsync\\Failure", "multi takes 1 to 100000 commands"]);
      assert.match(String(sixth), /the type of argument 2 is NULL/);
      assert.deepEqual(rest, [
        ["OK", "OK"],
        [0, 2],
      ]);
    });

  test("A call throws an error of the database, with its text and the answer of each daemon", async () => {
    const servers = trio.servers.join();
    const [[type, text]] = (await evaluated(["dbsync_call('LPUSH n x', $at)"], {
      servers,
      signkey: privateKey,
      policy: "all",
    })) as [[string, string]];
    assert.equal(type, "Dbsync\\CommandError");
    assert.match(text, /^WRONGTYPE Operation[^\n]*\n {2}127\.0\.0\.1:\d+: command: WRONGTYPE[^\n]*\n {2}127/);
  });

  test("The policy is an option of a call, and the error of too few answers names the daemons that answered", async () => {
    const [one, other] = trio.servers;
    const at = { servers: `${one},${other},${await refusingAddress()}`, signkey: privateKey };

    const results = await evaluated(
      [
        ...["'majority'", "2", "'first'"].map(
          (policy) => `dbsync_call('SET p v', ['policy' => ${policy}] + $at)`,
        ),
        ...["'all'", "3", "'all-equal'"].map(
          (policy) => `dbsync_call('GET p', ['policy' => ${policy}] + $at)`,
        ),
        "dbsync_call('GET p', ['policy' => 'all-equal', 'servers' => dbsync_servers($at)] + $at)",
      ].map((each) => each.replace("dbsync_servers($at)", `'${one},${other}'`)),
      at,
    );

    assert.deepEqual(results.slice(0, 3), ["OK", "OK", "OK"]);
    for (const policy of ["all", "3", "all-equal"]) {
      const [type, text] = results[["all", "3", "all-equal"].indexOf(policy) + 3] as [string, string];
      assert.equal(type, "Dbsync\\Failure");
      assert.match(
        text,
        new RegExp(`^2 of 3 daemons answered, which is not enough for the policy ${policy}\n`),
      );
      assert.match(
        text,
        /: answered\n[^\n]*: answered\n[^\n]*: connect: refused or unreachable; is dbsyncd running/,
      );
    }
    assert.equal(results[6], "v");
  });

  test("A daemon is verified by its pinned key or by an authority, and each error contains the remedy", async () => {
    const [plain, other] = [`127.0.0.1:${encrypted.port}`, "0".repeat(64)];

    const cases: readonly (readonly [Record<string, string>, unknown])[] = [
      [{ servers: pinned() }, "PONG"],
      [{ servers: `${pinned().replace("#", `#sha256:${other}#`)}` }, "PONG"],
      [{ servers: `dbsyncs://localhost:${encrypted.port}`, ca: certificate.certificate }, "PONG"],
      [{ servers: `dbsyncs://${plain}`, ca: certificate.certificate }, "PONG"],
      [
        { servers: `dbsyncs://${plain}#sha256:${other}` },
        new RegExp(`its key is sha256:${certificate.fingerprint}, which is not pinned`),
      ],
      [{ servers: `dbsyncs://${plain}` }, /tls: certificate verify failed.*dbsync\.ca.*pin its key/],
      [{ servers: plain }, /tls: it accepts only TLS: write dbsyncs:\/\//],
      [
        { servers: `dbsyncs://127.0.0.1:${trio.ports[0]}#sha256:${other}` },
        /tls: the handshake failed.*--tls-cert/,
      ],
      [{ servers: `${plain}#sha256:${other}` }, /a fingerprint needs TLS: write dbsyncs:/],
      [{ servers: `dbsyncs://${plain}#sha256:12` }, /a fingerprint is #sha256: and 64 hexadecimal digits/],
      [{ servers: `dbsyncs://${plain}`, ca: "/nowhere.pem" }, /dbsync\.ca: \/nowhere\.pem: cannot be read/],
    ];

    const code = `${TRIED} $result = array_map(fn ($at) => tried(fn () => dbsync_call('PING', $at)),
      json_decode(stream_get_contents(STDIN), true))`;
    const input = JSON.stringify(cases.map(([at]) => ({ ...at, signkey: privateKey })));
    const results = (await runPhp(code, { input })) as unknown[];

    for (const [index, [at, expected]] of cases.entries()) {
      if (expected instanceof RegExp) assert.match(String(results[index]), expected, JSON.stringify(at));
      else assert.equal(results[index], expected, JSON.stringify(at));
    }
  });

  test("The PHP code in docs/php.md runs as printed", async () => {
    const page = readFileSync(join(repositoryRoot, "docs", "php.md"), "utf8");
    const blocks = [...page.matchAll(/^```php\n(.*?)^```$/gms)].map(([, block = ""]) => block);
    assert.ok(blocks.length >= 3);
    const env = { DBSYNC_SERVERS: trio.servers.join(), DBSYNC_SIGNKEY: privateKey, DBSYNC_FORMAT: "text" };
    const ini = { "session.use_cookies": "0", "session.use_only_cookies": "0", "session.cache_limiter": "" };
    const results = await runPhp(
      `${blocks.join("\n")} $result = [$value, dbsync_last_error(), $page, $cache->has('a'), $cache->lastError(), strlen(session_id()) > 9]`,
      { env, ini },
    );
    assert.deepEqual(results, [null, null, null, false, null, true]);
  });

  test("The PHP code in the README of the client runs as printed", async () => {
    const readme = readFileSync(join(dirname(PHP_FILE), "README.md"), "utf8");
    const [block = ""] = [...readme.matchAll(/^```php\n(.*?)^```$/gms)].map(([, text = ""]) => text);
    const expected = [...block.matchAll(/ {2,}\/\/ (.*)$/gm)].map(([, value]) => value);
    assert.equal(expected.length, 2);
    const code = block
      .replace("'dbsync.php'", JSON.stringify(PHP_FILE))
      .replace("10.0.0.1,10.0.0.2", trio.servers.join())
      .replace("private.pem", privateKey)
      .replace(/^(\$client->call.*;) {2,}\/\/ .*$/gm, "$results[] = $1");
    assert.deepEqual(await runPhp(`${code} $result = $results`), expected);
  });

  // This is the last test with these daemons.
  test("A killed daemon does not affect calls, and catches up after its restart", async () => {
    const at = { servers: trio.servers.join(), signkey: privateKey };
    await trio.end(0, "SIGKILL");
    assert.deepEqual(await evaluated(["dbsync_call(['SET', 'k', 'while it was gone'], $at)"], at), ["OK"]);
    await trio.start(0);
    const [first = ""] = trio.servers;
    await trio.until("the daemon has caught up", async () => {
      const [value] = await evaluated(["dbsync_call('GET k', $at)"], { ...at, servers: first });
      return value === "while it was gone";
    });
  });
});

describe("dbsync.php's options of a call", { skip: skipWithout("php"), concurrency: 2 }, () => {
  for (const [options, problem] of [
    ["['sevrers' => 'a']", /there is no option "sevrers"; the options are servers, signkey,/],
    ["['timeout' => 0]", /timeout is a number of seconds, above 0, at most 20/],
    ["['timeout' => '3']", /timeout is a number/],
    ["['timeout' => 21]", /timeout is a number/],
    ["['policy' => 'most']", /policy is "first", "majority", "all", "all-equal", or a number/],
    ["['db' => -1]", /db is a number from 0/],
    ["['servers' => ['a', 5]]", /the option servers is a text, or a list of texts/],
    ["['signkey' => 5]", /the option signkey is a text/],
    ["['format' => 'json']", /dbsync\.format: "json" is not/],
    ["['cluster' => '12']", /dbsync\.cluster: "12" is not 64 hexadecimal digits/],
    ["7", /options are an array, or a text that lists the servers/],
    ["['db' => 1, 'versions' => '1']", /version-1: .*other databases need a daemon of version 2/],
  ] as const)
    test(`${options} causes an error, both as an exception and as a message`, async () => {
      const ini = { "dbsync.servers": await refusingAddress() };
      const list = [
        `dbsync_call('GET k', ${options})`,
        `[dbsync_send('GET k', ${options}), dbsync_last_error()]`,
      ];
      const [thrown, reported] = await evaluated(list, {}, ini);
      assert.match(String(thrown), problem);
      assert.match(String(reported), problem);
    });

  test("The timeout of a call applies to this call only", async () => {
    await using hung = await fakeDaemon(silence);
    await using live = await fakeDaemon(answer("v"));
    const results = await evaluated(
      [
        "dbsync_call('GET k', ['timeout' => 0.1] + $at)",
        `dbsync_call('GET k', ['servers' => '${live.address}'])`,
      ],
      { servers: hung.address },
    );
    assert.match(String(results[0]), /^Dbsync.Failure,No daemon answered:\n {2}127\.0\.0\.1:\d+: timeout: /);
    assert.equal(results[1], "v");
  });

  test("A signed call does not reuse the version 1 connection of an unsigned one", async () => {
    await using daemon = await fakeDaemon(answer("v"));
    const results = await evaluated(
      ["dbsync_call('GET k', $at)", `dbsync_call('GET k', ['signkey' => '${privateKey}'] + $at)`],
      { servers: daemon.address },
    );
    assert.equal(results[0], "v");
    assert.match(String(results[1]), /version: it closes the connection on version 2's hello/);
    assert.equal(daemon.frames.length, 1);
  });

  test("A script can use daemons of two clusters if each call names its cluster", async () => {
    const others = "o".repeat(32);
    await using one = await fakeV2(
      () => hello(Date.now()),
      ({ id }) => result(id, "+one\r\n"),
    );
    await using other = await fakeV2(
      () => hello(Date.now(), others),
      ({ id }) => result(id, "+other\r\n"),
    );

    const hex = (id: string) => Buffer.from(id, "latin1").toString("hex");
    const at = (daemon: { address: string }, id: string) =>
      `['servers' => '${daemon.address}', 'cluster' => '${hex(id)}', 'signkey' => '${privateKey}']`;
    const calls = [at(one, CLUSTER), at(other, others), at(one, CLUSTER), at(other, CLUSTER)];
    const results = await evaluated(
      calls.map((each) => `dbsync_call('GET k', ${each})`),
      {},
    );

    assert.deepEqual(results.slice(0, 3), ["one", "other", "one"]);
    assert.match(String(results[3]), /wrong-cluster: .*configure the right one/);
  });
});
