/** Runs the command lines that a document prints for several terminals. Free ports replace the printed ones. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { killedAtExit } from "../../support/child-process.js";
import { freePort } from "../../support/free-port.js";
import { buildRoot, repositoryRoot } from "../../support/repository.js";
import { until } from "../../support/until.js";

const { bin } = JSON.parse(readFileSync(join(repositoryRoot, "package.json"), "utf8")) as {
  readonly bin: Readonly<Record<string, string>>;
};

/** Returns the lines of the block that contains `marker`, without comments, and with free ports. */
export async function printedLines(document: string, marker: string): Promise<readonly string[]> {
  const text = readFileSync(join(repositoryRoot, document), "utf8");
  const blocks = [...text.matchAll(/^```console\n([\s\S]*?)^```$/gm)].map(([, block]) => block as string);
  const block = blocks.find((each) => each.includes(marker)) ?? "";
  const ports = new Map<string, number>();
  for (const [port] of block.matchAll(/\b[1-9]\d{3}\b(?= |$|:|,)/gm))
    if (isPort(port)) ports.set(port, ports.get(port) ?? (await freePort()));
  return block
    .replace(/\b[1-9]\d{3}\b/g, (port) => String(ports.get(port) ?? port))
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
}

/** Whether a number in a line is a port. The times in the lines are multiples of 1000 ms, and the ports are not. */
const isPort = (digits: string) => !digits.endsWith("000");

export class Terminal implements AsyncDisposable {
  readonly #line: string;
  readonly #folder: string;
  #child: ChildProcess | null = null;
  output = "";

  readonly #variables: Readonly<Record<string, string>>;

  /** @param folder  the folder in which the program runs */
  constructor(line: string, folder: string, variables: Readonly<Record<string, string>> = {}) {
    this.#line = line;
    this.#folder = folder;
    this.#variables = variables;
  }

  /** Starts the program. If `input` is not null, sends it and closes the standard input. */
  start(input: string | null = null): void {
    const [program = "", ...args] = this.#line.split(" ");
    const path = join(buildRoot, (bin[program] ?? program).replace(/^dist\//, ""));
    const { NODE_TEST_CONTEXT: _, ...others } = process.env;
    const env = { ...others, ...this.#variables };
    const child = killedAtExit(
      spawn(process.execPath, [path, ...args], { cwd: this.#folder, env, stdio: "pipe" }),
    );
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => (this.output += chunk.toString()));
    child.stdin.on("error", () => {});
    if (input !== null) child.stdin.end(input);
    this.#child = child;
  }

  /** Waits for the end. @returns the exit code, or null if it was killed */
  async ended(): Promise<number | null> {
    const child = this.#child;
    if (child !== null && child.exitCode === null && child.signalCode === null) await once(child, "exit");
    return child?.exitCode ?? null;
  }

  /** Waits for the first match in the program's output. @throws Error if the program ends without a match */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    let found = pattern.exec(this.output);
    await until(`the output contains ${pattern}`, () => {
      found = pattern.exec(this.output);
      if (found === null && this.#child?.exitCode !== null)
        throw new Error(`ended without ${pattern}: ${this.output}`);
      return found !== null;
    });
    return found ?? assert.fail();
  }

  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<number | null> {
    this.#child?.kill(signal);
    return await this.ended();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}
