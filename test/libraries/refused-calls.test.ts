/**
 * Tests what programs see if their library needs a command that a sidecar refuses: an exception, and never a call that
 * hangs. docs/sidecar.md has the table, with what phpredis and Symfony do instead.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { skipUnlessFull } from "../support/amount.js";
import { repositoryRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirements.js";
import { run } from "../support/run-program.js";
import { type Served, startSidecarOfThree } from "./servers.js";

const folder = join(repositoryRoot, "test", "libraries");
const PHP = ["php", "php/refused_calls.php"] as const;
const PYTHON = ["/usr/bin/python3", "python/refused_calls.py"] as const;
const NODE = [process.execPath, "npm/refused-calls.mjs"] as const;

/** What the program has seen. */
interface Found {
  readonly threw?: string;
  readonly returned?: unknown;
  readonly pending?: true;
  /** The errors of event handlers and of promises that no caller has. */
  readonly events?: readonly string[];
  readonly warnings?: readonly string[];
  readonly ms: number;
}

/** A row of the page's table. */
interface Row {
  /** The first two columns of the page, without formatting. */
  readonly name: string;
  readonly program: readonly [program: string, file: string];
  readonly debianPackage?: string;
  /** The program's calls, each with what it must see. */
  readonly calls: Readonly<Record<string, (found: Found) => void>>;
}

const throws =
  (error: RegExp) =>
  ({ threw }: Found): void =>
    assert.match(String(threw), error);
const returns =
  (value: unknown) =>
  ({ returned }: Found): void =>
    assert.deepEqual(returned, value);
/** An error of an event handler, or of a promise that no caller has, which ends a Node program. */
const reports =
  (error: RegExp) =>
  ({ events = [] }: Found): void =>
    assert.match(events.join("\n"), error);

const PHPREDIS_ERROR = throws(/^RedisException: NOTAPPLIED /);
const PREDIS_ERROR = throws(/^Predis\\Response\\ServerException: NOTAPPLIED /);
const RESPONSE_ERROR = throws(/^ResponseError: (Command # 2 .* caused error: )?NOTAPPLIED /);
const REPLY_ERROR = throws(/^ReplyError: NOTAPPLIED /);
const NODE_REDIS_ERROR = throws(/^(Simple)?Error: NOTAPPLIED /);
const NOT_INVALIDATED = (found: Found): void => {
  returns({ saved: true, answer: false, isHit: true })(found);
  assert.match(String(found.warnings), /NOTAPPLIED/);
};

const ROWS: readonly Row[] = [
  {
    name: "phpredis 5 | eval, evalSha, also in pipeline",
    program: PHP,
    debianPackage: "php-redis",
    calls: {
      "phpredis eval": PHPREDIS_ERROR,
      "phpredis pipeline eval": PHPREDIS_ERROR,
    },
  },
  {
    name: "phpredis 5 | publish, wait",
    program: PHP,
    debianPackage: "php-redis",
    calls: { "phpredis publish": PHPREDIS_ERROR, "phpredis wait": PHPREDIS_ERROR },
  },
  {
    name: "phpredis 5 | blPop, xRead with a time limit",
    program: PHP,
    debianPackage: "php-redis",
    calls: { "phpredis blPop": returns(false), "phpredis xRead block": returns(false) },
  },
  {
    name: "phpredis 5 | subscribe, psubscribe",
    program: PHP,
    debianPackage: "php-redis",
    calls: { "phpredis subscribe": returns(null), "phpredis pSubscribe": returns(null) },
  },
  {
    name: "PHP sessions of phpredis 5 | session_write_close with redis.session.locking_enabled = 1",
    program: PHP,
    debianPackage: "php-redis",
    calls: { "PHP session": PHPREDIS_ERROR },
  },
  {
    name: "predis 1 | eval, pubSubLoop",
    program: PHP,
    debianPackage: "php-nrk-predis",
    calls: { "predis eval": PREDIS_ERROR, "predis subscribe": throws(/^Error: /) },
  },
  {
    name: "Laravel 8 | Cache::add, Redis::throttle, release of Cache::lock",
    program: PHP,
    debianPackage: "php-illuminate-cache",
    calls: {
      "Laravel phpredis Cache::add": PHPREDIS_ERROR,
      "Laravel phpredis lock": returns(true),
      "Laravel phpredis release": PHPREDIS_ERROR,
      "Laravel phpredis throttle": PHPREDIS_ERROR,
      "Laravel predis Cache::add": PREDIS_ERROR,
      "Laravel predis lock": returns(true),
      "Laravel predis release": PREDIS_ERROR,
      "Laravel predis throttle": PREDIS_ERROR,
    },
  },
  {
    name: "Symfony 5 | acquire of RedisStore",
    program: PHP,
    debianPackage: "php-symfony-lock",
    calls: {
      "Symfony phpredis acquire": throws(/LockAcquiringException: /),
      "Symfony predis acquire": throws(/LockAcquiringException: /),
    },
  },
  {
    name: "Symfony 5 | invalidateTags of RedisTagAwareAdapter",
    program: PHP,
    debianPackage: "php-symfony-cache",
    calls: {
      "Symfony phpredis RedisTagAwareAdapter": NOT_INVALIDATED,
      "Symfony predis RedisTagAwareAdapter": NOT_INVALIDATED,
    },
  },
  {
    name: "Symfony 5 | invalidateTags of TagAwareAdapter around RedisAdapter",
    program: PHP,
    debianPackage: "php-symfony-cache",
    calls: {
      "Symfony phpredis TagAwareAdapter": returns({ saved: true, answer: true, isHit: false }),
      "Symfony predis TagAwareAdapter": returns({ saved: true, answer: true, isHit: false }),
    },
  },
  {
    name: "redis-py 4 | Lock",
    program: PYTHON,
    debianPackage: "python3-redis",
    calls: { "redis-py Lock": RESPONSE_ERROR },
  },
  {
    name: "redis-py 4 | eval, blpop, xreadgroup with block, publish, pubsub",
    program: PYTHON,
    debianPackage: "python3-redis",
    calls: {
      "redis-py eval": RESPONSE_ERROR,
      "redis-py pipeline": RESPONSE_ERROR,
      "redis-py blpop": RESPONSE_ERROR,
      "redis-py xreadgroup": RESPONSE_ERROR,
      "redis-py publish": RESPONSE_ERROR,
      "redis-py subscribe": RESPONSE_ERROR,
    },
  },
  {
    name: "django-redis 5 | lock",
    program: PYTHON,
    debianPackage: "python3-django-redis",
    calls: { "django-redis lock": RESPONSE_ERROR },
  },
  {
    name: "django-redis 5 | incr",
    program: PYTHON,
    debianPackage: "python3-django-redis",
    calls: { "django-redis incr": returns(2) },
  },
  {
    name: "Celery 5 | send_task with a result",
    program: PYTHON,
    debianPackage: "python3-celery",
    calls: { "Celery send_task": RESPONSE_ERROR },
  },
  {
    name: "RQ 1 | enqueue",
    program: PYTHON,
    debianPackage: "python3-rq",
    calls: { "RQ enqueue": returns("queued") },
  },
  {
    name: "redlock 4 | lock",
    program: NODE,
    calls: {
      "redlock lock": (found) => {
        throws(/^LockError: /)(found);
        reports(/clientError: NOTAPPLIED/)(found);
      },
    },
  },
  {
    name: "BullMQ 6 | add, Worker, QueueEvents",
    program: NODE,
    calls: { "BullMQ add": REPLY_ERROR, "BullMQ worker": REPLY_ERROR, "BullMQ QueueEvents": REPLY_ERROR },
  },
  {
    name: "bull 4 | add, process",
    program: NODE,
    calls: { "bull add": REPLY_ERROR, "bull process": REPLY_ERROR },
  },
  {
    name: "bee-queue 2 | ready, save, process",
    program: NODE,
    calls: {
      "bee-queue ready": REPLY_ERROR,
      "bee-queue save": REPLY_ERROR,
      "bee-queue save, without events": REPLY_ERROR,
      "bee-queue process": reports(/^error: NOTAPPLIED/),
    },
  },
  {
    name: "node-resque 9 | enqueue, Worker",
    program: NODE,
    calls: { "node-resque enqueue": returns(true), "node-resque worker": reports(/^error: NOTAPPLIED/) },
  },
  {
    name: "Bottleneck 2, rate-limiter-flexible 11, rate-limit-redis 6 | schedule, consume, increment",
    program: NODE,
    calls: {
      "Bottleneck schedule": REPLY_ERROR,
      "rate-limiter-flexible consume": REPLY_ERROR,
      "rate-limit-redis increment": REPLY_ERROR,
    },
  },
  { name: "connect-redis 9 | set", program: NODE, calls: { "connect-redis set": returns(null) } },
  {
    name: "socket.io's adapters | new Server",
    program: NODE,
    calls: {
      "socket.io redis-adapter, ioredis": reports(/^unhandled rejection: NOTAPPLIED/m),
      "socket.io redis-adapter, node-redis": reports(/^unhandled rejection: NOTAPPLIED/m),
      "socket.io sharded adapter, ioredis": reports(/^unhandled rejection: NOTAPPLIED/m),
      "socket.io sharded adapter, node-redis": reports(/^unhandled rejection: NOTAPPLIED/m),
      "socket.io streams adapter": reports(/^unhandled rejection: NOTAPPLIED/m),
    },
  },
  {
    name: "node-redis 6 | clientSideCache",
    program: NODE,
    calls: { "node-redis client-side cache": returns("new") },
  },
  {
    name: "node-redis 6 | eval, also in multi, blPop, publish, subscribe",
    program: NODE,
    calls: {
      "node-redis eval": NODE_REDIS_ERROR,
      "node-redis multi eval": NODE_REDIS_ERROR,
      "node-redis blPop": NODE_REDIS_ERROR,
      "node-redis publish": NODE_REDIS_ERROR,
      "node-redis subscribe": NODE_REDIS_ERROR,
    },
  },
  {
    name: "ioredis 6 | eval, defineCommand, blpop, xread with BLOCK, subscribe, monitor",
    program: NODE,
    calls: {
      "ioredis eval": REPLY_ERROR,
      "ioredis defineCommand": REPLY_ERROR,
      "ioredis pipeline eval": ({ returned }) =>
        assert.match(JSON.stringify(returned), /ReplyError: NOTAPPLIED/),
      "ioredis blpop": REPLY_ERROR,
      "ioredis xread block": REPLY_ERROR,
      "ioredis subscribe": REPLY_ERROR,
      "ioredis monitor": REPLY_ERROR,
    },
  },
];

function skipOf({ program, debianPackage }: Row): string | false {
  if (skipUnlessFull) return skipUnlessFull;
  if (debianPackage !== undefined) return skipWithout(debianPackage);
  const isInstalled = program !== NODE || existsSync(join(folder, "npm", "node_modules"));
  return isInstalled ? false : "test/libraries/npm is not installed";
}

test("the page lists these libraries and calls, and no others", () => {
  const page = readFileSync(join(repositoryRoot, "docs/sidecar.md"), "utf8");
  const [, table = ""] = page.split("| library | call | the program sees |\n|---|---|---|\n");
  const listed = (table.split("\n\n")[0] ?? "")
    .split("\n")
    .map((line) => line.split(" | ").slice(0, 2).join(" | "));
  assert.deepEqual(
    listed.map((line) => line.replace(/^\| |[`*]/g, "")),
    ROWS.map(({ name }) => name),
  );
});

let sidecar: Served | null = null;
before(async () => {
  if (!skipUnlessFull) sidecar = await startSidecarOfThree();
});
after(async () => await sidecar?.[Symbol.asyncDispose]());

for (const row of ROWS)
  test(`through a sidecar, a program sees the outcome of ${row.name}`, { skip: skipOf(row) }, async (t) => {
    const [program, file] = row.program;
    for (const [call, check] of Object.entries(row.calls)) {
      const args = [join(folder, file), call, String(sidecar?.port)];
      const ended = await run(program, args, { env: { PYTHONDONTWRITEBYTECODE: "1" } });
      assert.equal(ended.code, 0, `${call}: ${ended.stdout}${ended.stderr}`);
      const found = JSON.parse(ended.stdout.trim().split("\n").at(-1) ?? "") as Found;
      try {
        check(found);
      } catch (problem) {
        throw new Error(`${call}: ${ended.stdout}`, { cause: problem });
      }
      assert.ok(found.pending !== true, `${call}: ${ended.stdout}`);
      t.diagnostic(`${call}: ${found.ms} ms`);
    }
  });
