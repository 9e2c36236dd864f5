/** What is wrong, as dbsync doctor and the dashboard show it. */

/** `fix`: what to do. `isPassing`: it may end by itself. */
export interface Problem {
  readonly text: string;
  readonly fix: string;
  readonly isPassing: boolean;
}
