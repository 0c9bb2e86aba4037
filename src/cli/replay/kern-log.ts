/**
 * A line of `/var/log/kern.log`: what the kernel logged, in the frame that rsyslog puts around it on a cell.
 *
 *     2026-11-22T21:44:01.123456+00:00 cell-b kernel: [    0.445001] OK_0001_... IN=silk-vtep OUT=s-010255002007 ...
 *
 * The time is capture time in UTC, the host is the cell, and the kernel's own clock begins with the capture, because no
 * capture says when a cell was started. Control characters are written as rsyslog writes them, `#` and three octal digits.
 */
import { timestampText } from '../decode/time.ts';

const NANOSECONDS_PER_SECOND = 1e9;
const NANOSECONDS_PER_MICROSECOND = 1000;

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for
const CONTROL = /[\u0000-\u001f\u007f]/g;

const escaped = (text: string): string =>
  text.replace(CONTROL, (character) => `#${character.charCodeAt(0).toString(8).padStart(3, '0')}`);

/** What printk writes before a line, for `time` nanoseconds since the beginning (`[%5lu.%06lu] `). */
function printkTime(time: number): string {
  const whole = Math.floor(time / NANOSECONDS_PER_SECOND);
  const micros = Math.floor((time - whole * NANOSECONDS_PER_SECOND) / NANOSECONDS_PER_MICROSECOND);
  return `[${String(whole).padStart(5)}.${String(micros).padStart(6, '0')}]`;
}

/** The line of `text`, newline included. `time` is in nanoseconds since `epoch`, which is in nanoseconds since 1970. */
export function kernLogLine(host: string, epoch: bigint, time: number, text: string): string {
  const date = timestampText(String(epoch + BigInt(time)), 6).replace(' ', 'T');
  return `${date}+00:00 ${escaped(host).replaceAll(' ', '_')} kernel: ${printkTime(time)} ${escaped(text)}\n`;
}
