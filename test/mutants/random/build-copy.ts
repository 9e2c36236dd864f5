/** A copy of the build, in which one source file is changed and tests run. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { transform } from "esbuild";
import { buildRoot } from "../../support/repository.js";
import { usesBundles } from "../../support/uses-bundles.js";
import { end, FAILURE, UNFIT, UNTIL_MS } from "../test-process.js";

/** The folder of the copies. It is in the repository, where the copies find its packages. */
export const copies = join(buildRoot, ".mutants");

/** What a run of a test file shows. An unfit mutant has an error of its own code. */
export type Outcome = "passes" | "fails" | "hangs" | "unfit";

/** The processes of the runs. */
export const running = new Set<ChildProcess>();

export class BuildCopy {
  readonly #root: string;
  /** The compiled file that is changed, and its text without the change. */
  #changed: { readonly path: string; readonly text: string } | null = null;
  #areBundlesChanged = false;

  constructor(name: string) {
    this.#root = join(copies, name);
    for (const entry of readdirSync(buildRoot).filter((each) => !copies.endsWith(each)))
      cpSync(join(buildRoot, entry), join(this.#root, entry), { recursive: true });
  }

  /**
   * Compiles the text of a source file into the copy.
   * @param file  its path, relative to the repository
   * @throws Error if it has a syntax error
   */
  async change(file: string, text: string): Promise<void> {
    const { code } = await transform(text, { loader: "ts", format: "esm", target: "es2023" });
    const path = join(this.#root, file.replace(/\.ts$/, ".js"));
    this.#changed = { path, text: readFileSync(path, "utf8") };
    writeFileSync(path, code);
  }

  /** Restores what change() replaced. */
  restore(): void {
    if (this.#changed !== null) writeFileSync(this.#changed.path, this.#changed.text);
    this.#changed = null;
    if (!this.#areBundlesChanged) return;
    this.#areBundlesChanged = false;
    const bundles = join(this.#root, "bundles");
    rmSync(bundles, { recursive: true });
    cpSync(join(buildRoot, "bundles"), bundles, { recursive: true });
  }

  /**
   * Runs a test file until its first failure.
   * @param test  its path, relative to the build's root
   * @param limitMs  the time after which it hangs
   */
  async run(test: string, limitMs: number, env: NodeJS.ProcessEnv): Promise<Outcome> {
    const path = join(this.#root, test);
    if (this.#changed !== null && !this.#areBundlesChanged && usesBundles([path], join(this.#root, "test")))
      await this.#bundle();
    const child = spawn(process.execPath, ["--test-reporter=tap", path], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...env, DBSYNC_UNTIL_MS: UNTIL_MS },
      detached: true,
    });
    running.add(child);

    let output = "";
    let isHanging = false;
    const limit = setTimeout(() => {
      isHanging = true;
      end(child);
    }, limitMs);
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (bytes) => {
        output += bytes;
        if (FAILURE.test(output)) end(child);
      });
    const [code] = await once(child, "close");
    clearTimeout(limit);
    end(child);
    running.delete(child);
    if (isHanging) return "hangs";
    if (code === 0) return "passes";
    return UNFIT.test(output) ? "unfit" : "fails";
  }

  async #bundle(): Promise<void> {
    this.#areBundlesChanged = true;
    const module = JSON.stringify(join(this.#root, "test/support/make-bundles.js"));
    const child = spawn(process.execPath, ["-e", `import(${module}).then((m) => m.makeBundles())`], {
      stdio: "ignore",
    });
    await once(child, "close");
  }
}
