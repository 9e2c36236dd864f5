import assert from "node:assert/strict";
import { test } from "node:test";
import { createVirtualFileSystem } from "typescript/unstable/fs";
import { API } from "typescript/unstable/sync";
import { candidatesOf } from "./candidates.js";

/** Returns the texts of a file after each change that is possible. */
function changesOf(text: string): string[] {
  const files = {
    "/tsconfig.json": '{ "files": ["a.ts"], "compilerOptions": { "noLib": true } }',
    "/a.ts": text,
  };
  const compiler = new API({ cwd: "/", fs: createVirtualFileSystem(files) });
  try {
    const [project] = compiler.updateSnapshot({ openProjects: ["/tsconfig.json"] }).getProjects();
    const source = project?.program.getSourceFile("/a.ts");
    assert.ok(source);
    return candidatesOf(source).map(({ from, to, after }) => text.slice(0, from) + after + text.slice(to));
  } finally {
    compiler.close();
  }
}

test("operators, constants and conditions change, each to its neighbour or its opposite", () => {
  assert.deepEqual(changesOf("f(a < b && !c);"), ["f(a <= b && !c);", "f(a < b || !c);", "f(a < b && c);"]);
  assert.deepEqual(changesOf("x = 2n + 0x10;"), ["x = 3n + 0x10;", "x = 2n - 0x10;", "x = 2n + 17;"]);
  assert.deepEqual(changesOf("if (f()) g(true);"), ["if (!(f())) g(true);", "if (f()) g(false);"]);
  assert.deepEqual(changesOf("x = (a ? b : c);"), ["x = (!(a) ? b : c);"]);
});

test("comments, types, texts and names of properties do not change", () => {
  const text = '// 1 < 2\ntype T = 1 | true;\nlet x: 0 = f("1 < 2" + `3`);\ny = { 1: x as 2 };\n';
  assert.deepEqual(changesOf(text), []);
});
