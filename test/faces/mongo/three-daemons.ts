/** Starts three daemons for MongoDB's drivers. Each has a data folder and keeps its port; all are peers. */
import { makeFolder } from "../../daemon/program/replicas.js";
import { knowsSecret } from "../../support/cluster-secret.js";
import { type DaemonProcess, startDaemon } from "../../support/daemon-process.js";
import { makeKeyPair } from "../../support/envelope-client.js";
import { freePort } from "../../support/free-port.js";

const DAEMONS = 3;

export class ThreeDaemons implements AsyncDisposable {
  /** The connection string with all daemons. */
  readonly url: string;
  readonly #key = makeKeyPair();
  readonly #folders = Array.from({ length: DAEMONS }, makeFolder);
  readonly #daemons: DaemonProcess[] = [];

  private constructor(
    readonly ports: readonly number[],
    readonly mongoPorts: readonly number[],
  ) {
    this.url = `mongodb://${mongoPorts.map((port) => `127.0.0.1:${port}`).join(",")}/shop`;
  }

  static async start(): Promise<ThreeDaemons> {
    const ports: number[] = [];
    for (let i = 0; i < 2 * DAEMONS; i++) ports.push(await freePort());
    const three = new ThreeDaemons(ports.slice(0, DAEMONS), ports.slice(DAEMONS));
    for (let i = 0; i < DAEMONS; i++) await three.begin(i);
    return three;
  }

  async begin(index: number): Promise<void> {
    const port = this.ports[index];
    this.#daemons[index] = await startDaemon([
      ...[
        "-s",
        this.#key.file,
        "-p",
        String(port),
        "--data",
        this.#folders[index]?.path ?? "",
        ...knowsSecret,
      ],
      ...this.ports.filter((other) => other !== port).flatMap((peer) => ["--peer", `127.0.0.1:${peer}`]),
      ...["--mongo", String(this.mongoPorts[index])],
    ]);
  }

  kill(index: number): void {
    this.#daemons[index]?.kill("SIGKILL");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const daemon of this.#daemons) await daemon[Symbol.asyncDispose]();
    for (const folder of this.#folders) folder[Symbol.dispose]();
  }
}
