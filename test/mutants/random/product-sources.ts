/** The source files of the product, as the compiler reads them, and whether it accepts a changed one. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { API } from "typescript/unstable/sync";
import { isOfTests } from "../../support/chosen-files.js";
import { ownFiles, repositoryRoot } from "../../support/repository.js";
import { type Candidate, candidatesOf } from "./candidates.js";

const PRODUCT = /^(client|keys|protocol|daemon|faces|tools)\/.*(?<!\.d)\.ts$/;

/** Matches files that generators write (tests compare them with what is generated), and that the build omits. */
const OMITTED =
  /^(daemon\/store\/rows\/family-rows\.ts$|client\/shared\/commands\.ts$|tools\/admin\/dashboard\/)/;

export class ProductSources {
  /** The text of each file that differs from the stored one, by its absolute path. */
  readonly #changed = new Map<string, string>();
  readonly #compiler = new API({
    cwd: repositoryRoot,
    fs: { readFile: (path) => this.#changed.get(path) },
  });
  #snapshot = this.#compiler.updateSnapshot({ openProjects: [join(repositoryRoot, "tsconfig.json")] });

  /** Returns the files, as paths relative to the repository. */
  files(): string[] {
    return ownFiles()
      .filter((file) => PRODUCT.test(file) && !isOfTests(file) && !OMITTED.test(file))
      .sort();
  }

  /** Returns the candidates of a file, by the number of their line, from 1. */
  candidates(file: string): Map<number, Candidate[]> {
    const source = this.#program.getSourceFile(join(repositoryRoot, file));
    if (source === undefined) throw new Error(`${file} is no source file of the build`);
    const lines = new Map<number, Candidate[]>();
    for (const candidate of candidatesOf(source)) {
      const line = source.text.slice(0, candidate.from).split("\n").length;
      lines.set(line, [...(lines.get(line) ?? []), candidate]);
    }
    return lines;
  }

  /** Returns the text of a file with a change. */
  changedText(file: string, { from, to, after }: Candidate): string {
    const text = readFileSync(join(repositoryRoot, file), "utf8");
    return `${text.slice(0, from)}${after}${text.slice(to)}`;
  }

  /** Returns the first error that the compiler finds in a file if it has this text, or null. */
  errorOf(file: string, text: string): string | null {
    const path = join(repositoryRoot, file);
    this.#changed.set(path, text);
    this.#update(path);
    const [error] = this.#program.getSemanticDiagnostics(path);
    this.#changed.delete(path);
    this.#update(path);
    return error?.text ?? null;
  }

  [Symbol.dispose](): void {
    this.#compiler.close();
  }

  get #program() {
    const [project] = this.#snapshot.getProjects();
    if (project === undefined) throw new Error("the compiler opened no project");
    return project.program;
  }

  #update(path: string): void {
    const before = this.#snapshot;
    this.#snapshot = this.#compiler.updateSnapshot({ fileChanges: { changed: [path] } });
    before.dispose();
  }
}
