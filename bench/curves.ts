/** Curves over sizes as an SVG, both axes logarithmic. */

export interface Curves {
  readonly sizes: readonly number[];
  /** Nanoseconds at each size. */
  readonly curves: readonly { readonly name: string; readonly values: readonly number[] }[];
}

const WIDTH = 900;
const HEIGHT = 620;
const LEFT = 70;
const RIGHT = 230;
const TOP = 30;
const BOTTOM = 50;
/** Lowest distance between two names. */
const LINE = 14;

export function drawCurves({ sizes, curves }: Curves): string {
  const all = curves.flatMap(({ values }) => values);
  const low = Math.floor(Math.log10(Math.min(...all)));
  const high = Math.ceil(Math.log10(Math.max(...all)));
  const x = (place: number) => LEFT + (place * (WIDTH - LEFT - RIGHT)) / (sizes.length - 1);
  const y = (value: number) =>
    HEIGHT - BOTTOM - ((Math.log10(value) - low) * (HEIGHT - TOP - BOTTOM)) / (high - low);
  const parts: string[] = [];
  for (let power = low; power <= high; power++) {
    const at = y(10 ** power).toFixed(1);
    parts.push(`<path d="M${LEFT} ${at}H${WIDTH - RIGHT}" stroke="#ddd"/>`);
    parts.push(`<text x="${LEFT - 8}" y="${at}" text-anchor="end">${nanoseconds(10 ** power)}</text>`);
  }
  sizes.forEach((size, place) => {
    parts.push(
      `<text x="${x(place)}" y="${HEIGHT - BOTTOM + 20}" text-anchor="middle">${size.toLocaleString("en")}</text>`,
    );
  });
  const last = (values: readonly number[]) => values.at(-1) as number;
  let free = HEIGHT;
  for (const [number, { name, values }] of curves
    .toSorted((a, b) => last(a.values) - last(b.values))
    .entries()) {
    const colour = `hsl(${(number * 360) / curves.length} 70% 40%)`;
    const points = values.map((value, place) => `${x(place).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
    free = Math.min(free - LINE, y(last(values)));
    parts.push(`<polyline points="${points}" fill="none" stroke="${colour}" stroke-width="1.5"/>`);
    parts.push(`<text x="${WIDTH - RIGHT + 8}" y="${free.toFixed(1)}" fill="${colour}">${name}</text>`);
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">
<title>Time of an operation by the number of elements</title>
<rect width="100%" height="100%" fill="#fff"/>
<text x="${LEFT}" y="18">Time of an operation by the number of elements</text>
${parts.join("\n")}
</svg>
`;
}

function nanoseconds(value: number): string {
  if (value < 1000) return `${value} ns`;
  return value < 1e6 ? `${value / 1000} µs` : `${value / 1e6} ms`;
}
