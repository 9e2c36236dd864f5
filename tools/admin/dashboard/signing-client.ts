/** The types of dbsyncd/browser that the page uses. The module is loaded when an administrator signs in. */

export type SignedReply = string | number | bigint | boolean | null | object;
export type Word = string | Uint8Array;

interface CallOptions {
  readonly db?: number;
  /** Whether strings of the reply are returned as bytes. */
  readonly buffers?: boolean;
}

export interface SigningClient {
  call(command: readonly Word[], options?: CallOptions): Promise<SignedReply>;
  multi(
    commands: readonly (readonly Word[])[],
    options?: CallOptions,
  ): Promise<readonly SignedReply[] | null>;
  publicKeyPem(): Promise<string>;
}

export interface SigningModule {
  createClient(options: {
    readonly servers: string;
    readonly key: string;
    readonly timeout: number;
  }): SigningClient;
}
