/** `decode` in this process, over captures in a temporary folder, its output in memory. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import type { DecodedPacket } from '../../src/cli/decode/model.ts';
import { type DecodeOptions, runDecode } from '../../src/cli/decode/run.ts';

export const FOLDER = mkdtempSync(join(tmpdir(), 'tagplane-decode-'));
process.on('exit', () => rmSync(FOLDER, { recursive: true, force: true }));

let files = 0;

/** Write `content` to a new file and give its path. */
export function file(content: Buffer | string, ending = 'pcap'): string {
  files++;
  const path = join(FOLDER, `${files}.${ending}`);
  writeFileSync(path, content);
  return path;
}

/** What `decode` printed, and the error that ended it, if one did. */
export async function outcome(
  captures: readonly string[],
  options: DecodeOptions = {},
): Promise<{ text: string; error: unknown }> {
  let text = '';
  const stream = new Writable({
    decodeStrings: false,
    write(chunk: string, _encoding, done) {
      text += chunk;
      done();
    },
  });
  const error = await runDecode(captures, options, stream).then(
    () => null,
    (reason: unknown) => reason,
  );
  return { text, error };
}

/** The lines that `decode` prints for `captures`, which must be whole. */
export async function lines(captures: readonly string[], options: DecodeOptions = {}): Promise<string[]> {
  const { text, error } = await outcome(captures, options);
  if (error instanceof Error) throw error;
  return text.split('\n').slice(0, -1);
}

interface Document {
  readonly schemaVersion: number;
  readonly packets: readonly Omit<DecodedPacket, 'timestampDigits'>[];
}

/** The JSON document for `captures`. */
export async function document(captures: readonly string[], options: DecodeOptions = {}): Promise<Document> {
  return JSON.parse((await lines(captures, { ...options, json: true })).join('\n')) as Document;
}
