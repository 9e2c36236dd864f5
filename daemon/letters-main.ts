/**
 * The program behind `dbsync dead-letters`: the daemon's own options say which folder. Started by cli/past/folder-program.ts,
 * whose first word is the task, as JSON; it answers on standard output, in lines of JSON. What is to be written again it hands over
 * one by one, and is told on standard input what became of it.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { findLetters } from "../cluster/dead-letters/found-letters.js";
import {
  checkRemovable,
  checkWritable,
  chosen,
  doubtOf,
  NotChosen,
  shortId,
} from "../cluster/dead-letters/letter-choice.js";
import {
  type FoundLetters,
  type Letter,
  LettersFolder,
  LettersNotWritten,
  LetterTaken,
} from "../cluster/dead-letters/letters-folder.js";
import { toldLetter } from "../cluster/dead-letters/told-letter.js";
import { ownerOf } from "../engine/trust/data-folder.js";
import { StartError } from "../net/process/start-error.js";
import type {
  FateAnswer,
  FateQuestion,
  FoundFates,
  LetterOutcome,
  ToldLetter,
  ToldUnread,
} from "../protocol/told-letter.js";
import { hexOf } from "../protocol/version-2/envelope.js";
import { folderOf } from "./folder-option.js";
import { endFor } from "./program-ending.js";

export type LettersTask =
  | { readonly task: "list" }
  /** What the members lack of a daemon that was left out: asked of them through the program that asked. */
  | { readonly task: "find" }
  | { readonly task: "show" | "remove"; readonly ids: readonly string[] }
  /** `ids` null: all of which there is no doubt. */
  | { readonly task: "write-again"; readonly ids: readonly string[] | null; readonly isAnyway: boolean };

const [given = "{}", ...words] = process.argv.slice(2);
try {
  await run(JSON.parse(given) as LettersTask);
} catch (problem) {
  endFor(problem, { name: "dbsync", told: [NotChosen, LetterTaken, LettersNotWritten], failed: 1 });
}

/** @throws StartError @throws NotChosen */
async function run(task: LettersTask): Promise<void> {
  const data = await folderOf(words);
  if (!existsSync(data)) throw new StartError(`--data ${data}: there is no such folder.`, 1);
  if (!["timeline", "dead-letters"].some((name) => existsSync(join(data, name))))
    throw new StartError(
      `--data ${data}: there is no timeline in it, or it may not be read. Name the folder of a daemon.`,
      1,
    );
  if (task.task === "find") {
    await find(data);
    return;
  }
  const folder = new LettersFolder(data);
  const found = folder.list();
  if (task.task === "list") list(folder, found);
  else if (task.task === "write-again") await writeAgain(folder, wantedOf(found, task), task.isAnyway);
  else {
    const letters = chosen(found.letters, task.ids);
    if (task.task === "remove") {
      checkRemovable(letters);
      folder.remove(letters);
    }
    for (const letter of letters) tell(toldLetter(letter, folder.entry(letter), false));
  }
}

async function find(data: string): Promise<void> {
  const owner = ownerOf(data);
  if (owner === null || !existsSync(join(data, "timeline")))
    throw new StartError(`--data ${data}: it has no daemon's key, or no timeline. Name the whole folder.`, 1);
  const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  const ask = async (places: readonly string[]) => {
    tell({ daemon: hexOf(owner.id), places } satisfies FateQuestion);
    const { done, value } = await answers.next();
    if (done === true) throw new NotChosen("The members were not asked to the end: nothing is kept.");
    return (JSON.parse(value) as FateAnswer).fates;
  };
  const wait = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds));
  tell(await findLetters({ data, ask, now: Date.now(), wait }));
  process.stdin.destroy();
}

function list(folder: LettersFolder, { letters, unread }: FoundLetters): void {
  for (const letter of letters) tell(toldLetter(letter, folder.entry(letter), true));
  for (const { file, bytes } of unread) tell({ unread: file, bytes });
}

function wantedOf(
  { letters }: FoundLetters,
  { ids, isAnyway }: Extract<LettersTask, { task: "write-again" }>,
): Letter[] {
  const wanted =
    ids === null
      ? letters.filter((letter) => letter.state !== "undecided" && doubtOf(letter) === null)
      : chosen(letters, ids);
  checkWritable(wanted, isAnyway);
  return wanted;
}

async function writeAgain(
  folder: LettersFolder,
  letters: readonly Letter[],
  isAnyway: boolean,
): Promise<void> {
  const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  for (const letter of letters) {
    const entry = folder.entry(letter);
    if (entry === null) {
      tell({ damaged: shortId(letter) });
      continue;
    }
    folder.begin(letter, isAnyway);
    tell(toldLetter(letter, entry, false));
    const { done, value } = await answers.next();
    // The program that asked is gone: it stays begun.
    if (done === true) return;
    const { outcome } = JSON.parse(value) as LetterOutcome;
    if (outcome === "written") folder.written(letter);
    else if (outcome === "unwritten") folder.unwritten(letter);
  }
  process.stdin.destroy();
}

function tell(
  line: ToldLetter | ToldUnread | FateQuestion | FoundFates | { readonly damaged: string },
): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
