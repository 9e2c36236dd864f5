/**
 * Replays the conversations recorded with the original's balancer against ours. Two daemons that replicate writes take
 * the place of the original's servers; one of them is stopped and started again at the same steps. One table lists all
 * answers that differ.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { BALANCER_ERROR, messageFrame } from "../../../../faces/sql/bytes/sql-frames.js";
import { DIFFERENCES } from "../../../../faces/sql/test/store/commands/differences.js";
import { bytesOfText } from "../../../../protocol/byte-string.js";
import { statementKind } from "../../../../tools/proxy/routing/statement-kind.js";
import { makeFolder, type RunningReplica, startReplica } from "../../../daemon/program/replicas.js";
import { peerArgs } from "../../../support/cluster-secret.js";
import { freePort } from "../../../support/free-port.js";
import { repositoryRoot } from "../../../support/repository.js";
import { SqlLineClient } from "../../../support/sql-line-client.js";
import { until } from "../../../support/until.js";
import { type BalancerScene, startBalancer } from "./scene.js";

interface Step {
  readonly send?: string;
  readonly expect?: string;
  readonly conn?: string;
  readonly target?: string;
  readonly event?: string;
}

interface Scenario {
  readonly name: string;
  readonly target: string;
  readonly steps: readonly Step[];
}

const scenarios = (
  JSON.parse(readFileSync(join(repositoryRoot, "test/vectors/sql/transcripts.json"), "utf8")) as Scenario[]
).filter(({ target }) => target === "lb");

const different = new Set(
  DIFFERENCES.flatMap(({ steps }) =>
    Object.entries(steps).flatMap(([name, numbers]) => numbers.map((number) => `${name} ${number}`)),
  ),
);

const NAMES = ["m1", "m2"] as const;
const isName = (text: string | undefined): text is (typeof NAMES)[number] => text === "m1" || text === "m2";
const isWrite = (statement: string) => statementKind(statement.replace(/;$/, "")).kind === "write";

/** Two daemons that are peers. Each keeps its port when it is restarted. */
class Pair implements AsyncDisposable {
  readonly sql: Readonly<Record<string, number>>;
  readonly #args: Readonly<Record<string, readonly string[]>>;
  readonly #running = new Map<string, RunningReplica>();

  private constructor(sql: Pair["sql"], args: Record<string, readonly string[]>) {
    this.sql = sql;
    this.#args = args;
  }

  static async start(folder: string): Promise<Pair> {
    const ports = [await freePort(), await freePort()];
    const [m1, m2] = [await freePort(), await freePort()];
    const argsOf = (index: number, sql: number) => [
      ...[...peerArgs(ports, index), "--sql", String(sql), "--data", `${folder}/${index}`],
    ];
    const pair = new Pair({ m1, m2 }, { m1: argsOf(0, m1), m2: argsOf(1, m2) });
    await Promise.all(NAMES.map((name) => pair.begin(name)));
    await pair.takeWrites();
    return pair;
  }

  async begin(name: string): Promise<void> {
    this.#running.set(name, await startReplica({ args: this.#args[name] ?? [] }));
  }

  async end(name: string): Promise<void> {
    await this.#running.get(name)?.[Symbol.asyncDispose]();
    this.#running.delete(name);
  }

  get #ports(): readonly number[] {
    return [...this.#running.keys()].map((name) => this.sql[name] as number);
  }

  /** Returns once every running daemon accepts writes. */
  async takeWrites(): Promise<void> {
    await until("daemons accept writes", async () =>
      (await Promise.all(this.#ports.map(takesWrites))).every(Boolean),
    );
  }

  /** Waits until all running daemons have the same data. */
  async alike(): Promise<void> {
    const ports = this.#ports;
    await until("daemons have the same data", async () => {
      const held = await Promise.all(ports.map(contents));
      return held.every((one) => one === held[0]);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const name of NAMES) await this.end(name);
  }
}

async function takesWrites(port: number): Promise<boolean> {
  using client = await SqlLineClient.open(port);
  return !(await client.told("ravao ny tahiry nothing")).includes("LOADING");
}

/** Returns all databases, and the rows of all of their tables. */
async function contents(port: number): Promise<string> {
  using client = await SqlLineClient.open(port);
  const names = (page: string) => [...page.matchAll(/\["(\w+)"\]/g)].map(([, name]) => name);
  let all = await client.ask("asehoy ny tahiry;");
  for (const database of names(all)) {
    all += await client.ask(`ampiasao ${database};`);
    const tables = await client.ask("asehoy ny tabilao;");
    all += tables + (await client.ask("asehoy ny efitra;")) + (await client.ask("asehoy ny jery;"));
    for (const table of names(tables)) all += await client.ask(`alaivo * ao@ ${table};`);
  }
  return all;
}

/** Sorts the rows of an answer whose order is undefined. */
const unordered = (answer: string, statement: string) =>
  /asehoy|vondrona/i.test(statement) ? [...answer].sort().join("") : answer;

class Play {
  readonly #pair: Pair;
  readonly #scene: BalancerScene;
  readonly #clients = new Map<string, SqlLineClient>();
  compared = 0;
  /** The number of steps that the original's balancer answered with an error, and that ours answers without one. */
  mended = 0;

  constructor(pair: Pair, scene: BalancerScene) {
    this.#pair = pair;
    this.#scene = scene;
  }

  async step(scenario: string, number: number, { send = "", expect = "", ...step }: Step): Promise<void> {
    const { target = "lb", conn = "", event } = step;
    if (event !== undefined) await this.#event(event);
    if (send === "") return;
    const isDirect = isName(target);
    if (isDirect || number === 0) await this.#pair.alike();
    const answer = await (await this.#client(`${scenario} ${target} ${conn}`, target)).ask(send);
    if (isDirect && isWrite(send)) await this.#pair.alike();
    const at = `${scenario} ${number}: ${send}`;
    if (expect === messageFrame(BALANCER_ERROR)) {
      assert.notEqual(answer, messageFrame(BALANCER_ERROR), at);
      this.mended++;
    }
    if (different.has(`${scenario} ${number}`)) return;
    assert.equal(unordered(answer, send), unordered(bytesOfText(expect), send), at);
    this.compared++;
  }

  /** Stops or starts a daemon. Resolves once the balancer has noticed the change, and running daemons accept writes. */
  async #event(event: string): Promise<void> {
    const [name = "", what] = event.split(" ");
    const runs = what !== "killed";
    if (runs) await this.#pair.begin(name);
    else await this.#pair.end(name);
    const server = this.#scene.balancer.servers.find(({ id }) => id === name);
    await until(`the balancer notices: ${event}`, () => server?.isUp === runs);
    await this.#pair.takeWrites();
  }

  async #client(key: string, target: string): Promise<SqlLineClient> {
    const port = isName(target) ? (this.#pair.sql[target] as number) : this.#scene.port;
    const client = this.#clients.get(key) ?? (await SqlLineClient.open(port));
    this.#clients.set(key, client);
    return client;
  }

  [Symbol.dispose](): void {
    for (const client of this.#clients.values()) client[Symbol.dispose]();
  }
}

test("the balancer answers as recorded while one daemon is stopped and started again at the recorded steps", async () => {
  using folder = makeFolder();
  await using pair = await Pair.start(folder.path);
  const servers = NAMES.map((id) => ({ id, port: pair.sql[id] as number }));
  await using scene = await startBalancer(servers, {
    settings: { settleTime: 2_000 },
    upstream: { heartbeatInterval: 100 },
  });
  using play = new Play(pair, scene);
  for (const { name, steps } of scenarios)
    for (const [number, step] of steps.entries()) await play.step(name, number, step);
  assert.ok(play.compared > 100, String(play.compared));
  assert.ok(play.mended > 10, String(play.mended));
});
