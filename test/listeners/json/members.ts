/** Three daemons in processes of their own that list each other with --json-replica, and clients that write at them. */
import assert from "node:assert/strict";
import { until } from "../../daemon/replicas.js";
import { amount } from "../../support/amount.js";
import { type DaemonProcess, startDaemon } from "../../support/daemon-process.js";
import { freePort } from "../../support/free-port.js";
import { RawClient } from "../../support/raw-client.js";
import { type LinkRelay, startLinkRelay } from "./link-relay.js";
import { ask } from "./scene.js";

const SIZE = 3;
/** Writes that come in between what happens to a member. */
const WRITES = 15;
/** Of a writer between its writes: what it does while a member is waited for costs all of them. */
const PAUSE_MS = amount(20, 0);

interface Said {
  readonly status: string;
  readonly replicated?: boolean;
}

export interface MembersOptions {
  readonly timeout?: string;
  /** Whether their links can be cut. */
  readonly isRelayed?: boolean;
}

export class Members implements AsyncDisposable {
  readonly ports: readonly number[];
  readonly #options: MembersOptions;
  /** By from and to. */
  readonly #relays = new Map<string, LinkRelay>();
  readonly #running = new Map<number, DaemonProcess>();

  private constructor(ports: readonly number[], options: MembersOptions) {
    this.ports = ports;
    this.#options = options;
  }

  static async start(options: MembersOptions = {}): Promise<Members> {
    const ports: number[] = [];
    while (ports.length < SIZE) ports.push(await freePort());
    const members = new Members(ports, options);
    if (options.isRelayed)
      for (const from of ports.keys())
        for (const [to, port] of ports.entries())
          if (from !== to) members.#relays.set(`${from} ${to}`, await startLinkRelay(port));
    for (const place of ports.keys()) await members.start(place);
    using client = await members.open(0);
    for (const document of ["kept", "changed"])
      await until("all are ready", async () =>
        (await ask(client, { action: "create", document })).startsWith('{"status":"success"'),
      );
    return members;
  }

  async start(place: number): Promise<void> {
    const { timeout } = this.#options;
    const listed = this.ports.flatMap((port, other) => {
      if (other === place) return [];
      return ["--json-replica", `127.0.0.1:${this.#relays.get(`${place} ${other}`)?.port ?? port}`];
    });
    const limits = timeout === undefined ? [] : ["--json-replica-timeout", timeout];
    const json = ["--json", `127.0.0.1:${this.ports[place]}`];
    this.#running.set(place, await startDaemon([...json, ...listed, ...limits]));
  }

  async kill(place: number): Promise<void> {
    const daemon = this.at(place);
    daemon.kill("SIGKILL");
    await daemon.ended();
    this.#running.delete(place);
  }

  /** Nothing passes between two any more, and nobody is told; or all of it comes now. */
  cut(one: number, other: number, isCut: boolean): void {
    for (const pair of [`${one} ${other}`, `${other} ${one}`])
      (this.#relays.get(pair) as LinkRelay).isHeld = isCut;
  }

  at(place: number): DaemonProcess {
    return this.#running.get(place) as DaemonProcess;
  }

  open(place: number): Promise<RawClient> {
    return RawClient.open(this.ports[place] as number);
  }

  writers(round: string, places: readonly number[] = [...this.ports.keys()]): Promise<Writer[]> {
    return Promise.all(places.map(async (place) => new Writer(`${round}-${place}`, await this.open(place))));
  }

  /** Which one leads, as it says itself; -1: none, or more than one. */
  async leader(): Promise<number> {
    const claim = { term: 0, place: 0, since: 9e14, id: "nobody" };
    const meet = { action: "replica", does: "meet", id: "nobody", claim, counts: {} };
    const leading = await Promise.all(
      this.ports.map(async (_, place) => {
        using client = await this.open(place);
        const met = JSON.parse(await ask(client, meet)) as { id: string; claim: { id: string } };
        return met.id === met.claim.id;
      }),
    );
    return leading.filter(Boolean).length === 1 ? leading.indexOf(true) : -1;
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

  /** Waits until all have the same, and sees that nothing of what was answered is lacking. */
  async same(expected: ReadonlySet<string>, when: string): Promise<void> {
    await until(`all have the same ${when}`, async () => {
      const [first, ...rest] = await this.contents();
      return rest.every((one) => one === first);
    });
    const [first = ""] = await this.contents();
    const lost = [...expected].filter((mark) => !first.includes(`"mark":"${mark}"`));
    assert.deepEqual(lost, [], `${when}: written and answered, and gone`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // One that stands still would never end.
    for (const daemon of this.#running.values()) daemon.kill("SIGCONT");
    await Promise.all([...this.#running.values()].map((daemon) => daemon.stop()));
    for (const relay of this.#relays.values()) relay.close();
  }
}

/** Writes at one member until it is told to stop, or the member is gone. */
export class Writer {
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
      if (PAUSE_MS > 0) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
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

/** Waits until a writer has gone on. */
export function more(writer: Writer, writes = WRITES): Promise<void> {
  const from = writer.done;
  return until("more is written", async () => writer.done >= from + writes);
}
