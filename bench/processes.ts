/** Starts the servers of a benchmark: daemons and minimal servers, each in a separate process, and calls the latter. */
import { type ChildProcess, spawn } from "node:child_process";
import { connect } from "node:net";
import { join } from "node:path";
import { freePort } from "../test/support/free-port.js";
import { programPaths } from "../test/support/programs.js";
import { buildRoot } from "../test/support/repository.js";

export interface Server extends AsyncDisposable {
  readonly port: number;
  readonly pid: number;
  readonly process: ChildProcess;
  /** Milliseconds from the start of the process until it reports that it is listening. */
  readonly startMs: number;
}

export function startDaemon(args: readonly string[], nodeArgs: readonly string[] = []): Promise<Server> {
  const program = programPaths.dbsyncd;
  return startProgram([...nodeArgs, program, "-p", "0", "--log-format", "json", ...args]);
}

/** Servers that are stopped together. */
export type Together<Each> = readonly Each[] & AsyncDisposable;
export type Servers = Together<Server>;

export async function startTogether<Each extends AsyncDisposable>(
  starts: readonly Promise<Each>[],
): Promise<Together<Each>> {
  const servers = await Promise.all(starts);
  const stop = async () => void (await Promise.all(servers.map((server) => server[Symbol.asyncDispose]())));
  return Object.assign(servers, { [Symbol.asyncDispose]: stop });
}

/** A daemon with a further listener, and its port. */
export type FaceServer = Server & { readonly facePort: number };

export async function startFace(
  face: "resp" | "json",
  args: readonly string[] = [],
  nodeArgs: readonly string[] = [],
): Promise<FaceServer> {
  const facePort = await freePort();
  return { ...(await startDaemon([`--${face}`, String(facePort), ...args], nodeArgs)), facePort };
}

/**
 * Starts the minimal server of echo-server.ts.
 * @param answer  the answer to each chunk; default: that of echo-server.ts
 */
export function startEcho(...answer: readonly string[]): Promise<Server> {
  return startProgram([join(buildRoot, "bench/echo-server.js"), ...answer]);
}

export const startBareLoop = (): Promise<Server> => startProgram([join(buildRoot, "bench/bare-loop.js")]);

/** Starts a program that prints a line of JSON with "listening" and its port when it is ready. */
export function startProgram(args: readonly string[], node = process.execPath): Promise<Server> {
  const before = performance.now();
  const child = spawn(node, args, { stdio: ["ignore", "pipe", "inherit"] });
  return new Promise((resolve, reject) => {
    let output = "";
    child.once("exit", (code) => reject(new Error(`${args.join(" ")} ended with ${code}`)));
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk;
      const line = output.split("\n").find((candidate) => candidate.includes('"msg":"listening"'));
      if (line === undefined) return;
      const { port } = JSON.parse(line) as { port: number };
      resolve(server(child, port, performance.now() - before));
    });
  });
}

function server(child: ChildProcess, port: number, startMs: number): Server {
  return {
    port,
    pid: child.pid as number,
    process: child,
    startMs,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        child.once("exit", () => resolve());
        child.kill("SIGCONT");
        child.kill("SIGTERM");
      }),
  };
}

/** Calls of minimal servers: the same bytes are written to all of them, and the first complete answer counts. */
interface RoundTrip extends Disposable {
  /** Waits until one of the servers has answered all calls so far. */
  call(): Promise<void>;
}

/**
 * Connects to servers.
 * @param request  returns the bytes of the next call
 * @param answerBytes  the length of each answer
 */
export function roundTrip(ports: readonly number[], request: () => Buffer, answerBytes: number): RoundTrip {
  let calls = 0;
  let answered: () => void = () => {};
  const sockets = ports.map((port) => {
    let received = 0;
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    return socket.on("data", ({ length }) => {
      received += length;
      if (received === calls * answerBytes) answered();
    });
  });
  return {
    call: () =>
      new Promise((resolve) => {
        calls++;
        answered = resolve;
        const bytes = request();
        for (const socket of sockets) socket.write(bytes);
      }),
    [Symbol.dispose]: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
}
