import type { TestProvider } from './provider.ts';

/** One of the official SDK's clients, behind what these tests ask of all of them. */
export interface SdkClient {
  readonly label: string;
  readonly era: 'legacy' | 'modern';
  /** Connects, going through sign-in when there is a provider and the server asks. */
  connect(options: ConnectOptions): Promise<Connection>;
}

export interface ConnectOptions {
  readonly url: string;
  /** A token that is there already. */
  readonly token?: string | undefined;
  /** Or what it takes to get one. */
  readonly provider?: TestProvider | undefined;
  /** Answers to what the server asks of the client. */
  readonly elicit?: (message: string) => Record<string, string | boolean | number>;
  readonly sample?: (prompt: string) => string;
  readonly roots?: readonly string[];
  /** Methods of notifications outside of any call, as they come. */
  readonly onNotification?: (method: string) => void;
}

export interface CallOptions {
  readonly onProgress?: (progress: number) => void;
  readonly signal?: AbortSignal;
}

export interface Connection {
  /** The revision agreed on. */
  readonly revision: string | undefined;
  readonly session: string | undefined;
  tools(): Promise<string[]>;
  /** @returns the text of the result; @throws for a protocol error, and for a result with `isError` */
  call(name: string, args?: Record<string, unknown>, options?: CallOptions): Promise<string>;
  read(uri: string): Promise<string>;
  prompt(name: string, args?: Record<string, string>): Promise<string>;
  complete(prompt: string, argument: string, typed: string): Promise<string[]>;
  /** Hears of changes of a resource, each era in its way. Resolves when the server has agreed. */
  watch(uri: string): Promise<void>;
  /** Ends the 2025-era session with DELETE; nothing in the modern era. */
  terminate(): Promise<void>;
  close(): Promise<void>;
}

/** The text of a tool result, or its error thrown. */
export function textOf(answer: object): string {
  const result = answer as { content?: { text?: string }[]; isError?: boolean };
  const texts = result.content?.map((block) => block.text ?? '') ?? [];
  if (result.isError) throw new Error(`tool error: ${texts.join('\n')}`);
  return texts.join('\n');
}

/** Runs it; when it ends in a sign-in, redeems the code and runs it once more. */
export async function signingIn<T>(
  run: () => Promise<T>,
  asksForSignIn: (error: unknown) => boolean,
  redeem: () => Promise<void>,
): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (!asksForSignIn(error)) throw error;
    await redeem();
    return run();
  }
}
