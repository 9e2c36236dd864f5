/** Converts the help of a program to a manual page with the macros of man(7). */
import type { Command } from "commander";

export interface Book {
  /** The package and its version, such as `dbsyncd 0.1.0`. */
  readonly source: string;
}

/** Returns the complete page of a program: its options, then each subcommand with its options. */
export function manPage(program: Command, { source }: Book): string {
  const name = program.name();
  return [
    `.TH ${name.toUpperCase()} 1 "" "${source}" "User Commands"`,
    ".SH NAME",
    `${escaped(name)} \\- ${escaped(firstLower(program.description()))}`,
    ".SH SYNOPSIS",
    `.B ${escaped(usageOf(program, name))}`,
    ".SH OPTIONS",
    ...optionLines(program),
    ...(subcommandsOf(program).length === 0 ? [] : [".SH COMMANDS"]),
    ...subcommandsOf(program).flatMap((one) => subcommandLines(one, name)),
    ".SH NOTES",
    ...textLines(textAfterOptions(program)),
    "",
  ].join("\n");
}

function subcommandLines(command: Command, parent: string): string[] {
  const name = `${parent} ${command.name()}`;
  return [
    `.SS ${escaped(usageOf(command, name))}`,
    escaped(command.description()),
    ...optionLines(command),
    ...textLines(textAfterOptions(command)),
    ...subcommandsOf(command).flatMap((one) => subcommandLines(one, name)),
  ];
}

function subcommandsOf(command: Command): readonly Command[] {
  return command
    .createHelp()
    .visibleCommands(command)
    .filter((one) => one.name() !== "help");
}

const usageOf = (command: Command, name: string): string => `${name} ${command.usage()}`.trimEnd();

function optionLines(command: Command): string[] {
  const help = command.createHelp();
  const terms = [
    ...help
      .visibleArguments(command)
      .map((one) => [help.argumentTerm(one), help.argumentDescription(one)] as const),
    ...help
      .visibleOptions(command)
      .map((one) => [help.optionTerm(one), help.optionDescription(one)] as const),
  ];
  return terms.flatMap(([term, description]) => [".TP", `.B ${escaped(term)}`, escaped(description)]);
}

/** Returns the text that follows the options in the help: notes, examples and exit codes. */
function textAfterOptions(command: Command): string {
  let help = "";
  const before = command.configureOutput().writeOut;
  command.configureOutput({
    writeOut: (text) => {
      help += text;
    },
  });
  command.outputHelp();
  if (before !== undefined) command.configureOutput({ writeOut: before });
  return help.slice(help.indexOf(command.helpInformation()) + command.helpInformation().length);
}

/** Formats text: indented lines are unchanged, and paragraphs are filled. */
function textLines(text: string): string[] {
  return text
    .split(/\n{2,}/)
    .map((block) => block.replace(/^\n+|\s+$/g, ""))
    .filter((block) => block !== "")
    .flatMap((block) => {
      const lines = block.split("\n");
      const isList = lines.some((line) => line.startsWith("  "));
      return isList ? [".PP", ".nf", ...lines.map(escaped), ".fi"] : [".PP", ...lines.map(escaped)];
    });
}

const firstLower = (sentence: string): string =>
  `${sentence.slice(0, 1).toLowerCase()}${sentence.slice(1).replace(/\.$/, "")}`;

/** Returns a line in ASCII, with escapes from which roff prints the original characters. */
export function escaped(line: string): string {
  const text = line
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll("~", "\\(ti")
    .replaceAll("^", "\\(ha")
    .replaceAll("`", "\\(ga")
    .replaceAll("'", "\\(aq")
    .replace(/[^\x20-\x7e]/gu, (letter) => {
      const code = (letter.codePointAt(0) as number).toString(16).toUpperCase().padStart(4, "0");
      return `\\[u${code}]`;
    });
  return /^[.']/.test(text) ? `\\&${text}` : text;
}
