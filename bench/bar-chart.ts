/** Draws horizontal bar charts as SVG, in colors that are readable on light and dark pages. */

/** One chart: its title, and the bars from top to bottom. */
interface Panel {
  readonly title: string;
  readonly bars: readonly Bar[];
}

export interface Bar {
  readonly name: string;
  readonly value: number;
  /** Whether the bar is drawn in the accent color. */
  readonly isOurs: boolean;
}

const WIDTH = 860;
const NAME_WIDTH = 430;
const VALUE_WIDTH = 70;
const BAR_HEIGHT = 16;
const ROW_HEIGHT = 22;
const TITLE_HEIGHT = 34;
const FONT = 'font-family="system-ui, sans-serif" font-size="12"';
const GRAY = "#8a8f98";
const OURS = "#2f81f7";

/**
 * Returns an SVG picture of the panels, one below the other. Each panel has its own scale from 0 to its maximum. The
 * title is read aloud by screen readers.
 */
export function barCharts(title: string, panels: readonly Panel[]): string {
  let y = 0;
  const parts = panels.map((panel) => {
    const drawn = drawPanel(panel, y);
    y += TITLE_HEIGHT + panel.bars.length * ROW_HEIGHT;
    return drawn;
  });
  const size = `width="${WIDTH}" height="${y}" viewBox="0 0 ${WIDTH} ${y}"`;
  const attributes = `xmlns="http://www.w3.org/2000/svg" role="img" ${size} ${FONT} fill="${GRAY}"`;
  return `<svg ${attributes}>\n<title>${escaped(title)}</title>\n${parts.join("\n")}\n</svg>\n`;
}

function drawPanel({ title, bars }: Panel, top: number): string {
  const max = Math.max(...bars.map(({ value }) => value));
  const rows = bars.map(({ name, value, isOurs }, i) => {
    const y = top + TITLE_HEIGHT + i * ROW_HEIGHT;
    const width = Math.max(1, (value / max) * (WIDTH - NAME_WIDTH - VALUE_WIDTH));
    const text = y + BAR_HEIGHT - 4;
    return [
      `<text x="${NAME_WIDTH - 8}" y="${text}" text-anchor="end">${escaped(name)}</text>`,
      `<rect x="${NAME_WIDTH}" y="${y}" width="${width.toFixed(1)}" height="${BAR_HEIGHT}" fill="${isOurs ? OURS : GRAY}"/>`,
      `<text x="${(NAME_WIDTH + width + 6).toFixed(1)}" y="${text}">${Math.round(value).toLocaleString("en")}</text>`,
    ].join("");
  });
  return [`<text x="0" y="${top + 20}" font-weight="bold">${escaped(title)}</text>`, ...rows].join("\n");
}

const escaped = (text: string): string => text.replace(/&/g, "&amp;").replace(/</g, "&lt;");
