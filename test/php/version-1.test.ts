/** Tests version 1 of the protocol in clients/php/dbsync.php, with fake daemons: bytes, answers and failures. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { answer, answerFrame, type Behaviour, fakeDaemon, miss, silence } from "../support/fake-daemon.js";
import { refusingAddress } from "../support/free-port.js";
import { NAMELESS } from "../support/nameless.js";
import { repositoryRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirements.js";
import { seed } from "../support/seed.js";
import { SeededRandom } from "../support/seeded-random.js";
import { until } from "../support/until.js";
import { runPhp, sendOne } from "./running.js";

const vectorFolder = join(repositoryRoot, "test", "vectors", "php-dbsync");

interface Vector {
  readonly name: string;
  readonly direction: string;
  readonly keyFile: string | null;
  readonly command: string;
  readonly request_hex: string;
  readonly response_hex: string | null;
  readonly driverResult: string | null;
}

/** The recorded calls of the original driver. */
const vectors = (JSON.parse(readFileSync(join(vectorFolder, "vectors.json"), "utf8")) as Vector[]).filter(
  (vector) => vector.direction === "driver->daemon",
);

describe("dbsync.php", { skip: skipWithout("php"), concurrency: 2 }, () => {
  for (const keyFile of [null, "test-rsa2048-private.pem", "test-rsa4096-private.pem"]) {
    test(`The PHP file sends the same bytes as the original driver (${keyFile ?? "unsigned"})`, async () => {
      const cases = vectors.filter((vector) => vector.keyFile === keyFile);
      assert.ok(cases.length >= 3);

      await using daemon = await fakeDaemon((_frame, socket, number) => {
        const response = cases[number - 1]?.response_hex;
        socket.write(response ? Buffer.from(response, "hex") : "ds:1:\0");
      });

      const values = await runPhp(
        "$result = array_map('dbsync_send', json_decode(stream_get_contents(STDIN)))",
        {
          env: {
            DBSYNC_SERVERS: daemon.address,
            DBSYNC_SIGNKEY: keyFile === null ? "" : join(vectorFolder, keyFile),
            DBSYNC_VERSIONS: "1",
          },
          input: JSON.stringify(cases.map((vector) => vector.command)),
        },
      );

      assert.deepEqual(
        daemon.frames.map((frame) => frame.toString("hex")),
        cases.map((vector) => vector.request_hex),
      );

      // The original driver loses the answer of a daemon that closes the connection immediately after it. This client
      // does not.
      const expected = cases.map((vector) =>
        vector.name === "no-keepalive-daemon" ? "redis:5:PONG" : vector.driverResult,
      );
      assert.deepEqual(values, expected);
    });
  }

  test("One call sends the same signed bytes to all daemons", async () => {
    await using a = await fakeDaemon(silence);
    await using b = await fakeDaemon(silence);
    await using c = await fakeDaemon(answer("v"));
    await sendOne([a.address, b.address, c.address], {
      "dbsync.signkey": join(vectorFolder, "test-rsa2048-private.pem"),
      "dbsync.versions": "1",
    });
    await until("all daemons have received the command", () =>
      [a, b, c].every((daemon) => daemon.frames.length > 0),
    );
    const frames = [a, b, c].map((daemon) => daemon.frames.map((frame) => frame.toString("hex")));
    assert.equal(frames[2]?.length, 1);
    assert.deepEqual(frames[0], frames[2]);
    assert.deepEqual(frames[1], frames[2]);
  });

  const bad: Record<string, { behaviour: Behaviour; stage: RegExp }> = {
    "is silent": { behaviour: silence, stage: /timeout: no answer in time/ },
    "closes immediately": {
      behaviour: (_frame, socket) => socket.end(),
      stage: /no-reason: closed without an answer/,
    },
    "resets the connection": { behaviour: (_frame, socket) => socket.resetAndDestroy(), stage: /no-reason/ },
    "closes in the middle of an answer": {
      behaviour: (_frame, socket) => socket.end("ds:13:redis:5:PO"),
      stage: /no-reason/,
    },
    "answers with garbage": {
      behaviour: (_frame, socket) => socket.write("HTTP/1.1 400"),
      stage: /garbage: not an answer/,
    },
    "answers with a frame without chunks": {
      behaviour: (_frame, socket) => socket.write("ds:5:hello"),
      stage: /garbage: not an answer/,
    },
    "answers with a chunk of a wrong length": {
      behaviour: (_frame, socket) => socket.write("ds:13:redis:9:PONG\0"),
      stage: /garbage: not an answer/,
    },
    "answers with an empty payload": {
      behaviour: (_frame, socket) => socket.write("ds:0:"),
      stage: /garbage/,
    },
    "announces more than 64 MiB": {
      behaviour: (_frame, socket) => socket.write("ds:67108865:redis"),
      stage: /garbage: announces an answer of 67108865 bytes/,
    },
  };

  test("When all daemons fail, one error names each daemon and its stage, within the timeout of one daemon", async () => {
    await using daemons = new FakeDaemons();
    const lines: RegExp[] = [];
    for (const { behaviour, stage } of Object.values(bad)) {
      const daemon = await daemons.add(behaviour);
      lines.push(new RegExp(`^ {2}${quoted(daemon.address)}: ${stage.source}`, "m"));
    }

    const dead = await refusingAddress();
    lines.push(new RegExp(`^ {2}${quoted(dead)}: connect: refused or unreachable`, "m"));
    lines.push(new RegExp(`^ {2}${NAMELESS}:1111: dns: the name was not resolved`, "m"));
    const servers = [...daemons.addresses, dead, NAMELESS];
    const { value, error, ms } = await sendOne(servers, {}, { CALL_SECONDS: 8 });

    assert.equal(value, null);
    for (const line of lines) assert.match(error, line);
    assert.equal(error.split("\n").length, lines.length + 1);
    // The daemons share one timeout of 8 s.
    assert.ok(ms >= 7900 && ms < 40_000, `took ${ms} ms`);
  });

  for (const [fault, { behaviour }] of Object.entries(bad)) {
    test(`A daemon that ${fault} does not delay the answer of another one`, async () => {
      await using first = await fakeDaemon(behaviour);
      await using second = await fakeDaemon((_frame, socket) => {
        setTimeout(() => socket.write(answerFrame("v")), 30);
      });
      const { value, error, ms } = await sendOne([first.address, second.address]);
      assert.deepEqual([value, error], ["redis:2:v", ""]);
      assert.ok(ms < 30_000, `took ${ms} ms`);
    });
  }

  test("A dead daemon, first or last in the list, does not delay the answer of another one", async () => {
    await using daemon = await fakeDaemon(answer("v"));
    const dead = await refusingAddress();
    for (const servers of [
      [dead, daemon.address],
      [daemon.address, dead],
    ]) {
      const { value, error } = await sendOne(servers);
      assert.deepEqual([value, error], ["redis:2:v", ""]);
    }
  });

  test("A hit that arrives a little later takes precedence over a miss", async () => {
    await using first = await fakeDaemon(miss);
    await using second = await fakeDaemon((_frame, socket) => {
      setTimeout(() => socket.write(answerFrame("v")), 5);
    });
    const patience = { MISS_LINGER_SECONDS: 30 };
    assert.equal((await sendOne([first.address, second.address], {}, patience)).value, "redis:2:v");
  });

  test("A miss returns null without an error, and does not wait for a hung daemon", async () => {
    await using first = await fakeDaemon(miss);
    await using second = await fakeDaemon(silence);
    const { value, error, ms } = await sendOne([first.address, second.address]);
    assert.deepEqual([value, error], [null, ""]);
    assert.ok(ms < 30_000, `took ${ms} ms`);
  });

  test("The client reads an answer that arrives byte by byte", async () => {
    await using daemon = await fakeDaemon((_frame, socket) => {
      socket.setNoDelay(true);
      const bytes = Buffer.from(answerFrame("grüß\nline"));
      let at = 0;
      const timer = setInterval(() => {
        socket.write(bytes.subarray(at, ++at));
        if (at === bytes.length) clearInterval(timer);
      }, 1);
    });
    assert.equal((await sendOne([daemon.address])).value, "redis:12:grüß\nline");
  });

  test("The client reads an answer of 20 MB", async () => {
    const value = "x".repeat(20_000_000);
    await using daemon = await fakeDaemon(answer(value));
    const length = await runPhp("$result = strlen(dbsync_send('GET big'))", {
      ini: { "dbsync.servers": daemon.address, "dbsync.format": "text" },
    });
    assert.equal(length, value.length);
  });

  test("A mutated answer yields a value or an error, never a warning or a delay", async () => {
    const random = new SeededRandom(seed());
    const frames = 400;
    await using daemon = await fakeDaemon((_frame, socket) => {
      const bytes = Buffer.from(
        random.oneOf([answerFrame("hello"), "ds:1:\0", "ds:20:redis:2:1\0redis:2:2\0"]),
      );
      for (let times = random.between(1, 3); times > 0; times--) {
        bytes[random.below(bytes.length)] = random.chance(0.5)
          ? random.below(256)
          : random.oneOf([48, 57, 58, 0]);
      }
      socket.end(bytes.subarray(0, random.chance(0.8) ? bytes.length : random.below(bytes.length)));
    });

    const types = (await runPhp(
      `$result = []; for ($i = 0; $i < ${frames}; $i++) {
        $value = dbsync_send('GET k'); $result[] = [gettype($value), gettype(dbsync_last_error())];
      }`,
      { ini: { "dbsync.servers": daemon.address } },
    )) as [string, string][];

    assert.equal(types.length, frames);
    for (const [value, error] of types) assert.ok(value === "NULL" || error === "NULL", `${value}, ${error}`);
  });

  test("An answer that exceeds PHP's memory limit does not end the script", async () => {
    // For a moment an answer is stored twice: one of 60 MB fits into 128 MiB.
    await using large = await fakeDaemon(answer("x".repeat(60_000_000)));
    await using other = await fakeDaemon(answer("x".repeat(60_000_000)));
    await using tooLarge = await fakeDaemon(answer("x".repeat(67_000_000)));
    const result = await runPhp(
      `$both = strlen(dbsync_send('GET big', '${large.address},${other.address}'));
      dbsync_send('GET big', '${tooLarge.address}'); $result = [$both, dbsync_last_error()]`,
      { ini: { memory_limit: "128M" } },
    );
    const [length, error] = result as [number, string];
    assert.equal(length, 60_000_000 + "redis:60000001:".length);
    assert.match(error, /garbage: announces an answer of 67\d{6} bytes, which exceeds PHP's memory limit/);
  });

  test("The client returns the first chunk of several databases", async () => {
    await using daemon = await fakeDaemon((_frame, socket) => {
      socket.write("ds:20:redis:2:1\0redis:2:2\0");
    });
    assert.equal((await sendOne([daemon.address])).value, "redis:2:1");
  });
});

/** Several fake daemons that are stopped together. */
class FakeDaemons implements AsyncDisposable {
  readonly #daemons: Awaited<ReturnType<typeof fakeDaemon>>[] = [];

  get addresses(): string[] {
    return this.#daemons.map((daemon) => daemon.address);
  }

  async add(behaviour: Behaviour) {
    const daemon = await fakeDaemon(behaviour);
    this.#daemons.push(daemon);
    return daemon;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#daemons.map((daemon) => daemon[Symbol.asyncDispose]()));
  }
}

function quoted(text: string): string {
  return text.replace(/[.[\]]/g, "\\$&");
}
