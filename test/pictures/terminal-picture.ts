/** Draws the screen of a terminal as an SVG file, which is small and contains the letters as text. */

const ESCAPE = "\x1b[";
const LETTER_WIDE = 8.4;
const LINE_HIGH = 19;
const EDGE = 16;
const COLOURS: Readonly<Record<string, string>> = { "1": "#ffffff", "31": "#ff8a80", "33": "#ffb86b" };

/** Returns the SVG. @param text  the screen; escape sequences that set a colour are applied, others ignored */
export function terminalPicture(title: string, text: string): string {
  const lines = text.replaceAll("\r", "").trimEnd().split("\n");
  const plain = lines.map((line) => line.replaceAll(escapes, ""));
  const columns = Math.max(60, ...plain.map(({ length }) => length));
  const width = Math.ceil(columns * LETTER_WIDE + 2 * EDGE);
  const height = lines.length * LINE_HIGH + 2 * EDGE;
  const rows = lines.map((line, row) => {
    const y = EDGE + (row + 0.75) * LINE_HIGH;
    return `<text x="${EDGE}" y="${y}" fill="${colourOf(line)}" xml:space="preserve">${escaped(plain[row] ?? "")}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">
<title>${escaped(title)}</title>
<rect width="100%" height="100%" rx="8" fill="#14181d"/>
<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="14">
${rows.join("\n")}
</g>
</svg>
`;
}

// biome-ignore lint/complexity/useRegexLiterals: the escape is a name
const escapes = new RegExp("\\x1b\\[[\\d;?]*[A-Za-z]", "g");

/** Returns the colour of a line. A line has only one colour. */
function colourOf(line: string): string {
  const [code = ""] = Object.keys(COLOURS).filter((one) => line.includes(`${ESCAPE}${one}m`));
  return COLOURS[code] ?? "#c8d0d9";
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
