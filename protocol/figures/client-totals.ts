/** What a daemon did for its clients: counts since its start, and the number of open connections. */
export interface ClientTotals {
  readonly clientAnswers: number;
  readonly clientRefusals: number;
  readonly clientConnections: number;
}
