/** Daemons that list each other with --json-replica: whichever is killed and comes back, all end with the same documents. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type DaemonProcess, startDaemon } from "../../../support/daemon-process.js";
import { freePort } from "../../../support/free-port.js";
import { RawClient } from "../../../support/raw-client.js";
import { until } from "../../replicas.js";
import { ask } from "./scene.js";

const SIZE = 3;
const ROUNDS = 6;
/** Writes that come in between what happens to a member. */
const WRITES = 15;

interface Said {
  readonly status: string;
  readonly replicated?: boolean;
}

class Members implements AsyncDisposable {
  readonly ports: readonly number[];
  readonly #running = new Map<number, DaemonProcess>();

  private constructor(ports: readonly number[]) {
    this.ports = ports;
  }

  static async start(): Promise<Members> {
    const ports: number[] = [];
    while (ports.length < SIZE) ports.push(await freePort());
    const members = new Members(ports);
    for (const place of ports.keys()) await members.start(place);
    return members;
  }

  async start(place: number): Promise<void> {
    const others = this.ports.filter((_, other) => other !== place);
    const listed = others.flatMap((port) => ["--json-replica", `127.0.0.1:${port}`]);
    this.#running.set(place, await startDaemon(["--json", `127.0.0.1:${this.ports[place]}`, ...listed]));
  }

  async kill(place: number): Promise<void> {
    const daemon = this.at(place);
    daemon.kill("SIGKILL");
    await daemon.ended();
    this.#running.delete(place);
  }

  at(place: number): DaemonProcess {
    return this.#running.get(place) as DaemonProcess;
  }

  open(place: number): Promise<RawClient> {
    return RawClient.open(this.ports[place] as number);
  }

  /** The documents of each, as text. */
  async contents(): Promise<string[]> {
    return await Promise.all(
      this.ports.map(async (_, place) => {
        using client = await this.open(place);
        return await ask(client, { action: "getall" });
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#running.values()].map((daemon) => daemon.stop()));
  }
}

/** Writes at one member until it is told to stop, or the member is gone. */
class Writer {
  done = 0;
  /** What was said to be on another server too. */
  readonly replicated: string[] = [];
  readonly ended: Promise<void>;
  #isOver = false;

  constructor(
    readonly by: string,
    client: RawClient,
  ) {
    this.ended = this.#run(client);
  }

  stop(): Promise<void> {
    this.#isOver = true;
    return this.ended;
  }

  async #run(client: RawClient): Promise<void> {
    for (let n = 0; !this.#isOver; n++) {
      const mark = `${this.by}-${n}`;
      for (const request of requestsOf(mark, n)) {
        const text = await ask(client, request);
        if (text === "") return;
        const said = JSON.parse(text) as Said;
        if (request.document === "kept") assert.equal(said.status, "success", text);
        if (request.document === "kept" && said.replicated === true) this.replicated.push(mark);
      }
      this.done++;
    }
    client[Symbol.dispose]();
  }
}

/** One document only grows, one changes by positions, one comes and goes. */
function requestsOf(
  mark: string,
  n: number,
): { document: string; action: string; [more: string]: unknown }[] {
  const changed = [
    { document: "changed", action: "insert", data: [{ mark }] },
    { document: "changed", action: "delete", id: n % 5 },
    { document: "changed", action: "update", id: 1, data: { mark } },
  ];
  const passing = { document: "passing", action: n % 6 === 0 ? "create" : n % 6 === 5 ? "drop" : "insert" };
  return [
    { document: "kept", action: "insert", data: [{ mark }] },
    ...changed.slice(n % 2),
    n % 6 === 0 || n % 6 === 5 ? passing : { ...passing, data: [{ mark }] },
  ];
}

const more = (writer: Writer) => {
  const from = writer.done;
  return until("more is written", async () => writer.done >= from + WRITES);
};

test("members that are killed and come back while the others write have what all have", async (t) => {
  await using members = await Members.start();
  {
    using client = await members.open(0);
    for (const document of ["kept", "changed"]) await ask(client, { action: "create", document });
  }
  const expected = new Set<string>();
  for (let round = 0; round < ROUNDS; round++) {
    const victim = round % SIZE;
    const writers = await Promise.all(
      members.ports.map(async (_, place) => new Writer(`${round}-${place}`, await members.open(place))),
    );
    const others = writers.filter((_, place) => place !== victim);
    await Promise.all(others.map(more));
    await members.kill(victim);
    await writers[victim]?.ended;
    await Promise.all(others.map(more));
    await members.start(victim);
    const back = new Writer(`${round}-back`, await members.open(victim));
    await Promise.all([...others, back].map(more));
    await Promise.all([...others, back].map((writer) => writer.stop()));
    for (const writer of [...writers, back]) for (const mark of writer.replicated) expected.add(mark);
    await until(`all have the same after round ${round}`, async () => {
      const [first, ...rest] = await members.contents();
      return rest.every((one) => one === first);
    });
    const [first = ""] = await members.contents();
    const lost = [...expected].filter((mark) => first.split(`"mark":"${mark}"`).length < 2);
    assert.deepEqual(lost, [], `round ${round}: written and answered, and gone`);
  }
  t.diagnostic(`${expected.size} entries that were said to be replicated`);
});
