/**
 * Text outputs (NDJSON, reports) through a sink: UTF-8, buffered, complete or absent.
 */
import { type ByteSink, create, drain, finish, isFull, reserve } from './sink.ts';

export interface TextWriter {
  /** Append. True if `drain` should be awaited before more is written. */
  write(text: string): boolean;
  drain(): Promise<void>;
  finish(): Promise<void>;
  abort(): Promise<void>;
}

export function textWriter(sink: ByteSink): TextWriter {
  const output = create(sink);
  const encoder = new TextEncoder();
  return {
    write(text) {
      // A UTF-16 unit takes at most three octets.
      const most = text.length * 3;
      const at = reserve(output, most);
      const { written } = encoder.encodeInto(text, output.octets.subarray(at, at + most));
      output.length = at + written;
      return isFull(output);
    },
    drain: () => drain(output),
    finish: () => finish(output),
    abort: () => sink.abort(),
  };
}
