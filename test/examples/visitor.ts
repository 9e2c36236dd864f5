/** The only visitor of a web application, which runs in a separate process. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";

export class Visitor implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #url: string;
  #cookie = "";

  /** @param url  the address of the application, without a path */
  constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.#url = url;
  }

  /** Sends a request with the cookie of the latest answer that set one. */
  async request(path: string, options: RequestInit = {}): Promise<Response> {
    const response = await fetch(this.#url + path, { headers: { cookie: this.#cookie }, ...options });
    const [cookie] = response.headers.getSetCookie();
    if (cookie !== undefined) this.#cookie = cookie.split(";")[0] as string;
    return response;
  }

  /** Kills the application. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#child, "close");
    this.#child.kill("SIGKILL");
    await closed;
  }
}
