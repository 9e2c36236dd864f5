/**
 * Tests the session handler of clients/php through PHP's session functions, and its cache, with real daemons and
 * fake ones.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { readBody } from "../../protocol/version-2/envelope.js";
import { readClientMessage } from "../../protocol/version-2/messages-v2.js";
import { amount } from "../support/amount.js";
import { CLUSTER, fakeV2, hello, refused, result } from "../support/fake-daemon-v2.js";
import { refusingAddress } from "../support/free-port.js";
import { skipWithout } from "../support/requirements.js";
import { Trio } from "../support/trio.js";
import { frame, resp } from "../support/v2-vectors/scene.js";
import { readVectors, vectorFolder } from "../support/v2-vectors/vector.js";
import { runPhp } from "./running.js";

/** Starts a fake daemon on which the lock is free. It answers the query, the attempt, the read and the release. */
async function lockable() {
  const none = "*2\r\n$-1\r\n$-1\r\n";
  const daemon = await fakeV2(
    () => hello(Date.now()),
    ({ id }) => {
      const sent = daemon.messages.at(-1)?.toString("latin1") ?? "";
      if (sent.includes("ZADD"))
        return result(id, sent.includes("ZMSCORE") ? `*3\r\n${none}:1\r\n:1\r\n` : "*2\r\n:1\r\n:1\r\n");
      return result(id, sent.includes("ZMSCORE") ? none : "$-1\r\n");
    },
  );
  return daemon;
}

/**
 * Starts a member that does not decide on the lock in time, but later. The session is then `data` there.
 * @param turn  its answer to the read of the session waits for this promise
 * @param answered  called when the read of the session has been answered
 */
async function undeciding(data: string, turn: Promise<void>, answered: () => void) {
  let token: string | null = null;
  const bulk = (text: string | null) => (text === null ? "$-1\r\n" : `$${text.length}\r\n${text}\r\n`);
  const daemon = await fakeV2(
    () => hello(Date.now(), CLUSTER, "2", "signed decisions"),
    ({ id }, socket) => {
      const { commands, decide } = envelopeIn(daemon.messages.at(-1) as Buffer);
      const [[name, key, value] = []] = commands;
      if (name === "SET") {
        assert.ok(decide && key === "session:owner:one");
        token = value as string;
        return refused(id, "undecided", Date.now(), "unknown");
      }
      if (key !== "session:one") return result(id, name === "GET" ? bulk(token) : "*1\r\n:1\r\n");
      void turn.then(() => {
        socket.write(frame(resp(result(id, bulk(data)))));
        answered();
      });
      return null;
    },
  );
  return daemon;
}

function envelopeIn(payload: Buffer) {
  const message = readClientMessage(payload);
  assert.equal(message.kind, "command");
  return readBody(Buffer.from(message.body));
}

describe("the lock of a session", { skip: skipWithout("php") }, () => {
  const READ = `$client = new Dbsync\\Client(); $start = hrtime(true);
    $sessions = new Dbsync\\Sessions($client, ['lock' => 120]); $sessions->read('one');
    $seconds = (hrtime(true) - $start) / 1e9; $sessions->close(); $client->finish(); $result = $seconds;`;
  const run = (servers: string[], patience: Record<string, number>) =>
    runPhp(READ, { env: { DBSYNC_SERVERS: servers.join(), DBSYNC_SIGNKEY: privateKey }, patience });

  test("The lock is released on every daemon, not only on the one that granted it", async () => {
    await using granting = await lockable();
    await using other = await lockable();
    await run([granting.address, other.address], { LAST_DELIVERY_SECONDS: 60 });
    for (const { messages } of [granting, other]) {
      const last = messages.at(-1);
      assert.ok(last?.includes("released") && !last.includes("taken"));
    }
  });

  test("Without a list of members, the first of three servers grants the lock, and none receives a decision", async () => {
    await using first = await lockable();
    await using second = await lockable();
    await using third = await lockable();
    const servers = [first, second, third];
    await run(
      servers.map(({ address }) => address),
      { LAST_DELIVERY_SECONDS: 60 },
    );
    const texts = servers.map(({ messages }) => Buffer.concat(messages).toString("latin1"));
    assert.deepEqual(
      texts.map((text) => [text.includes("taken"), text.includes("released"), text.includes("decide")]),
      [
        [true, true, false],
        [false, true, false],
        [false, true, false],
      ],
    );
  });

  test("A request has the lock although the members' answer is missing, and reads what most members have", async () => {
    let answered = () => {};
    const turn = new Promise<void>((resolve) => (answered = resolve));

    await using behind = await undeciding("old", Promise.resolve(), () => answered());
    await using second = await undeciding("new", turn, () => {});
    await using third = await undeciding("new", turn, () => {});
    const members = [behind, second, third];

    const code = `$client = new Dbsync\\Client();
      $sessions = new Dbsync\\Sessions($client, ['lock' => 120]); $result = $sessions->read('one'); $sessions->close(); $client->finish();`;
    const env = {
      DBSYNC_SERVERS: members.map(({ address }) => address).join(),
      DBSYNC_SIGNKEY: privateKey,
    };

    assert.equal(await runPhp(code, { env, patience: { LAST_DELIVERY_SECONDS: 60 } }), "new");
    for (const { messages } of members) {
      const [, ...envelopes] = messages;
      const names = envelopes.map((payload) => envelopeIn(payload).commands[0]?.slice(0, 2).join(" "));
      assert.deepEqual(names, [
        ...["GET session:owner:one", "SET session:owner:one", "GET session:owner:one"],
        ...["GET session:one", "DEL session:owner:one"],
      ]);
    }
  });

  test("A hung daemon delays a request only for the timeout of the lock, not for that of a call", async () => {
    await using hung = await fakeV2(
      () => hello(Date.now()),
      () => null,
    );
    await using granting = await lockable();
    const seconds = await run([hung.address, granting.address], { CALL_SECONDS: 300, ASK_SECONDS: 0.5 });
    // The limit is a tenth of a call's timeout, so a busy machine does not matter.
    assert.ok(Number(seconds) < 30);
  });
});

const rsa = readVectors().keys.find(({ name }) => name === "rsa2048");
assert.ok(rsa);
const privateKey = join(vectorFolder, rsa.privateFile);
const publicKey = join(vectorFolder, rsa.publicFile);

/** The settings with which PHP's sessions work without a browser. */
const BARE = {
  "session.use_cookies": "0",
  "session.use_only_cookies": "0",
  "session.cache_limiter": "",
  "session.use_strict_mode": "0",
};

describe("dbsync.php's sessions and cache", { skip: skipWithout("php") }, () => {
  let trio: Trio;

  before(async () => {
    trio = await Trio.start(["-s", publicKey, "--window", "30s,1s"], 2);
    await trio.untilNoneIsLate();
  });
  after(() => trio[Symbol.asyncDispose]());

  const env = (servers = trio.servers.join()) => ({ DBSYNC_SERVERS: servers, DBSYNC_SIGNKEY: privateKey });

  /** Returns a script that uses the session handler of clients/php. */
  const withSessions = (code: string, options = "[]", more: Parameters<typeof runPhp>[1] = {}) =>
    runPhp(
      `$client = new Dbsync\\Client(); $sessions = new Dbsync\\Sessions($client, ${options});
      session_set_save_handler($sessions); ${code}`,
      { env: env(), ini: BARE, ...more },
    );

  test("A request finds the session data of the previous one until the session is destroyed", async () => {
    const patience = { LAST_DELIVERY_SECONDS: 60 };
    const values = { text: "grüß  dich", bytes: "\u0000\u00ff", list: [1, null, true], empty: "" };
    await withSessions(
      `session_id('one'); session_start(); $_SESSION = json_decode(stream_get_contents(STDIN), true);
      session_write_close(); $result = null`,
      "[]",
      { env: env(), ini: BARE, patience, input: JSON.stringify(values) },
    );
    const read = "session_id('one'); session_start(); $result = $_SESSION";
    assert.deepEqual(await withSessions(read), values);
    const destroy = "session_id('one'); session_start(); session_destroy(); $result = null";
    await withSessions(destroy, "[]", { env: env(), ini: BARE, patience });
    assert.deepEqual(await withSessions(read), []);
  });

  test("Each use of a session renews its lifetime, and strict mode rejects an unknown session id", async () => {
    const result = await withSessions(
      `session_id('two'); session_start(); $_SESSION['a'] = 1; session_write_close();
      $first = $client->call('TTL session:two');
      $client->call('EXPIRE session:two 300');
      session_start(); session_write_close();
      $second = $client->call('TTL session:two');
      ini_set('session.use_strict_mode', '1');
      session_id('made-up'); session_start(); $third = session_id() === 'made-up'; session_write_close();
      session_id('two'); session_start(); session_regenerate_id(true); $_SESSION['a']++; $new = session_id(); session_write_close();
      $result = [$first > 900 && $first <= 1000, $second > 900, $third, $client->call('EXISTS session:two'), $new !== 'two',
        strpos($client->call(['GET', "session:$new"]), 'i:2') !== false]`,
      "['lifetime' => 1000]",
    );
    assert.deepEqual(result, [true, true, false, 0, true, true]);
  });

  test("With the lock, concurrent requests do not lose each other's changes", async () => {
    const [scripts, times] = [amount(3, 6), amount(4, 20)];
    const code = `for ($i = 0; $i < ${times}; $i++) {
        session_id('shared'); session_start(); $count = $_SESSION['count'] ?? 0;
        usleep(random_int(0, 5000)); $_SESSION['count'] = $count + 1; session_write_close();
      } $result = true`;
    await Promise.all(
      Array.from({ length: scripts }, () => withSessions(code, "['lock' => 120, 'lease' => 600]")),
    );
    const read = "session_id('shared'); session_start(); $result = $_SESSION['count']";
    assert.equal(await withSessions(read, "['lock' => 120]"), scripts * times);
  });

  test("A killed process loses the lock when its lease ends, and a process that waits too long receives the reason", async () => {
    const dying = "session_id('dying'); session_start(); posix_kill(getmypid(), SIGKILL)";
    await assert.rejects(withSessions(dying, "['lock' => 120, 'lease' => 2]"), /^Error: php: null/);
    const read = "session_id('dying'); session_start(); $result = session_id()";
    assert.equal(await withSessions(read, "['lock' => 120]"), "dying");
    const two = await withSessions(
      `$sessions->open('', ''); $sessions->read('held');
      $other = new Dbsync\\Sessions(new Dbsync\\Client(), ['lock' => 0.2]);
      try { $other->read('held'); $text = ''; } catch (Dbsync\\Failure $failure) { $text = $failure->getMessage(); }
      $sessions->close(); $result = [$text, $other->read('held')]`,
      "['lock' => 120]",
    );
    const [text, after] = two as [string, string];
    assert.match(text, /^session:lock:held: another request has locked this session for 0\.2 s/);
    assert.equal(after, "");
  });

  test("A session that no daemon returns causes an error instead of an empty session", async () => {
    const code = `session_id('lost');
      try { session_start(); $result = 'started'; } catch (Dbsync\\Failure $failure) { $result = $failure->getMessage(); }`;
    const dead = await refusingAddress();
    for (const options of ["[]", "['lock' => 5]"]) {
      const text = await withSessions(code, options, { env: env(dead), ini: BARE });
      assert.match(String(text), /^No daemon answered:\n {2}127\.0\.0\.1:\d+: connect: refused/);
    }
    await assert.rejects(
      withSessions("$result = 1", "['lok' => 5]"),
      /sessions have no option .*lok.*; the options are prefix,/,
    );
  });

  const withCache = (code: string, servers?: string) =>
    runPhp(`$client = new Dbsync\\Client(); $cache = new Dbsync\\Cache($client); ${code}`, {
      env: env(servers),
    });

  test("A cache returns every value unchanged, one or several in a call", async () => {
    const result = await withCache(
      `$values = ['n' => 1, 'f' => 1.5, 'false' => false, 'null' => null, 's' => "a  b\\0\\xff", 'e' => '', 'a' => [1, ['x' => null]],
        'o' => new ArrayObject([1, 2]), '7' => 'seven'];
      $set = $cache->setMultiple($values, 1000); $same = $cache->getMultiple(array_map('strval', array_keys($values))) == $values;
      $one = []; foreach ($values as $key => $value) { $one[] = $cache->get((string) $key, 'default') == $value; }
      $many = []; for ($i = 0; $i < 1200; $i++) { $many["many$i"] = str_repeat('v', 10) . $i; }
      $result = [$set, $same, array_unique($one), $cache->set('x', 'y'), $cache->get('x'), $cache->has('x'), $cache->has('absent'),
        $cache->get('absent', 'default'), $cache->setMultiple($many), $cache->getMultiple(array_keys($many)) === $many,
        $client->call('TTL cache:n') > 900, $client->call('TTL cache:x'), $cache->lastError()]`,
    );
    assert.deepEqual(result, [
      ...[true, true, [true], true, "y", true, false, "default", true, true, true],
      ...[-1, null],
    ]);
  });

  test("A cache deletes one value, several values, expired values, and all values with its prefix", async () => {
    const result = await withCache(
      `$client->call(['SET', 'other', 1]); $odd = new Dbsync\\Cache($client, 'o[d]d*:'); $odd->set('a', 1);
      $cache->setMultiple(array_fill_keys(range(1, 1500), 1)); $cache->set('x', 1); $cache->set('y', 1); $cache->set('z', 1);
      $result = [$cache->delete('x'), $cache->has('x'), $cache->delete('x'), $cache->deleteMultiple(['y', 'none']), $cache->has('y'),
        $cache->set('z', 2, 0), $cache->has('z'), $cache->set('w', 1, new DateInterval('PT9000S')), $client->call('TTL cache:w') > 6000,
        $cache->clear(), count($client->call('KEYS cache:*')), $odd->get('a'), $odd->clear(), $odd->has('a'), $client->call('GET other')]`,
    );
    assert.deepEqual(result, [
      ...[true, false, true, true, false, true, false, true, true],
      ...[true, 0, 1, true, false, "1"],
    ]);
  });

  test("Keys and lifetimes that PSR-16 does not permit cause errors that name them", async () => {
    const tried = (call: string) =>
      `(function ($cache) { try { ${call}; return ''; } catch (Dbsync\\InvalidCacheKey $error) { return $error->getMessage(); } })($cache)`;
    const calls = [
      ["$cache->get('')", /"" is no valid cache key/],
      ["$cache->get('a:b')", /"a:b" is no valid cache key: use a non-empty string without any of/],
      ["$cache->set(5, 1)", /integer is no valid cache key/],
      ["$cache->set('k', 1, '5')", /a lifetime is null, a number of seconds, or a DateInterval, not string/],
      ["$cache->getMultiple('k')", /keys must be an array/],
      ["$cache->deleteMultiple(['a', '{'])", /"\{" is no valid cache key/],
    ] as const;
    const results = await withCache(`$result = [${calls.map(([call]) => tried(call)).join()}]`);
    for (const [index, [call, problem]] of calls.entries())
      assert.match(String((results as string[])[index]), problem, call);
  });

  test("A cache without daemons returns misses and false, and reports the reason", async () => {
    const result = await withCache(
      `$result = [$cache->get('k', 'made anew'), $cache->set('k', 1), $cache->delete('k'), $cache->has('k'), $cache->clear(),
        $cache->getMultiple(['a', 'b'], 0), $cache->lastError()]`,
      await refusingAddress(),
    );
    const [error] = (result as unknown[]).splice(6);
    assert.deepEqual(result, ["made anew", false, false, false, false, { a: 0, b: 0 }]);
    assert.match(String(error), /^No daemon answered:\n.*connect: refused/);
  });

  test("If only some daemons clear a cache, the error names the missing daemon", async () => {
    const dead = await refusingAddress();
    const [cleared, error, again] = (await withCache(
      "$result = [$cache->clear(), $cache->lastError(), $cache->set('k', 1) ? $cache->lastError() : 'not set']",
      `${dead},${trio.servers.join()}`,
    )) as unknown[];
    assert.equal(cleared, false);
    assert.ok(String(error).includes(`${dead}: connect: refused`), String(error));
    assert.equal(again, null);
  });

  test("A foreign value is a miss, and the cache creates objects only of permitted classes", async () => {
    const result = await withCache(
      `$client->call(['SET', 'cache:bad', 'a:1:{']); $plain = new Dbsync\\Cache($client, 'cache:', null, false);
      $plain->set('o', new ArrayObject()); $result = [$cache->get('bad', 'miss'), get_class($plain->get('o'))]`,
    );
    assert.deepEqual(result, ["miss", "__PHP_Incomplete_Class"]);
  });

  // This is the last test with these daemons.
  test("The lock and the sessions survive the loss of the daemon that granted the lock", async () => {
    const options = "['lock' => 120, 'lease' => 2]";
    const patience = { LAST_DELIVERY_SECONDS: 60 };
    const write =
      "session_id('kept'); session_start(); $_SESSION['a'] = 'x y'; session_write_close(); $result = true";
    await withSessions(write, options, { env: env(), ini: BARE, patience });
    await trio.end(0, "SIGKILL");
    const read = "session_id('kept'); session_start(); $result = $_SESSION";
    assert.deepEqual(await withSessions(read, options), { a: "x y" });
  });
});
