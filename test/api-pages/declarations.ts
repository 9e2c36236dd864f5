/** Parses compiled .d.ts files: their declarations with doc comments, and their imports from each other. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { buildRoot } from "../support/repository.js";

export interface Declaration {
  readonly name: string;
  readonly kind: "function" | "class" | "interface" | "type" | "const";
  /** The doc comment without its asterisks, or "" if there is none. */
  readonly doc: string;
  /** The code, including the comments of its members. */
  readonly code: string;
  readonly file: string;
}

/** One .d.ts file. Paths are relative to the build folder, without the extension `.d.ts`. */
class DeclarationFile {
  readonly path: string;
  readonly declarations = new Map<string, Declaration>();
  /** The exports in their order: names, or `*` of a file. */
  readonly exports: { readonly name: string; readonly from: string }[] = [];
  /** The source files of imported and re-exported names. */
  readonly imports = new Map<string, string>();

  constructor(path: string) {
    this.path = path;
    const text = readFileSync(join(buildRoot, `${path}.d.ts`), "utf8");
    const masked = withoutCommentsAndStrings(text);
    const statement =
      /^(?:(import|export)\b(?: type)? (\{[^}]*\}|\*) from "([^"]+)";|(export )?(?:declare )?(function|class|interface|type|const) (\w+))/gm;
    for (const found of withoutComments(text).matchAll(statement)) {
      const [, word, names = "", from = "", exported, kind, name = ""] = found;
      if (kind === undefined) this.#takeNames(word === "export", names, from);
      else {
        this.#takeDeclaration(text, masked, found.index, kind as Declaration["kind"], name);
        if (exported !== undefined) this.exports.push({ name, from: path });
      }
    }
  }

  #takeNames(isExport: boolean, names: string, from: string): void {
    if (!from.startsWith(".")) return;
    const path = join(dirname(this.path), from.replace(/\.js$/, ""));
    for (const [, name = ""] of names.matchAll(/(?:type )?(\w+|\*)/g)) {
      this.imports.set(name, path);
      if (isExport) this.exports.push({ name, from: path });
    }
  }

  #takeDeclaration(
    text: string,
    masked: string,
    start: number,
    kind: Declaration["kind"],
    name: string,
  ): void {
    const code = text.slice(start, endOf(masked, start, kind === "interface" || kind === "class"));
    const [, comment = ""] = /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n$/.exec(text.slice(0, start)) ?? [];
    const doc = comment.replace(/^ *\* ?/gm, "").trim();
    this.declarations.set(name, { name, kind, doc, code, file: this.path });
  }
}

const blank = (text: string) => text.replace(/[^\n]/g, " ");

/** Returns the text with comments and strings replaced by spaces, so that offsets stay the same. */
const withoutCommentsAndStrings = (text: string) =>
  text.replace(/\/\*[\s\S]*?\*\/|"(?:\\.|[^"\\])*"/g, blank);

/** Returns the text with comments replaced by spaces, but not strings. */
const withoutComments = (text: string) => text.replace(/\/\*[\s\S]*?\*\//g, blank);

/** Returns the end of a declaration: the closing brace of a block, otherwise the semicolon outside of brackets. */
function endOf(masked: string, start: number, isBlock: boolean): number {
  let depth = 0;
  for (let i = start; i < masked.length; i++) {
    const character = masked[i] as string;
    if ("{([".includes(character)) depth++;
    if ("})]".includes(character)) depth--;
    if (depth === 0 && (isBlock ? character === "}" : character === ";")) return i + 1;
  }
  throw new Error(`A declaration has no end: ${masked.slice(start, start + 80)}`);
}

const files = new Map<string, DeclarationFile>();

function fileAt(path: string): DeclarationFile {
  const file = files.get(path) ?? new DeclarationFile(path);
  files.set(path, file);
  return file;
}

/**
 * Returns the declaration of a name in a file, or undefined if the name belongs to Node or the language, or does not
 * exist.
 */
function declarationOf(path: string, name: string): Declaration | undefined {
  const file = fileAt(path);
  const from = file.imports.get(name);
  return file.declarations.get(name) ?? (from === undefined ? undefined : declarationOf(from, name));
}

/** Returns the exports of a file in their order. */
export function exportsOf(path: string): Declaration[] {
  return fileAt(path).exports.flatMap(({ name, from }) => {
    if (name === "*") return exportsOf(from);
    const found = declarationOf(from, name);
    if (found === undefined)
      throw new Error(`${path}.d.ts exports ${name}, which ${from}.d.ts does not declare.`);
    return [found];
  });
}

/** Returns the declarations that the given ones refer to, directly or indirectly, without the given ones. */
export function usedBy(declarations: readonly Declaration[]): Declaration[] {
  const all = new Set(declarations);
  // Declarations that are added during the iteration are also visited.
  for (const { code, file } of all)
    for (const [name] of withoutCommentsAndStrings(code).matchAll(/\b[A-Za-z]\w*\b(?!\??:|\()/g)) {
      const used = declarationOf(file, name);
      if (used !== undefined && used.kind !== "function") all.add(used);
    }
  return [...all].slice(declarations.length);
}
