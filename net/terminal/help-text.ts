/** Help of the programs, broken at the terminal's width. */

/** Width of help that is not printed on a terminal. */
const HELP_COLUMNS = 120;

/** Breaks paragraphs with a line that is longer than `columns`; indented lines, such as examples, stay as they are. */
export const breakHelp = (help: string, columns = process.stdout.columns || HELP_COLUMNS): string =>
  help.replace(new RegExp(`^(?! ).{${columns + 1},}(?:\\n(?! ).+)*`, "gm"), (paragraph) =>
    paragraph
      .replaceAll("\n", " ")
      .replace(new RegExp(`(.{1,${columns}})(?: |$)`, "g"), "$1\n")
      .trimEnd(),
  );
