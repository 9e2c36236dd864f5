/** A cluster of three daemons that serve the dashboard, and a client that writes to it. */
import { EnvelopeClient } from "../../../support/envelope-client.js";
import { freePort } from "../../../support/free-port.js";
import { ScratchFolder } from "../../../support/scratch-folder.js";
import { Trio } from "../../../support/trio.js";

const DAEMONS = 3;

export class WatchedCluster implements AsyncDisposable {
  readonly trio: Trio;
  /** The addresses of the pages. */
  readonly urls: readonly string[];
  /** The administrator's private key. */
  readonly rootFile: string;
  readonly #folder = new ScratchFolder();

  private constructor(trio: Trio, adminPorts: readonly number[]) {
    this.trio = trio;
    this.urls = adminPorts.map((port) => `http://localhost:${port}/`);
    this.rootFile = this.#folder.privateKey(trio.root, "root-private.pem");
  }

  static async start(): Promise<WatchedCluster> {
    const freePorts = () => Promise.all(Array.from({ length: DAEMONS }, freePort));
    const [ws, admin] = [await freePorts(), await freePorts()];
    const args = (index: number) => ["--ws", String(ws[index]), "--admin", String(admin[index])];
    return new WatchedCluster(await Trio.start(args, DAEMONS), admin);
  }

  /** A folder for files of the test, which contains the administrator's private key. */
  get folder(): string {
    return this.#folder.path;
  }

  /** Writes with an application's key. @param lateMs  age of the write's date in milliseconds */
  async write(index: number, command: readonly string[], lateMs = 0): Promise<void> {
    using client = await EnvelopeClient.open(this.trio.ports[index] as number, this.trio.app);
    await client.replies([command], { at: Math.floor(Date.now() - lateMs) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.trio[Symbol.asyncDispose]();
    this.#folder[Symbol.dispose]();
  }
}
