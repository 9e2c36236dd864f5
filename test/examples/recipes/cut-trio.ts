/** Three real daemons with timelines whose links can be cut, and clients that reach only some of them. */
import { after } from "node:test";
import { type Client, createClient, type SendOptions } from "dbsyncd";
import { CuttablePort } from "../../support/cuttable-port.js";
import { Trio } from "../../support/trio.js";

/** A smaller window for recipes that wait for `stable`, which then takes about 7 s. */
export const SMALL_WINDOW = ["--window", "3s,1s"] as const;

/** The timeout of calls, long enough for a busy machine. */
const CALL_MS = 20_000;

/** The timeout until the daemons are equal again. */
const HEAL_MS = 180_000;

export class CutTrio implements AsyncDisposable {
  readonly trio: Trio;
  /** The ports through which the daemons connect to each other, one per daemon. */
  readonly #links: readonly CuttablePort[];
  #open: AsyncDisposable[] = [];
  readonly #killed = new Set<number>();
  readonly #isShared: boolean;

  private constructor(trio: Trio, links: readonly CuttablePort[], isShared: boolean) {
    this.#isShared = isShared;
    this.trio = trio;
    this.#links = links;
  }

  /**
   * Starts the daemons and waits until they are equal.
   * @param isShared  whether disposing of the trio restores the daemons and deletes their data for the next test
   */
  static async start(args: readonly string[] = [], isShared = false): Promise<CutTrio> {
    const trio = await Trio.make(args);
    const links = await Promise.all(trio.ports.map((port) => CuttablePort.open(() => port)));
    trio.linkPorts = links.map(({ port }) => port);
    await trio.startAll();
    await trio.untilNoneIsLate();
    return new CutTrio(trio, links, isShared);
  }

  /** Whether all links between daemons are cut. */
  set areApart(areApart: boolean) {
    for (const link of this.#links) link.isCut = areApart;
  }

  /** Returns a client of all three daemons. */
  client(options: Partial<SendOptions> = {}): Client {
    return this.#createClient(this.trio.servers, options);
  }

  /** Returns a client of all three daemons, and its links, which can be cut. */
  async cuttable(options: Partial<SendOptions> = {}): Promise<{ client: Client; links: CuttablePort[] }> {
    const links = await Promise.all(this.trio.ports.map((port) => CuttablePort.open(() => port)));
    for (const link of links) this.#disposeLater(link);
    const servers = links.map(({ port }) => `127.0.0.1:${port}`);
    return { client: this.#createClient(servers, options), links };
  }

  /** Returns a client of all three daemons that reaches only some of them. */
  async reaching(indices: readonly number[], options: Partial<SendOptions> = {}): Promise<Client> {
    const { client, links } = await this.cuttable(options);
    for (const [index, link] of links.entries()) link.isCut = !indices.includes(index);
    return client;
  }

  /** Waits until all daemons are connected and equal. */
  async heal(): Promise<void> {
    this.areApart = false;
    await this.trio.level(HEAL_MS);
  }

  /** Kills a daemon, like a power failure. */
  async kill(index: number): Promise<void> {
    this.#killed.add(index);
    await this.trio.end(index, "SIGKILL");
  }

  async restart(index: number): Promise<void> {
    this.#killed.delete(index);
    await this.trio.start(index);
    await this.trio.until("the daemon is live", async () => (await this.trio.status(index)).state === "live");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isShared) return await this.end();
    await this.#close();
    for (const index of this.#killed) await this.restart(index);
    await this.heal();
    await using client = this.trio.client();
    await client.send("FLUSHALL", { policy: "all" });
    await this.trio.untilNoneIsLate();
  }

  async end(): Promise<void> {
    await this.#close();
    await this.trio[Symbol.asyncDispose]();
    await Promise.all(this.#links.map((link) => link[Symbol.asyncDispose]()));
  }

  async #close(): Promise<void> {
    for (const each of this.#open.toReversed()) await each[Symbol.asyncDispose]();
    this.#open = [];
  }

  /** Creates a client of the installed package, since the recipes check for its error class. */
  #createClient(servers: readonly string[], options: Partial<SendOptions>): Client {
    return this.#disposeLater(
      createClient({ servers, key: this.trio.app.privateKey, timeout: CALL_MS, ...options }),
    );
  }

  #disposeLater<Open extends AsyncDisposable>(open: Open): Open {
    this.#open.push(open);
    return open;
  }
}

/** Returns a function that returns the trio of a test file. The tests of the file use it one after the other. */
export function shareTrio(): () => Promise<CutTrio> {
  let shared: Promise<CutTrio> | null = null;
  after(async () => (await shared?.catch(() => null))?.end());
  return () => (shared ??= CutTrio.start([], true));
}
