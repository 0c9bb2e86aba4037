/**
 * Taps of a lab: captures of one device each, all running at the same time, with nanosecond timestamps.
 *
 * tcpdump writes pcap, dumpcap writes pcapng; both are waited for before any packet is sent.
 */
import { type Background, sleep, start, stop, waitFor } from './lab-shell.ts';

export interface Tap {
  /** As the design names taps: `cell-a/eth0`, `cell-a/s-010255001004`, `cell-a/s-010255001004/eth0`. */
  readonly name: string;
  readonly namespace: string;
  readonly device: string;
  readonly file: string;
  readonly format: 'pcap' | 'pcapng';
  /** A capture filter in the language of pcap-filter(7), or the empty string. */
  readonly filter: string;
}

/** Capture programs look at their ring at least this often; what arrived before is in the file after it. */
const DRAIN_MILLISECONDS = 600;

function command({ device, file, format, filter }: Tap): [string, string[]] {
  const words = filter === '' ? [] : [filter];
  if (format === 'pcapng') {
    return ['dumpcap', ['-q', '-i', device, '-w', file, ...words.flatMap((word) => ['-f', word])]];
  }
  const always = ['-n', '-U', '--immediate-mode', '-Z', 'root', '--time-stamp-precision=nano', '-s', '0'];
  return ['tcpdump', [...always, '-i', device, '-w', file, ...words]];
}

/** Start every tap. Resolves when all of them see packets. */
export async function startTaps(taps: readonly Tap[], started: (one: Background) => void): Promise<Background[]> {
  const running = taps.map((tap) => {
    const background = start(tap.namespace, ...command(tap));
    started(background);
    return { tap, background };
  });
  for (const { tap, background } of running) {
    await waitFor(`a capture on ${tap.name}`, () => /listening on|File: /.test(background.said()), background.said);
  }
  return running.map(({ background }) => background);
}

/** Stop every tap once the last packets have reached the files. */
export async function stopTaps(running: readonly Background[]): Promise<void> {
  await sleep(DRAIN_MILLISECONDS);
  await Promise.all(running.map((background) => stop(background)));
}
