/**
 * A daemon on loopback that follows a script of faults, and records which commands it has received and applied. After
 * `release` it answers everything, including what it has held back, so that a test can see what is still applied.
 */
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { FrameParser, writeFrame } from "../../../protocol/frame.js";
import { writeResponseFrame } from "../../../protocol/version-1/response-v1.js";
import { FakeDaemon } from "../../client/fake-daemon-v2.js";
import { freePort } from "../../support/free-port.js";
import { until } from "../../support/until.js";

/**
 * The handling of a hello:
 * - `hang`: answered only after the release
 * - `close`: the connection is closed without an answer, like that of a daemon of version 1
 * - `half`: the connection is closed in the middle of the answer
 */
export const HELLO_STEPS = ["answer", "hang", "close", "half", "garbage"] as const;

/**
 * The handling of a command. In steps whose names begin with `apply`, the client receives no complete answer:
 * - `error`: a reply that is an error; nothing is applied
 * - `refuse-date`: refused because of its date, so that the client may sign it again
 * - `refuse-unknown`: applied, and refused with the effect `unknown`
 * - `hang`, `apply-hang`: answered only after the release; `hang` also applies it only then
 * - `close`, `apply-close`, `apply-half`: the connection is closed, with `half` in the middle of the answer
 * - `apply-die`: the daemon listens again only after the release
 */
export const COMMAND_STEPS = [
  "answer",
  "error",
  "refuse",
  "refuse-date",
  "refuse-unknown",
  "hang",
  "apply-hang",
  "close",
  "apply-close",
  "apply-half",
  "apply-garbage",
  "apply-die",
] as const;

/** The steps for the hellos and the commands. The last step of each list repeats. */
export interface DaemonScript {
  /** Whether it accepts connections before the release. */
  readonly listens: boolean;
  readonly version: 1 | 2;
  /** Whether clients expect TLS. The handshake fails, because the daemon does not use TLS. */
  readonly isTlsExpected: boolean;
  readonly hellos: readonly (typeof HELLO_STEPS)[number][];
  readonly commands: readonly (typeof COMMAND_STEPS)[number][];
  /** Whether it stops reading after a hello until the release, so that a long command is only written in part. */
  readonly stopsReading: boolean;
}

type CommandStep = DaemonScript["commands"][number];

const GARBAGE = "HTTP/1.1 400 Bad Request\r\n\r\n";
/** The key of a command of the tests, in version 1 and in version 2. */
const SET_COMMAND = /SET(?: |\r\n\$\d+\r\n)(\S+)/;

export class ScriptedDaemon implements AsyncDisposable {
  readonly script: DaemonScript;
  /** The number of times that the command for each key was applied. */
  readonly applied = new Map<string, number>();
  /** The number of connections, hellos and commands that it has received. */
  events = 0;
  /** Called after each event. */
  onEvent: () => void = () => {};
  readonly #daemon: FakeDaemon;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #held: (() => void)[] = [];
  #step: CommandStep = "answer";
  #hellos = 0;
  #commands = 0;
  #isReleased = false;
  #port = 0;

  private constructor(script: DaemonScript, id: number) {
    this.script = script;
    this.#daemon = new FakeDaemon({
      id,
      clock: Date.now,
      reply: ([name = "", key = ""]) => {
        if (this.#step === "error") return { kind: "error", text: "WRONGTYPE No." };
        if (name === "SET") this.#count(key);
        return { kind: "status", text: "OK" };
      },
    });
    this.#server = createServer({ noDelay: true }, (socket) => this.#serve(socket));
  }

  static async start(script: DaemonScript, id: number): Promise<ScriptedDaemon> {
    const daemon = new ScriptedDaemon(script, id);
    daemon.#port = await freePort();
    if (script.listens) await daemon.#listen();
    return daemon;
  }

  /** The `host:port` at which it listens. */
  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** Answers what was held back, and from now on everything. */
  async release(): Promise<void> {
    this.#isReleased = true;
    if (!this.#server.listening) await this.#listen();
    for (const proceed of this.#held.splice(0)) proceed();
    for (const socket of this.#sockets) socket.resume();
  }

  /** Waits until all connections have ended and all their bytes were handled. */
  async untilIdle(): Promise<void> {
    await until(`the client has closed its connections to ${this.address}`, () => this.#sockets.size === 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    if (this.#server.listening) await new Promise((resolve) => this.#server.close(resolve));
  }

  async #listen(): Promise<void> {
    await once(this.#server.listen(this.#port, "127.0.0.1"), "listening");
  }

  #count(key: string): void {
    this.applied.set(key, (this.applied.get(key) ?? 0) + 1);
  }

  #happened(): void {
    this.events++;
    this.onEvent();
  }

  #serve(socket: Socket): void {
    const parser = new FrameParser(1 << 26);
    const take = this.#daemon.connection();
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("data", (chunk: Buffer) => {
      for (const payload of parser.split(chunk)) {
        const isHello = parser.version === 2 && payload.includes("hello\r\n");
        if (isHello) this.#greet(socket, () => take(frameOf(payload)));
        else {
          const key = SET_COMMAND.exec(payload.toString("latin1"))?.[1] ?? "";
          const takeCommand = () =>
            parser.version === 1 ? this.#takeVersion1(key) : this.#takeVersion2(key, take(frameOf(payload)));
          this.#command(socket, takeCommand);
        }
      }
      if (parser.malformed !== null) socket.destroy();
    });
    this.#happened();
  }

  #greet(socket: Socket, take: () => Buffer[]): void {
    const { hellos, version, stopsReading } = this.script;
    const step = this.#isReleased ? "answer" : (hellos[this.#hellos] ?? hellos.at(-1));
    this.#hellos++;
    if (version === 1 || step === "close") socket.end();
    else if (step === "garbage") socket.end(GARBAGE);
    else if (step === "half") socket.end(half(take()));
    else if (step === "hang") this.#held.push(() => socket.write(Buffer.concat(take())));
    else socket.write(Buffer.concat(take()));
    if (stopsReading && !this.#isReleased) socket.pause();
    this.#happened();
  }

  #command(socket: Socket, take: () => Buffer[]): void {
    const { commands } = this.script;
    const step = this.#isReleased ? "answer" : (commands[this.#commands] ?? commands.at(-1) ?? "answer");
    this.#commands++;
    const answer = (as: CommandStep) => {
      this.#step = as;
      this.#daemon.refusal = refusalOf(as);
      return take();
    };
    this.#handle(socket, step, answer);
    this.#happened();
  }

  #handle(socket: Socket, step: CommandStep, answer: (as: CommandStep) => Buffer[]): void {
    if (step === "hang") this.#held.push(() => socket.write(Buffer.concat(answer("answer"))));
    else if (step === "close") socket.destroy();
    else if (!step.startsWith("apply")) {
      const bytes = answer(step);
      // Daemons of version 1 close the connection instead of an error.
      if (bytes.length === 0) socket.end();
      else socket.write(Buffer.concat(bytes));
    } else {
      const bytes = answer("answer");
      if (step === "apply-hang") this.#held.push(() => socket.write(Buffer.concat(bytes)));
      else if (step === "apply-half") socket.end(half(bytes));
      else if (step === "apply-garbage") socket.end(GARBAGE);
      else if (step === "apply-close") socket.destroy();
      else {
        this.#server.close();
        for (const each of this.#sockets) each.destroy();
      }
    }
  }

  #takeVersion1(key: string): Buffer[] {
    if (this.#step !== "answer" && this.#step !== "refuse-unknown") return [];
    this.#count(key);
    return [Buffer.from(writeResponseFrame(["OK"]), "latin1")];
  }

  #takeVersion2(key: string, answers: Buffer[]): Buffer[] {
    // The envelope may have arrived before, on another connection.
    if (this.#step === "refuse-unknown" && !this.applied.has(key)) this.#count(key);
    return answers;
  }
}

function refusalOf(step: CommandStep): FakeDaemon["refusal"] {
  if (step === "refuse") return { code: "busy", effect: "not-applied" };
  if (step === "refuse-date") return { code: "skew", effect: "not-applied" };
  return step === "refuse-unknown" ? { code: "log-failed", effect: "unknown" } : null;
}

const frameOf = (payload: Buffer): Buffer => Buffer.from(writeFrame(payload.toString("latin1"), 2), "latin1");

function half(frames: readonly Buffer[]): Buffer {
  const bytes = Buffer.concat(frames);
  return bytes.subarray(0, bytes.length >> 1);
}
