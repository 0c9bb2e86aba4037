/**
 * Text to a stream, with its pace: a slow reader holds the writer back, a reader that went away ends the work quietly.
 */
import { once } from 'node:events';
import type { Writable } from 'node:stream';

export interface Output {
  /** Write `text`; resolves when the stream has room again. False when nobody reads any more. Rejects on other errors. */
  write(text: string): Promise<boolean>;
  /** Stop listening to the stream, which stays open. */
  release(): void;
}

const isClosed = (error: Error): boolean => 'code' in error && error.code === 'EPIPE';

export function createOutput(stream: Writable): Output {
  let failed: Error | null = null;
  const onError = (error: Error): void => {
    failed ??= error;
  };
  stream.on('error', onError);
  const fate = (): boolean => {
    if (failed !== null && !isClosed(failed)) throw failed;
    return failed === null;
  };
  return {
    async write(text) {
      if (!fate()) return false;
      if (!stream.write(text)) {
        // `once` rejects when the stream fails; what that means is decided in one place.
        await once(stream, 'drain').catch(onError);
      }
      return fate();
    },
    release: () => void stream.off('error', onError),
  };
}
