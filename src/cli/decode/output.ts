/**
 * Text to a stream, with its pace: a slow reader holds the writer back, a reader that went away ends the work quietly.
 */
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { OutputError } from '../../capture/error.ts';

export interface Output {
  /**
   * Write `text`; resolves when the stream has room again. False when nobody reads any more. Rejects with OutputError when
   * the stream fails otherwise.
   */
  write(text: string): Promise<boolean>;
  /** Stop listening to the stream, which stays open. */
  release(): void;
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown error';

/** `name` is what messages call the stream. */
export function createOutput(stream: Writable, name: string): Output {
  let failed: unknown = null;
  let written = 0;
  const onError = (error: unknown): void => {
    failed ??= error;
  };
  stream.on('error', onError);
  const isOpen = (): boolean => {
    const systemCode = failed === null ? null : codeOf(failed);
    if (systemCode === null || systemCode === 'EPIPE') return systemCode === null && !stream.destroyed;
    const what = `cannot be written: ${systemCode}`;
    throw new OutputError({ code: 'output.write', path: name, written, systemCode, what }, failed);
  };
  return {
    async write(text) {
      if (!isOpen()) return false;
      if (!stream.write(text)) {
        // `once` rejects when the stream fails; what that means is decided in one place.
        const wait = new AbortController();
        const events = ['drain', 'close'].map((event) => once(stream, event, { signal: wait.signal }));
        await Promise.race(events).catch(onError);
        wait.abort();
      }
      written += text.length;
      return isOpen();
    },
    release: () => void stream.off('error', onError),
  };
}
