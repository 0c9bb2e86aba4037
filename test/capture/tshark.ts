/** tshark as the judge: what it finds in a capture file, for tests that skip where it is missing. */
import { execFile, execFileSync } from 'node:child_process';

export const HAS_TSHARK = works('tshark') && works('capinfos') && works('mergecap');

export function works(program: string): boolean {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

export interface Frames {
  readonly exitCode: number;
  readonly message: string;
  /** One row per packet, one string per field. */
  readonly rows: string[][];
}

/** `tshark -r FILE -T fields -e FIELD...`, without looking names up. */
export function tsharkFields(file: string, fields: readonly string[]): Promise<Frames> {
  const parameters = ['-n', '-r', file, '-T', 'fields', ...fields.flatMap((field) => ['-e', field])];
  return new Promise((resolve) => {
    execFile('tshark', parameters, { maxBuffer: 1 << 28, encoding: 'utf8' }, (error, stdout, stderr) => {
      const rows = stdout.split('\n').filter((line) => line !== '');
      const message = stderr.replace(/^Running as user.*\n/gm, '').trim();
      const exitCode = error === null ? 0 : Number(error.code ?? 1);
      resolve({ exitCode, message, rows: rows.map((line) => line.split('\t')) });
    });
  });
}

/** Nanoseconds since 1970 as tshark prints frame.time_epoch. */
export function epochText(time: bigint): string {
  const second = 1_000_000_000n;
  const fraction = ((time % second) + second) % second;
  return `${(time - fraction) / second}.${String(fraction).padStart(9, '0')}`;
}
