/** Tests the reader of LMDB's file: it reads what the package wrote, even if any page is empty or torn. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { DiskStorage } from "../../../../daemon/timeline/disk/disk-storage.js";
import {
  DamagedFile,
  type FileHead,
  findDamage,
  LmdbFile,
  type PageDamage,
} from "../../../../daemon/timeline/disk/lmdb-file.js";
import { writeOrderKey } from "../../../../daemon/timeline/entries/entry.js";
import { amount } from "../../../support/amount.js";
import { SeededRandom, seedOfRun } from "../../../support/seeded-random.js";
import { failingLog } from "../support/failing-log.js";

const TREES = ["entries", "marks"];
const ALL = Number.POSITIVE_INFINITY;

interface Written {
  readonly path: string;
  readonly entries: readonly (readonly [key: Buffer, value: Buffer])[];
}

async function withFile(count: number, use: (written: Written) => void): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "dbsync-pages-"));
  try {
    const storage = new DiskStorage(folder, "always", failingLog);
    for (let i = 0; i < count; i++) {
      const orderKey = writeOrderKey({ at: i, seq: 0, id: String(i).padEnd(32) });
      storage.put([[orderKey, Buffer.alloc(i % 100 === 0 ? 20_000 : i % 300, i)]]);
      if (i % 3 === 0) storage.remove([orderKey]);
      if (i % 500 === 0) await storage.settled();
    }
    await storage.settled();
    const entries = [...storage.entries(null, null)].map(
      ([key, value]) => [Buffer.from(key), Buffer.from(value)] as const,
    );
    await storage.close();
    use({ path: join(folder, "timeline", "data.mdb"), entries });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Returns the entries, and the ranges that cannot be read. */
function read(path: string, from: Buffer | null = null) {
  const file = new LmdbFile(path);
  try {
    const head: FileHead = file.head();
    const tree = file.tree(head, "entries");
    assert.ok(tree !== null && !("problem" in tree));
    const entries: [Buffer, Buffer][] = [];
    const damages: PageDamage[] = [];
    for (const found of file.nodes(head, tree, { from }))
      if (found.kind === "node") entries.push([found.key, found.value]);
      else damages.push(found.damage);
    return { entries, damages, last: file.last(head, tree), pageBytes: head.pageBytes };
  } finally {
    file.close();
  }
}

test("the reader returns everything that the package has written, from the beginning or from any key", () =>
  withFile(amount(8_000, 20_000), ({ path, entries }) => {
    const complete = read(path);
    assert.deepEqual(complete.damages, []);
    assert.ok(entries.length > amount(5_000, 10_000));
    assert.deepEqual(complete.entries, entries);
    assert.deepEqual(complete.last, entries.at(-1)?.[0]);
    for (const i of [0, 1, 77, entries.length - 1])
      assert.deepEqual(read(path, entries[i]?.[0]).entries, entries.slice(i), `from ${i} on`);
    assert.equal(findDamage(path, TREES, ALL), null);
  }));

test("an entry with the order key of the next one is damage, in the same page or in the next", () =>
  withFile(600, ({ path, entries }) => {
    const bytes = readFileSync(path);
    assert.equal(findDamage(path, TREES, ALL), null);
    for (const [at, [key]] of entries.slice(0, -1).entries()) {
      const [next] = entries[at + 1] as (typeof entries)[number];
      const copy = Buffer.from(bytes);
      for (let found = copy.indexOf(key); found >= 0; found = copy.indexOf(key, found + 1))
        next.copy(copy, found);
      writeFileSync(path, copy);
      assert.match(findDamage(path, TREES, ALL)?.problem ?? "none", /not in order/, `entry ${at}`);
    }
  }));

test("if one page of a file is empty, the reader returns the contents of all other pages and reports the page", () =>
  withFile(amount(1_500, 3_000), ({ path, entries }) => {
    const seed = seedOfRun();
    process.stdout.write(`seed ${seed}\n`);
    const random = new SeededRandom(seed);
    const bytes = readFileSync(path);
    const { pageBytes } = read(path);

    let reported = 0;
    for (let page = 2; page < bytes.length / pageBytes; page++) {
      const isTorn = random.below(2) === 0;
      const torn = Buffer.from(bytes);
      if (isTorn) torn.copy(torn, page * pageBytes, 0, pageBytes);
      else torn.fill(0, page * pageBytes, (page + 1) * pageBytes);
      writeFileSync(path, torn);

      const damage = damageIn(path);
      if (damage === null) continue;
      reported++;
      if (damage instanceof DamagedFile) continue;
      assert.equal(damage.page, page);

      const [found] = entriesOf(path);
      if (found === undefined) continue;
      const missing = entries.filter(([key]) => !found.has(key.toString("latin1")));
      for (const [key] of missing)
        assert.ok(
          (damage.from === null || key.compare(damage.from) >= 0) &&
            (damage.to === null || key.compare(damage.to) < 0),
          `page ${page}`,
        );
    }

    assert.ok(reported > 10, `${reported} pages`);
  }));

function damageIn(path: string): PageDamage | DamagedFile | null {
  try {
    return findDamage(path, TREES, ALL);
  } catch (problem) {
    assert.ok(problem instanceof DamagedFile, String(problem));
    return problem;
  }
}

/** Returns the entries. The result is empty if the main tree itself is damaged. */
function entriesOf(path: string): [Set<string>] | [] {
  const file = new LmdbFile(path);
  const tree = file.tree(file.head(), "entries");
  file.close();
  if (tree === null || "problem" in tree) return [];
  return [new Set(read(path).entries.map(([key]) => key.toString("latin1")))];
}
