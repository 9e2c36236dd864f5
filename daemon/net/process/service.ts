/**
 * A component that can be started and stopped. The constructor only stores its arguments, `start` opens resources, and
 * `stop` releases them. `stop` may be called twice.
 */
export interface Service {
  /** Opens the resources. @throws StartError  says what could not be opened, where, and what to do */
  start(): Promise<void>;
  /** Releases all resources. Waits for requests in progress, for a limited time. */
  stop(): Promise<void>;
}
