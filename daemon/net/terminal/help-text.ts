/** Breaks the help of the programs at the terminal's width. */

/** The width of help that is not printed on a terminal. */
const HELP_COLUMNS = 120;

/** Breaks paragraphs that have a line longer than `columns`. Indented lines, such as examples, are not changed. */
export const breakHelp = (help: string, columns = process.stdout.columns || HELP_COLUMNS): string =>
  help.replace(new RegExp(`^(?! ).{${columns + 1},}(?:\\n(?! ).+)*`, "gm"), (paragraph) =>
    paragraph
      .replaceAll("\n", " ")
      .replace(new RegExp(`(.{1,${columns}})(?: |$)`, "g"), "$1\n")
      .trimEnd(),
  );
