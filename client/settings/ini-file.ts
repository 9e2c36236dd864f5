/**
 * Reads dbsync.ini, which has the syntax of php.ini: `dbsync.servers = …`; `;` begins a comment, quotes are optional,
 * section headers are ignored. The prefix is optional. `extension = …` is for PHP and is skipped.
 */
import { didYouMean } from "../../protocol/nearest-name.js";
import { DbsyncError } from "../shared/errors.js";

const SETTINGS = ["servers", "signkey", "cluster", "ca", "keepalive", "format", "versions"] as const;

/** Lines of a php.ini fragment for the original extension that have no meaning here. */
const FOREIGN = ["extension"];

/** The settings that the file contains. */
export type IniSettings = Partial<Record<(typeof SETTINGS)[number], string>>;

/**
 * Parses the text of an ini file. If a setting occurs twice, the last one is used, as in PHP.
 * @param file  for messages
 * @throws DbsyncError `bad-config`, naming file and line
 */
export function parseIni(text: string, file: string): IniSettings {
  const settings: IniSettings = {};
  for (const [index, raw] of text
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .entries()) {
    const line = raw.trim();
    if (line === "" || line.startsWith(";") || /^\[[^\]]*\]\s*(;.*)?$/.test(line)) continue;
    const fail = (problem: string) => new DbsyncError("bad-config", `${file}, line ${index + 1}: ${problem}`);
    if (line.startsWith("#")) throw fail("a comment begins with ;, not with #");
    const equals = line.indexOf("=");
    if (equals < 1) throw fail(`expected "name = value", found ${JSON.stringify(line)}`);
    const name = line.slice(0, equals).trim();
    if (FOREIGN.includes(name)) continue;
    const known = SETTINGS.find((setting) => name === setting || name === `dbsync.${setting}`);
    if (known === undefined) {
      throw fail(
        `there is no setting ${JSON.stringify(name)}: ${didYouMean(name, SETTINGS.map(named))}There are ${SETTINGS.map(named).join(", ")}`,
      );
    }
    settings[known] = readValue(line.slice(equals + 1).trim(), fail);
  }
  return settings;
}

const named = (setting: string): string => `dbsync.${setting}`;

function readValue(text: string, fail: (problem: string) => DbsyncError): string {
  const quote = text[0];
  if (quote !== '"' && quote !== "'") return (text.split(";", 1)[0] ?? "").trim();
  const end = text.indexOf(quote, 1);
  if (end < 0) throw fail(`the quote ${quote} is not closed`);
  const rest = text.slice(end + 1).trim();
  if (rest !== "" && !rest.startsWith(";"))
    throw fail(`expected nothing after the closing quote, found ${rest}`);
  return text.slice(1, end);
}
