/**
 * Runs the `js` blocks of docs/recipes.md as printed, each as a program with the page's client and the copied recipe,
 * against three daemons.
 */
import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { makeFolder } from "../../daemon/program/replicas.js";
import { skipUnlessFull } from "../../support/amount.js";
import { buildRoot, repositoryRoot } from "../../support/repository.js";
import { type Ended, run } from "../../support/run-program.js";
import { Trio } from "../../support/trio.js";
import { until } from "../../support/until.js";
import { SMALL_WINDOW } from "./cut-trio.js";

interface Program {
  /** The statement of the page by which the test finds the block. */
  readonly uses: string;
  /** The names that the page expects in the reader's program. */
  readonly before?: string;
  /** The checks of the results. */
  readonly after: string;
  /** The error that a program may print if the machine is too busy. The test then runs it again. */
  readonly isBusy?: string;
}

const PROGRAMS: readonly Program[] = [
  {
    uses: "new Lock(",
    before: "const reported = []; const report = async (number) => reported.push(number);",
    after: `assert.deepEqual(reported, [1]);
      assert.equal(await client.call(["ZSCORE", "lock:nightly-report", "released"]), "1");`,
  },
  { uses: "new UniqueNumbers(", after: "assert.ok(number > 0);" },
  {
    uses: "await positionOf(",
    before: 'const orderId = "order-1";',
    after: "assert.equal(invoice, 1);",
  },
  {
    uses: "new Queue(",
    before: 'const orderId = "order-1"; const order = { customer: "Ada" };',
    after: `assert.equal(job?.id, orderId);
      assert.equal(await client.call(["GET", "mails:sent"]), "1");
      assert.equal(await queue.take(), null);`,
  },
  {
    uses: "new RateLimit(",
    before: 'const userId = "user-7";',
    after: "",
    isBusy: "too many requests",
  },
  {
    uses: "new Sessions(",
    before: 'const id = "session-1";',
    after: `assert.equal(session?.fields.user, "ann");
      assert.equal((await sessions.load(id, seen))?.fields.theme, "dark");`,
  },
  {
    uses: "new Cache(",
    before: 'const loaded = []; const loadPage = async (name) => (loaded.push(name), "page of " + name);',
    after: `assert.equal(page, "page of /prices");
      assert.equal(await cache.get("/prices"), page);
      assert.deepEqual(loaded, ["/prices", "/prices"]);`,
  },
];

const TRACING: Program = {
  uses: "traceCalls(",
  before: `import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
    const exporter = new InMemorySpanExporter();
    const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
    trace.setGlobalTracerProvider(provider);`,
  after: `await client.call(["SET", "greeting", "hello"]);
    assert.deepEqual(exporter.getFinishedSpans().map(({ name }) => name), ["SET"]);`,
};

const page = readFileSync(join(repositoryRoot, "docs", "recipes.md"), "utf8");
const blocks = [...page.matchAll(/^```js\n([\s\S]*?)^```$/gm)].map(([, text = ""]) => text);
const [connecting = "", ...examples] = blocks;
const SERVERS = '"10.0.0.1,10.0.0.2,10.0.0.3"';

const openTelemetry = join(repositoryRoot, "test", "libraries", "npm", "node_modules", "@opentelemetry");

/** Returns the only block of the page with this statement. */
function exampleWith(statement: string): string {
  const found = examples.filter((example) => example.includes(statement));
  assert.equal(found.length, 1, statement);
  return found[0] as string;
}

/** A folder with the recipes, the client's key and the installed package. */
class ReaderFolder implements Disposable {
  readonly #folder = makeFolder();
  readonly #client: string;

  constructor(trio: Trio) {
    const at = (...names: readonly string[]) => join(this.#folder.path, ...names);
    cpSync(join(buildRoot, "examples", "recipes"), at(), { recursive: true });
    writeFileSync(at("package.json"), '{ "type": "module" }');
    writeFileSync(at("private.pem"), trio.app.privateKey.export({ type: "pkcs8", format: "pem" }), {
      mode: 0o600,
    });
    mkdirSync(at("node_modules", "dbsyncd"), { recursive: true });
    cpSync(join(repositoryRoot, "package.json"), at("node_modules", "dbsyncd", "package.json"));
    symlinkSync(buildRoot, at("node_modules", "dbsyncd", "dist"));
    symlinkSync(openTelemetry, at("node_modules", "@opentelemetry"));
    assert.ok(connecting.includes(SERVERS));
    this.#client = connecting
      .replace(SERVERS, JSON.stringify(trio.servers.join()))
      .replace('"private.pem"', '"private.pem", timeout: 20_000');
  }

  /** Runs a block after the page's client, and then the checks. */
  async run({ uses, before = "", after }: Program): Promise<Ended> {
    const parts = [this.#client, before, exampleWith(uses), after, "await client.close();"];
    const script = ['import assert from "node:assert/strict";', ...parts].join("\n");
    writeFileSync(join(this.#folder.path, "program.js"), script);
    return await run(process.execPath, ["program.js"], { cwd: this.#folder.path });
  }

  [Symbol.dispose](): void {
    this.#folder[Symbol.dispose]();
  }
}

test("the js blocks of docs/recipes.md run as printed", async () => {
  await using trio = await Trio.start(SMALL_WINDOW);
  using folder = new ReaderFolder(trio);
  for (const program of PROGRAMS) {
    let ended = await folder.run(program);
    const { isBusy } = program;
    await until("the program has run", () => isBusy === undefined || !ended.stderr.includes(isBusy), {
      pause: async () => (ended = await folder.run(program)),
    });
    assert.deepEqual(ended, { code: 0, stdout: "", stderr: "" }, program.uses);
  }
});

test("the js block about OpenTelemetry in docs/recipes.md runs as printed", {
  skip: skipUnlessFull || (existsSync(openTelemetry) ? false : "test/libraries/npm is not installed"),
}, async () => {
  await using trio = await Trio.start();
  using folder = new ReaderFolder(trio);
  assert.deepEqual(await folder.run(TRACING), { code: 0, stdout: "", stderr: "" });
});

test("every js block of docs/recipes.md has a test", () => {
  const tested = [...PROGRAMS, TRACING].map(({ uses }) => exampleWith(uses));
  assert.deepEqual(new Set(tested), new Set(examples));
});
