/** Directories that outputs are written into. */
import { mkdirSync } from 'node:fs';
import { OutputError } from '../../capture/error.ts';

/** Make `path` a directory, with those above it; one that is there is taken as it is. Throws OutputError. */
export function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (error) {
    const systemCode = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    const what = `cannot be made a directory: ${systemCode}`;
    throw new OutputError({ code: 'output.write', path, systemCode, what }, error);
  }
}
