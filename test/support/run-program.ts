/** Runs programs of other languages. */
import { spawn } from "node:child_process";

/** Milliseconds after which a program counts as hung; it is then killed, and its test fails. */
const PROGRAM_MS = 300_000;

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. Only the given variables are added to PATH and HOME. */
export function run(
  program: string,
  args: readonly string[],
  options: { env?: Readonly<Record<string, string>>; input?: string; cwd?: string } = {},
): Promise<Ended> {
  const { PATH = "", HOME = "" } = process.env;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      env: { PATH, HOME, ...options.env },
      timeout: PROGRAM_MS,
      killSignal: "SIGKILL",
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
    child.stdin.on("error", () => {});
    child.stdin.end(options.input ?? "");
  });
}
