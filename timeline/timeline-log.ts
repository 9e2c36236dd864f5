/** What a timeline needs of a logger. */
export interface TimelineLog {
  info(facts: object, text: string): void;
  warn(facts: object, text: string): void;
  error(facts: object, text: string): void;
}
