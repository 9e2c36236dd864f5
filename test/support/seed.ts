/** The seed of randomised tests: DBSYNC_SEED, or a new one, printed so that a failure can be replayed. */
let chosen: number | undefined;

export function seed(): number {
  if (chosen === undefined) {
    chosen = Number(process.env["DBSYNC_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
    console.log(`seed: replay with DBSYNC_SEED=${chosen}`);
  }
  return chosen;
}
