/** Runs the programs that make, install and try packages. */

import { run } from "../support/run-program.js";
import { npmVariables } from "../support/test-environment.js";

export interface CommandOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
}

/**
 * Runs a program that has to succeed.
 * @returns its output
 * @throws Error  with the command and the end of its output
 */
export async function succeed(
  program: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<string> {
  const { code, stdout, stderr } = await run(program, args, options);
  if (code === 0) return stdout;
  const printed = `${stdout}${stderr}`.trim().split("\n").slice(-20).join("\n");
  throw new Error(`${[program, ...args].join(" ")} failed with exit code ${code}:\n${printed}`);
}

/** Runs npm, pnpm or another program that may download packages. @returns its output */
export async function succeedWithNetwork(
  program: string,
  args: readonly string[],
  { env = {}, ...options }: CommandOptions,
): Promise<string> {
  const outer = Object.entries(npmVariables()).flatMap(([name, value]) =>
    value === undefined || /^npm_/i.test(name) ? [] : [[name, value] as const],
  );
  return await succeed(program, args, { ...options, env: { ...Object.fromEntries(outer), ...env } });
}
