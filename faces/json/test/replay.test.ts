/**
 * Replays the conversations recorded with the original server, byte for byte. Where dbsyncd differs, differences.json
 * contains its answer and the reason, which the manual explains.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { freePort } from "../../../test/support/free-port.js";
import { answer } from "../../../test/support/json-lines.js";
import { RawClient } from "../../../test/support/raw-client.js";
import { repositoryRoot } from "../../../test/support/repository.js";
import { until } from "../../../test/support/until.js";
import { startAsOriginal } from "./as-original.js";
import { type JsonScene, startJson } from "./scene.js";

interface Step {
  /** The server that receives the step, or that is started or stopped. */
  readonly node?: string;
  /** The replicas of a node that is started. */
  readonly replicas?: readonly string[];
  readonly send?: string;
  readonly send_hex?: string;
  readonly parts?: readonly string[];
  readonly terminator?: string;
  readonly conn?: string;
  readonly control?: "start" | "stop" | "connect" | "disconnect";
  readonly expect?: string;
  readonly closed?: boolean;
  readonly server_died?: boolean;
  readonly server_gone?: boolean;
  readonly second_version?: { readonly expect?: string };
}

interface Scenario {
  readonly name: string;
  readonly topology: Readonly<Record<string, readonly string[] | string>>;
  readonly steps: readonly Step[];
}

interface Difference {
  readonly scenario: string;
  /** The index of the step, from 0. */
  readonly step: number;
  /** The answer, with `<name>` in place of a server's address. */
  readonly answer: string;
  readonly reason: string;
}

/** An answer that no recorded conversation contains. The original's answer follows from its source code. */
interface Unrecorded {
  /** The reason, or null if dbsyncd returns the same answer. */
  readonly reason: string | null;
  /** The requests; `original` and `answer` belong to the last one. */
  readonly requests: readonly string[];
  readonly original: string;
  readonly answer?: string;
}

interface Reason {
  readonly original: string;
  readonly ours: string;
  readonly why: string;
}

const read = (name: string) =>
  JSON.parse(readFileSync(join(repositoryRoot, "test/vectors/json", name), "utf8")) as unknown;
const scenarios = read("transcripts.json") as readonly Scenario[];
const {
  reasons,
  steps: differences,
  unrecorded,
} = read("differences.json") as {
  readonly reasons: Readonly<Record<string, Reason>>;
  readonly steps: readonly Difference[];
  readonly unrecorded: readonly Unrecorded[];
};

/**
 * The reason for answers before the documents were fetched. Source:
 * docs/decisions/0052-documents-are-fetched-before-a-json-replica-is-written.md.
 */
const NOT_FETCHED = "not-fetched";
/** Milliseconds that a request waits for the first fetch before it is refused. */
const REFUSED_AFTER_MS = 500;

for (const scenario of scenarios) {
  test(`"${scenario.name}" receives the original's answers, except for the manual's differences`, async () => {
    await using nodes = new Nodes();
    for (const name of Object.keys(scenario.topology)) await nodes.place(name);
    for (const [name, replicas] of inOrderOfStart(scenario)) await nodes.start(name, replicas);
    await replay(scenario, nodes);
  });
}

/** Returns the servers in an order in which each server starts before the servers that fetch its documents. */
function inOrderOfStart({ topology }: Scenario): readonly (readonly [string, readonly string[]])[] {
  const ordered = new Map<string, readonly string[]>();
  const passed = new Set<string>();
  const visit = (name: string): void => {
    const replicas = topology[name];
    if (passed.has(name) || replicas === undefined || typeof replicas === "string") return;
    passed.add(name);
    for (const one of replicas) visit(one.replace("!", ""));
    ordered.set(name, replicas);
  };
  for (const name of Object.keys(topology).reverse()) visit(name);
  return [...ordered];
}

/** The servers of a scenario, by name. Each server treats the remaining servers as originals. */
class Nodes implements AsyncDisposable {
  readonly #ports = new Map<string, number>();
  readonly #running = new Map<string, JsonScene>();
  readonly #lists = new Map<string, readonly string[]>();

  async place(name: string): Promise<void> {
    this.#ports.set(name, await freePort());
  }

  /**
   * Starts a server.
   * @param replicas  names of servers; a leading "!" means that the original is configured with another address of
   *   that server
   */
  async start(name: string, replicas: readonly string[]): Promise<void> {
    const ports = replicas.map((one) => this.port(one.replace("!", "")));
    const started = await startAsOriginal({ port: this.port(name), replicas: ports });
    const askers = [...this.#running].filter(([one]) => this.#lists.get(one)?.includes(name));
    this.#running.set(name, started);
    this.#lists.set(name, replicas);
    for (const [one] of askers)
      await until(
        `${one} has fetched the documents of ${name}`,
        () => this.#running.get(one)?.figures?.isReady !== false,
      );
  }

  /** Runs a step that a server refuses because it has not fetched its documents, with a shorter wait. */
  async refusing<A>(name: string, work: () => Promise<A>): Promise<A> {
    const scene = this.#running.get(name) as JsonScene;
    scene.reload({ jsonReplicaTimeout: REFUSED_AFTER_MS });
    try {
      return await work();
    } finally {
      scene.reload({});
    }
  }

  /** Replaces names of servers, `<name>`, with their addresses. */
  withAddresses(answer: string): string {
    return [...this.#ports].reduce(
      (text, [name, port]) => text.replaceAll(`<${name}>`, `127.0.0.1:${port}`),
      answer,
    );
  }

  async stop(name: string): Promise<void> {
    await this.#running.get(name)?.[Symbol.asyncDispose]();
    this.#running.delete(name);
  }

  port(name: string): number {
    return this.#ports.get(name) as number;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#running.keys()].map((name) => this.stop(name)));
  }
}

async function replay({ name, steps }: Scenario, nodes: Nodes): Promise<void> {
  const clients = new Map<string, RawClient>();
  const drop = (conn: string) => {
    clients.get(conn)?.[Symbol.dispose]();
    clients.delete(conn);
  };
  try {
    for (const [index, step] of steps.entries()) {
      const node = step.node ?? "primary";
      const conn = `${node} ${step.conn ?? "main"}`;
      if (step.control === "start") await nodes.start(node, step.replicas ?? []);
      if (step.control === "stop") {
        for (const one of [...clients.keys()].filter((key) => key.startsWith(`${node} `))) drop(one);
        await nodes.stop(node);
      }
      if (step.control === "disconnect" || step.control === "connect") drop(conn);
      if (step.control !== undefined && step.control !== "connect") continue;
      const client = clients.get(conn) ?? (await RawClient.open(nodes.port(node)));
      clients.set(conn, client);
      if (step.control !== undefined) continue;
      const difference = differences.find((one) => one.scenario === name && one.step === index);
      const where = `${name}, step ${index}: ${step.send}`;
      const expected = difference === undefined ? recorded(step) : nodes.withAddresses(difference.answer);
      assert.ok(expected !== undefined, `no answer of the original is recorded: ${where}`);
      assert.notEqual(difference?.answer, recorded(step), `no longer a difference: ${where}`);
      const exchange = async () => {
        for (const bytes of bytesOf(step)) client.send(bytes.toString("latin1"));
        // An error is read up to its end: if it were shorter than expected, only the timeout would end the test.
        const isError = expected.startsWith('{"status":"error"') && expected.endsWith("\n\r");
        assert.equal(await (isError ? client.readTo("\n\r") : client.read(expected.length)), expected, where);
      };
      if (difference?.reason === NOT_FETCHED && expected.includes("not fetched"))
        await nodes.refusing(node, exchange);
      else await exchange();
      if (step.closed !== true || expected !== "" || difference !== undefined) continue;
      assert.equal(await client.readToClose(), "", where);
      clients.delete(conn);
    }
    for (const [conn, client] of clients)
      assert.equal(client.received, "", `${name}: unexpected bytes on ${conn}`);
  } finally {
    for (const client of clients.values()) client[Symbol.dispose]();
  }
}

function bytesOf({ send = "", send_hex, parts, terminator = "\n" }: Step): Buffer[] {
  if (parts !== undefined) return parts.map((part) => Buffer.from(part, "utf8"));
  const bytes = send_hex === undefined ? Buffer.from(send, "utf8") : Buffer.from(send_hex, "hex");
  return [Buffer.concat([bytes, Buffer.from(terminator)])];
}

/**
 * Returns the recorded answer, or undefined if there is none. If the original's first version had crashed, returns the
 * answer of its second version.
 */
function recorded({ expect = "", server_died, server_gone, second_version }: Step): string | undefined {
  return server_died || server_gone ? second_version?.expect : expect;
}

for (const { reason, requests, original, answer: ours = original } of unrecorded) {
  const where = reason === null ? "on the original" : `documented in the manual (${reason})`;
  test(`${requests.slice(-2).join(" ")} is answered as ${where}`, async () => {
    await using server = await startJson();
    using client = await RawClient.open(server.port);
    let last = "";
    for (const request of requests) {
      client.send(`${request}\n`);
      last = await answer(client);
    }
    assert.equal(last, ours);
    assert.equal(last === original, reason === null);
  });
}

test("the manual's table contains exactly the reasons for differences", () => {
  const document = readFileSync(join(repositoryRoot, "docs/json-documents.md"), "utf8");
  const [, section = ""] = document.split("## Differences from the original");
  const rows = section.split("\n").filter((line) => line.startsWith("|"));
  const expected = Object.values(reasons).map(
    ({ original, ours, why }) => `| ${original} | ${ours} | ${why} |`,
  );
  assert.deepEqual(rows.slice(2), expected);
  const used = new Set([...differences, ...unrecorded].flatMap(({ reason }) => reason ?? []));
  assert.deepEqual([...used].sort(), Object.keys(reasons).sort());
  for (const { scenario, step } of differences)
    assert.ok(scenarios.find(({ name }) => name === scenario)?.steps[step], `${scenario}, step ${step}`);
});
