/** What the page uses of dbsyncd/browser, which it loads when somebody signs in. */

export type SignedReply = string | number | bigint | null | object;

export interface SigningClient {
  call(command: readonly string[]): Promise<SignedReply>;
  publicKeyPem(): Promise<string>;
}

export interface SigningModule {
  createClient(options: {
    readonly servers: string;
    readonly key: string;
    readonly timeout: number;
  }): SigningClient;
}
