/**
 * A model of daemons that accept writes, for the picture of the timeline. The state of a daemon follows from its
 * entries alone.
 */

/** The commands that the picture offers. `{daemon}` is the name of the daemon that the client writes to. */
export const COMMANDS = ["SET colour red", "SET colour blue", "INCR visits", "SET lock {daemon} NX"];

/**
 * Returns daemons without entries.
 * @param names  the names of the daemons
 * @returns `{ daemons: [{ name, isCut, entries }], answers, clock }`; an entry is `{ date, argv, origin, isLate }`, an
 *   answer `{ date, argv, origin, reply }`; entries are in the order of their dates
 */
export const newCluster = (names) => ({
  daemons: names.map((name) => ({ name, isCut: false, entries: [] })),
  answers: [],
  clock: 0,
});

/** Returns the cluster after a client's write to one daemon, which answers from the entries that it holds. */
export function write(cluster, index, command) {
  const { name, entries } = cluster.daemons[index];
  const date = cluster.clock + 1;
  const argv = command.replace("{daemon}", name).split(" ");
  const held = [...entries, { date, argv, origin: name, isLate: false }];
  const reply = fold(held).replies.get(date);
  const daemons = cluster.daemons.with(index, { ...cluster.daemons[index], entries: held });
  const answers = [...cluster.answers, { date, argv, origin: name, reply }];
  return spread({ daemons, answers, clock: date });
}

/** Returns the cluster after a daemon was cut off from the other ones, or connected to them again. */
export function setCut(cluster, index, isCut) {
  const daemons = cluster.daemons.with(index, { ...cluster.daemons[index], isCut });
  return spread({ ...cluster, daemons });
}

/**
 * Applies entries in the order of their dates.
 * @returns `{ state, replies }`: the keys with their values, and the reply of each entry by its date
 */
export function fold(entries) {
  const state = new Map();
  const replies = new Map();
  for (const { date, argv } of entries) replies.set(date, apply(state, argv));
  return { state, replies };
}

/** Sends all entries to all daemons that are not cut off. */
function spread(cluster) {
  const connected = cluster.daemons.filter(({ isCut }) => !isCut);
  const all = new Map(connected.flatMap(({ entries }) => entries.map((entry) => [entry.date, entry])));
  const daemons = cluster.daemons.map((daemon) => {
    if (daemon.isCut) return daemon;
    const held = new Map(daemon.entries.map((entry) => [entry.date, entry]));
    const newest = Math.max(0, ...held.keys());
    const entries = [...all.values()].map(
      (entry) => held.get(entry.date) ?? { ...entry, isLate: entry.date < newest },
    );
    return { ...daemon, entries: entries.sort((a, b) => a.date - b.date) };
  });
  return { ...cluster, daemons };
}

function apply(state, [name, key, value, option]) {
  if (name === "INCR") {
    state.set(key, String(Number(state.get(key) ?? 0) + 1));
    return state.get(key);
  }
  if (option === "NX" && state.has(key)) return "nil";
  state.set(key, value);
  return "OK";
}
