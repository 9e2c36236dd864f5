/**
 * Tests protocol version 2 in examples/php/dbsync.php: the choice of the version for each daemon, keys, clusters,
 * clocks and invalid answers.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type DaemonProcess, startDaemon } from "../support/daemon-process.js";
import { skipWithout } from "../support/requirements.js";
import { startThief, THEFTS } from "../support/thief.js";
import { raw } from "../support/v2-vectors/scene.js";
import { readVectors, vectorFolder } from "../support/v2-vectors/vector.js";
import { answer, fakeDaemon } from "./fake-daemon.js";
import { type Answering, CLUSTER, fakeV2, hello, refused, result } from "./fake-daemon-v2.js";
import { runPhp, sendOne } from "./php-script.js";

const vectors = readVectors();
const keyFile = (name: string, half: "private" | "public") => {
  const key = vectors.keys.find((each) => each.name === name);
  assert.ok(key);
  return join(vectorFolder, half === "private" ? key.privateFile : key.publicFile);
};
const rsa = { "dbsync.signkey": keyFile("rsa2048", "private"), "dbsync.format": "text" };
const ed25519 = { "dbsync.signkey": keyFile("ed25519", "private"), "dbsync.format": "text" };
describe("dbsync.php chooses a version", { skip: skipWithout("php"), concurrency: 2 }, () => {
  test("A daemon of version 2 receives a hello and an envelope", async () => {
    await using daemon = await fakeV2(
      () => hello(Date.now()),
      ({ id }) => result(id, "$1\r\nv\r\n"),
    );
    assert.deepEqual(await valueAndError([daemon], rsa), ["v", ""]);
    assert.equal(daemon.messages.length, 2);
  });

  for (const [how, prefix, ini, connections] of [
    ["dbsync.versions = 1", "", { "dbsync.versions": "1" }, 1],
    ["dbsync.versions = 1,2", "", { "dbsync.versions": "1, 2" }, 2],
    ["dbsync1:// in the list", "dbsync1://", {}, 1],
  ] as const) {
    test(`With ${how}, a daemon that closes the connection on the hello receives a version 1 command`, async () => {
      await using daemon = await fakeDaemon(answer("v"));
      const address = prefix + daemon.address;
      assert.deepEqual(await valueAndError([{ address }], { ...rsa, ...ini }), ["v", ""]);
      assert.equal(daemon.connections, connections);
      assert.equal(daemon.frames.length, 1);
      assert.ok((daemon.frames[0]?.length ?? 0) > 256, "signed");
    });
  }

  for (const theft of THEFTS) {
    test(`An attacker that ${theft} receives no version 1 command, and the error names the setting that would allow it`, async () => {
      await using thief = await startThief(theft);
      await using daemon = await fakeV2(
        () => hello(Date.now()),
        ({ id }) => result(id, "+OK\r\n"),
      );
      const alone = await valueAndError([thief], rsa);
      assert.equal(alone[0], null);
      if (theft === "closes on the hello")
        assert.match(
          alone[1],
          /version: .*an attacker suppresses version 2; .* dbsync\.versions = 1, DBSYNC_VERSIONS=1, or dbsync1:\/\//,
        );
      assert.ok(thief.connections >= 1);
      const code = "for ($i = 0; $i < 3; $i++) { $result = dbsync_send('INCR k'); }";
      const both = { "dbsync.servers": `${thief.address},${daemon.address}`, ...rsa };
      assert.equal(await runPhp(code, { ini: both }), "OK");
      assert.deepEqual(thief.captured, []);
    });
  }

  test("If a daemon closes the connection on a hello, the client sends a second hello before it gives up", async () => {
    let greetings = 0;
    await using daemon = await fakeV2(
      () => (greetings++ === 0 ? null : hello(Date.now())),
      ({ id }) => result(id, "+OK\r\n"),
    );
    assert.deepEqual(await valueAndError([daemon], rsa), ["OK", ""]);
    assert.equal(greetings, 2);
  });

  test("A daemon that has not answered when the call fails is reported as not-awaited", async () => {
    const answering: Answering = ({ id }) => result(id, "-ERR no\r\n");
    await using one = await fakeV2(() => hello(Date.now()), answering);
    await using two = await fakeV2(() => hello(Date.now()), answering);
    await using silent = await fakeV2(
      () => hello(Date.now()),
      () => null,
    );
    const code = `try { $result = dbsync_call('SET k 1', ['policy' => 'majority']); }
      catch (Dbsync\\CommandError $error) { $result = $error->getMessage(); }`;
    const servers = [silent, one, two].map(({ address }) => address).join();
    const problem = String(await runPhp(code, { ini: { ...rsa, "dbsync.servers": servers } }));
    const ini = `\\n  ${silent.address.replaceAll(".", "\\.")}: not-awaited: the call had failed before it answered; `;
    assert.match(problem, new RegExp(ini));
  });

  test("A majority agrees on replies, not on their texts, so one daemon cannot change nil to an empty text", async () => {
    const honest = "*2\r\n$-1\r\n$1\r\na\r\n";
    for (const lie of ["*2\r\n$0\r\n\r\n$1\r\na\r\n", "*1\r\n$2\r\n\na\r\n", "$2\r\n\na\r\n"]) {
      const [liar, one, two] = [lie, honest, honest].map((reply) =>
        fakeV2(
          () => hello(Date.now()),
          ({ id }) => result(id, reply),
        ),
      );
      await using first = await liar;
      await using second = await one;
      await using third = await two;
      assert.ok(first && second && third);
      const servers = [first, second, third].map(({ address }) => address).join();
      for (const [policy, expected] of [
        ["majority", [null, "a"]],
        ["all-equal", "answers-differ"],
      ] as const) {
        const code = `try { $result = dbsync_multi([['GET', 'k'], ['GET', 'l']], ['policy' => '${policy}']); }
          catch (Dbsync\\Failure $error) { $result = 'answers-differ'; }`;
        assert.deepEqual(await runPhp(code, { ini: { ...rsa, "dbsync.servers": servers } }), expected, lie);
      }
    }
  });

  test("A hello of another length or protocol is refused in one sentence, and no command is sent", async () => {
    const others: readonly (readonly [string, string[]])[] = [
      ["10 elements, for version 1 and 2, instead of 9", [...hello(Date.now()), "later"]],
      ["9 elements, for version 3, instead of 9", hello(Date.now(), CLUSTER, "3")],
    ];
    for (const [found, other] of others) {
      await using daemon = await fakeV2(
        () => other,
        () => null,
      );
      const [value, error] = await valueAndError([daemon], { ...rsa, "dbsync.versions": "1,2" });
      assert.equal(value, null);
      assert.match(
        error,
        new RegExp(
          `other-protocol: The daemon sent a hello with ${found} for version 2: install the same version of dbsync`,
        ),
      );
      assert.equal(daemon.messages.length, 1);
    }
  });

  test("A daemon's refusal of the hello is reported", async () => {
    await using daemon = await fakeV2(
      () => ["refused", "", "other-protocol", "The hello is not one.", String(Date.now()), "not-applied"],
      () => null,
    );
    const [value, error] = await valueAndError([daemon], { ...rsa, "dbsync.versions": "1,2" });
    assert.deepEqual([value, /other-protocol: The hello is not one\./.test(error)], [null, true], error);
  });

  test("Arguments in a list may be empty and contain any byte; a command in one string is split at spaces", async () => {
    await using daemon = await startDaemon(["-s", keyFile("rsa2048", "public")]);
    const code = `$bytes = implode('', array_map('chr', range(0, 255)));
      $result = [dbsync_send(['SET', 'a b', 'c  d']), dbsync_send(['GET', 'a b']), dbsync_send(['SET', '', $bytes]),
        dbsync_send(['GET', '']) === $bytes, dbsync_send(['INCRBY', 'n', 5]), dbsync_send('GET  n'), dbsync_last_error()]`;
    const ini = { "dbsync.servers": `127.0.0.1:${daemon.port}`, ...rsa };
    assert.deepEqual(await runPhp(code, { ini }), ["OK", "c  d", "OK", true, "5", "5", null]);
  });

  test("A command that version 1 cannot represent is not sent, and the error states the reason", async () => {
    await using daemon = await fakeDaemon(answer("v"));
    const send = (list: string) => `[dbsync_send(${list}), dbsync_last_error()]`;
    const code = `$result = [${["['GET', 'k']", "['SET', 'a', 'b c']", "['GET', '']", '["GET", "a\\0b"]', "[1.5]", "[]"].map(send).join()}]`;
    for (const ini of [{}, { ...rsa, "dbsync.versions": "1,2" }]) {
      const results = (await runPhp(code, {
        ini: { "dbsync.format": "text", ...ini, "dbsync.servers": daemon.address },
      })) as [string | null, string | null][];
      assert.deepEqual(
        results.map(([value]) => value),
        ["v", null, null, null, null, null],
      );
      const patterns = [
        /splits commands at spaces/,
        /splits commands at spaces/,
        /NUL/,
        /list of strings/,
        /empty/,
      ];
      for (const [index, pattern] of patterns.entries()) assert.match(results[index + 1]?.[1] ?? "", pattern);
    }
    assert.equal(daemon.frames.length, 2);
  });

  test("A daemon whose hello says that it has no keys receives a version 1 command only if this is allowed", async () => {
    await using daemon = await fakeV2(
      () => hello(Date.now(), "", "1 2", "unsigned"),
      () => null,
    );
    const [value, error] = await valueAndError([daemon], rsa);
    assert.equal(value, null);
    assert.match(error, /not-due: it has no keys/);
    const ini = await valueAndError([daemon], { ...rsa, "dbsync.versions": "1,2" });
    assert.match(ini[1], /no-reason/, "this daemon closes the connection on a frame of version 1");
  });

  test("One call can use daemons of both versions, and does not repeat a command on a closed connection", async () => {
    await using old = await fakeDaemon(answer("old"));
    await using current = await fakeV2(
      () => hello(Date.now()),
      () => null,
    );
    const code = "$result = []; for ($i = 0; $i < 3; $i++) { $result[] = dbsync_send('GET k'); }";
    const servers = `${old.address},${current.address}`;
    const ini = { "dbsync.servers": servers, "dbsync.versions": "1,2", ...rsa };
    assert.deepEqual(await runPhp(code, { ini }), ["old", "old", "old"]);
    assert.equal(old.connections, 2);
    assert.equal(old.frames.length, 3);
  });

  test("An Ed25519 key works only with version 2", async () => {
    await using old = await fakeDaemon(answer("v"));
    for (const versions of ["1", "1,2"]) {
      const [, error] = await valueAndError([old], { ...ed25519, "dbsync.versions": versions });
      assert.match(error, /version-1: version 1 supports only RSA keys/);
    }
    assert.equal(old.frames.length, 0);
  });

  test("A client without a key sends unsigned envelopes to a daemon without keys", async () => {
    await using daemon = await fakeV2(
      () => hello(Date.now(), "", "1 2", "unsigned"),
      ({ id }) => result(id, ":1\r\n"),
    );
    const code =
      "$result = [dbsync_call(['SET', 'a', 'b c']), dbsync_multi(['INCR n', 'INCR m'], ['policy' => 'all'])]";
    await assert.rejects(
      runPhp(code, { ini: { "dbsync.servers": daemon.address } }),
      /a reply for each command/,
    );
    const [greeting = "", first = "", second = ""] = daemon.messages.map((message) =>
      message.toString("latin1"),
    );
    assert.match(greeting, /\r\n\$6\r\nclient\r\n\$1\r\n0\r\n\$0\r\n\r\n$/);
    for (const message of [first, second]) {
      assert.ok(
        message.includes(
          `key\r\n$32\r\n${"\0".repeat(32)}\r\n$7\r\ncluster\r\n$32\r\n${"\0".repeat(32)}\r\n`,
        ),
      );
      assert.match(message, /\r\n\$0\r\n\r\n$/);
    }
    assert.match(first, /\$3\r\nb c\r\n/);
  });

  for (const [property, versions, knows] of [
    ["requires signed commands", "1 2", "signed"],
    ["does not announce `unsigned`", "2", ""],
  ] as const)
    test(`A client without a key sends nothing to a daemon that ${property}, and the error names the missing setting`, async () => {
      await using daemon = await fakeV2(
        () => hello(Date.now(), CLUSTER, versions, knows),
        () => null,
      );
      const [value, error] = await valueAndError([daemon], {});
      assert.equal(value, null);
      assert.match(
        error,
        /this daemon accepts only signed commands: specify the private key \(dbsync\.signkey, DBSYNC_SIGNKEY\)/,
      );
      assert.equal(daemon.messages.length, 1);
    });

  test("A client without a key uses version 1 if the daemon closes the connection on a hello, unless version 2 is required", async () => {
    await using daemon = await fakeDaemon(answer("v"));
    assert.deepEqual(await valueAndError([daemon], { "dbsync.format": "text" }), ["v", ""]);
    assert.equal(daemon.connections, 2);
    const address = `dbsync2://${daemon.address}`;
    for (const [server, ini] of [
      [daemon, { "dbsync.versions": "2" }],
      [{ address }, {}],
    ] as const)
      assert.match(
        (await valueAndError([server], ini))[1],
        /version: it closes the connection on version 2's hello/,
      );
    assert.equal(daemon.frames.length, 1);
  });

  for (const [name, value] of [
    ["dbsync.versions", "v2"],
    ["dbsync.cluster", "12ab"],
    ["dbsync.cluster", "g".repeat(64)],
  ] as const) {
    test(`${name} = ${value} causes an error that names the setting`, async () => {
      assert.match(
        (await sendOne(["127.0.0.1:1"], { ...rsa, [name]: value })).error,
        new RegExp(`^${name}: "${value}"`),
      );
    });
  }
});

async function valueAndError(
  daemons: readonly { readonly address: string }[],
  ini: Record<string, string>,
): Promise<[string | null, string]> {
  const { value, error } = await sendOne(
    daemons.map(({ address }) => address),
    ini,
  );
  return [value, error];
}

describe("dbsync.php and envelopes", { skip: skipWithout("php"), concurrency: 2 }, () => {
  for (const hour of [3_600_000, -3_600_000]) {
    test(`After a refusal for skew, the client sends one new envelope, by the daemon's clock, which differs by ${hour} ms`, async () => {
      const clock = Date.now() + hour;
      await using daemon = await fakeV2(
        () => hello(Date.now()),
        ({ id, number }) => (number === 1 ? refused(id, "skew", clock) : result(id, "+OK\r\n")),
      );
      assert.deepEqual(await valueAndError([daemon], rsa), ["OK", ""]);
      assert.equal(daemon.messages.length, 3);
      const at = Number(/\$2\r\nat\r\n\$13\r\n(\d+)/.exec(String(daemon.messages[2]))?.[1]);
      assert.ok(Math.abs(at - clock) < 600_000, `${at - clock} ms`);
    });
  }

  test("After a refusal for skew, the client sends no new envelope if another daemon may have applied the first one", async () => {
    await using skewed = await fakeV2(
      () => hello(Date.now()),
      ({ id }) => refused(id, "skew", Date.now()),
    );
    await using unsure = await fakeV2(
      () => hello(Date.now()),
      ({ id }) => refused(id, "database-lost", Date.now(), "unknown"),
    );
    const [value, error] = await valueAndError([skewed, unsure], rsa);
    assert.equal(value, null);
    assert.match(error, /skew: Because/);
    assert.match(error, /database-lost: Because/);
    assert.equal(skewed.messages.length, 2);
  });

  test("If the daemon refuses four envelopes for skew, the call fails", async () => {
    await using daemon = await fakeV2(
      () => hello(Date.now()),
      ({ id }) => refused(id, "skew", Date.now()),
    );
    assert.match((await valueAndError([daemon], rsa))[1], /skew: Because/);
    assert.equal(daemon.messages.length, 5);
  });

  test("A daemon of another cluster receives no envelope", async () => {
    const ini = { ...rsa, "dbsync.cluster": Buffer.from(CLUSTER, "latin1").toString("hex") };
    await using daemon = await fakeV2(
      () => hello(Date.now(), "x".repeat(32)),
      () => null,
    );
    assert.match(
      (await valueAndError([daemon], ini))[1],
      /wrong-cluster: the daemon belongs to the cluster 7878/,
    );
    assert.equal(daemon.messages.length, 1);
  });

  for (const [what, reply] of [
    ["an error", "-WRONGTYPE Operation\r\n"],
    ["incomplete", "+OK"],
  ] as const) {
    test(`If the reply is ${what}, the client returns null and reports an error`, async () => {
      await using daemon = await fakeV2(
        () => hello(Date.now()),
        ({ id }) => result(id, reply),
      );
      const [value, error] = await valueAndError([daemon], rsa);
      assert.equal(value, null);
      assert.match(error, what === "an error" ? /command: WRONGTYPE Operation/ : /garbage/);
    });
  }

  for (const [reply, value] of [
    [":-5\r\n", "-5"],
    ["*3\r\n$1\r\na\r\n$-1\r\n*1\r\n:1\r\n", "a\n\n1"],
    ["*0\r\n", null],
    ["*-1\r\n", null],
    ["$-1\r\n", null],
    ["$3\r\na\0b\r\n", "a\0b"],
    ["$0\r\n\r\n", ""],
  ] as const) {
    test(`The reply ${JSON.stringify(reply)} is returned as ${JSON.stringify(value)}, as in version 1`, async () => {
      await using daemon = await fakeV2(
        () => hello(Date.now()),
        ({ id }) => result(id, reply),
      );
      assert.deepEqual(await valueAndError([daemon], rsa), [value, ""]);
    });
  }

  for (const [defect, answering] of [
    ["has another envelope's id", () => result("x".repeat(32), "+OK\r\n")],
    ["is a hello", () => hello(0)],
    ["has arrays in the place of strings", ({ id }) => ["result", id, ["d"], [], [], raw("+OK\r\n"), ""]],
    [
      "refuses a date and has an array in the place of the newest one",
      ({ id }) => ["refused", id, "too-old", "Because.", String(Date.now()), "not-applied", ["1", "2"]],
    ],
    ["is not an array", () => "result"],
    ["has too few elements", () => ["result"]],
    ["has a length beyond PHP's integers", ({ id }) => result(id, "$99999999999999999999\r\na\r\n")],
    ["is nested too deeply", ({ id }) => result(id, `${"*1\r\n".repeat(100)}:1\r\n`)],
  ] as const satisfies readonly (readonly [string, Answering])[]) {
    test(`An answer is garbage if it ${defect}`, async () => {
      await using daemon = await fakeV2(() => hello(Date.now()), answering);
      const [value, error] = await valueAndError([daemon], rsa);
      assert.equal(value, null);
      assert.match(error, /garbage: not an answer of a dbsync daemon/);
    });
  }
});

describe("dbsync.php at the end of a script", { skip: skipWithout("php"), concurrency: 2 }, () => {
  const settings = { ...rsa, "dbsync.cluster": Buffer.from(CLUSTER, "latin1").toString("hex") };
  const code = 'for ($i = 0; $i < 3; $i++) { $result = dbsync_send("SET k $i"); }';
  const patience = { LAST_DELIVERY_SECONDS: 60 };
  const quick = () =>
    fakeV2(
      () => hello(Date.now()),
      ({ id }) => result(id, "+OK\r\n"),
    );

  test("The client accepts an answer that arrives with the hello, and then sends later commands", async () => {
    await using first = await quick();
    await using late = await fakeV2(
      () => hello(Date.now()),
      ({ id }) => result(id, "+OK\r\n"),
      true,
    );
    const ini = { ...settings, "dbsync.servers": `${late.address},${first.address}` };
    assert.equal(await runPhp(code, { ini, patience }), "OK");
    const values = late.messages.flatMap(
      (message) => /SET\r\n\$1\r\nk\r\n\$1\r\n(\d)/.exec(String(message))?.[1] ?? [],
    );
    assert.deepEqual(values, ["0", "1", "2"]);
  });

  for (const [versions, expected] of [
    ["1,2", ["SET k 0", "SET k 1", "SET k 2"]],
    ["2", []],
  ] as const) {
    test(`With dbsync.versions = ${versions}, a daemon that closes the connection late receives ${expected.length} version 1 commands`, async () => {
      await using first = await quick();
      await using late = await startThief("closes late");
      const ini = {
        ...settings,
        "dbsync.versions": versions,
        "dbsync.servers": `${late.address},${first.address}`,
      };
      assert.equal(await runPhp(code, { ini, patience }), "OK");
      assert.deepEqual(
        late.captured.map((frame) => /:ds:\d+:([^\0]*)\0/.exec(frame)?.[1]),
        expected,
      );
      assert.equal(late.hellos, 2);
    });
  }
});

describe("dbsync.php and dbsyncd with both kinds of keys", { skip: skipWithout("php") }, () => {
  let daemons: DaemonProcess[];

  before(async () => {
    const keys = ["rsa2048", "rsa4096", "ed25519"].flatMap((name) => ["-s", keyFile(name, "public")]);
    daemons = await Promise.all([startDaemon(keys), startDaemon(keys)]);
  });
  after(() => Promise.all(daemons.map((daemon) => daemon[Symbol.asyncDispose]())));

  for (const name of ["rsa2048", "rsa4096", "ed25519"]) {
    test(`Both daemons apply a command signed with the key ${name} once`, async () => {
      const servers = daemons.map(({ port }) => `127.0.0.1:${port}`);
      const ini = {
        "dbsync.signkey": keyFile(name, "private"),
        "dbsync.format": "text",
        "dbsync.versions": "2",
      };
      const code = `$result = [dbsync_send('INCR ${name}'), dbsync_send('INCR ${name}'), dbsync_last_error()];`;
      const value = await runPhp(code, { ini: { "dbsync.servers": servers.join(","), ...ini } });
      assert.deepEqual(value, ["1", "2", null]);
      for (const server of servers) {
        const read = await runPhp(`$result = dbsync_send('GET ${name}');`, {
          ini: { "dbsync.servers": server, ...ini },
        });
        assert.equal(read, "2");
      }
    });
  }
});

/** Returns PHP code that advances the client's clock by `jump` seconds after the client has read a number of bytes. */
const jumping = (bytes: number, jump: number) => `$jumped = 0; $unread = ${bytes}; eval('namespace Dbsync;
  function hrtime($isNumber) { return \\hrtime(true) + $GLOBALS["jumped"]; }
  function fread($stream, $length) {
    $bytes = \\fread($stream, $length);
    $GLOBALS["unread"] -= strlen($bytes);
    if ($GLOBALS["unread"] <= 0) $GLOBALS["jumped"] = ${jump} * 1000000000;
    return $bytes;
  }');`;

/** Makes a call with a given reply. @returns the number of elements that PHP has decoded, or the error */
async function decoded(reply: string, patience = {}, jump = 0, ini = {}): Promise<unknown> {
  await using daemon = await fakeV2(
    () => hello(Date.now()),
    ({ id }) => result(id, reply),
  );
  return await runPhp(
    `${jumping(reply.length, jump)} try { $result = count(dbsync_call('RPUSH k v')); }
    catch (Dbsync\\Failure $failure) { $result = preg_replace('/.*\\n.*?: /s', '', $failure->getMessage()); }`,
    {
      env: { DBSYNC_SERVERS: daemon.address, DBSYNC_SIGNKEY: keyFile("rsa2048", "private") },
      patience,
      ini,
    },
  );
}

const nils = (count: number) => `*${count}\r\n${"$-1\r\n".repeat(count)}`;

test("A call ends if its deadline passes while an answer is decoded", {
  skip: skipWithout("php"),
}, async () => {
  assert.equal(await decoded(nils(100_000)), 100_000);
  const text = await decoded(nils(100_000), {}, 100);
  assert.equal(text, "timeout: no answer in time; whether the command was executed is unknown");
});

test("An answer that has too many elements, is nested too deeply or exceeds PHP's memory is malformed", {
  skip: skipWithout("php"),
}, async () => {
  const malformed = "garbage: not an answer of a dbsync daemon";
  const limits = { MAX_ELEMENTS: 1000 };
  assert.equal(await decoded(nils(900), limits), 900);
  assert.equal(await decoded(nils(1001), limits), malformed);
  assert.equal(await decoded(`*20\r\n${nils(60).repeat(20)}`, limits), malformed);
  assert.equal(await decoded(`*100\r\n${"-E\r\n".repeat(100)}`, limits), malformed);
  assert.equal(await decoded(`${"*1\r\n".repeat(100)}:1\r\n`), malformed);
  const ini = { memory_limit: "32M" };
  assert.equal(await decoded(`*900000\r\n${"*0\r\n".repeat(900_000)}`, {}, 0, ini), malformed);
});
