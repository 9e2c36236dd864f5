/**
 * Loaded into a daemon before its own program (node --import): at SIGUSR2 prints a line of JSON. The longest turn is what a request
 * waits for that comes just behind another one: also in CPU time, all threads, which other programs on the machine do not lengthen.
 */

export interface TurnProbe {
  /** CPU milliseconds of the process so far. */
  readonly cpu: number;
  /** Milliseconds of the longest turn since the last time that somebody asked. */
  readonly longest: number;
  readonly longestCpu: number;
}

const cpuMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

let at = performance.now();
let cpuAt = cpuMs();
let longest = 0;
let longestCpu = 0;

function note(): void {
  const [now, cpu] = [performance.now(), cpuMs()];
  longest = Math.max(longest, now - at);
  longestCpu = Math.max(longestCpu, cpu - cpuAt);
  [at, cpuAt] = [now, cpu];
}

setInterval(note, 1).unref();
process.on("SIGUSR2", () => {
  note();
  const turns: TurnProbe = { cpu: cpuAt, longest, longestCpu };
  longest = longestCpu = 0;
  console.log(JSON.stringify({ turns }));
});
