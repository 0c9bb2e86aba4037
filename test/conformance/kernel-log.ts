/**
 * Lines of LOG rules as the kernel of this machine prints them.
 *
 * They are read from /dev/kmsg. Rules of a network namespace are only logged while net.netfilter.nf_log_all_netns is 1,
 * which is a setting of the whole machine: it is put back to what it was, and one process at a time has it.
 */
import { closeSync, constants, openSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { LabError, obstacle, sleep } from './lab-shell.ts';

const SWITCH = '/proc/sys/net/netfilter/nf_log_all_netns';
const KERNEL_LOG = '/dev/kmsg';
/** A name in the abstract namespace of sockets: whoever listens holds the switch, until it ends in whatever way. */
const LOCK = '\0tagplane-namespaces-logged';
const LOCK_PATIENCE_MILLISECONDS = 300_000;
const RECORD_LIMIT = 8192;
const PATIENCE_MILLISECONDS = 3000;

/** Why LOG lines cannot be read here, or undefined. */
export function logObstacle(programs: readonly string[]): string | undefined {
  const problem = obstacle(programs);
  if (problem !== undefined) return problem.message;
  try {
    writeFileSync(SWITCH, readFileSync(SWITCH));
    closeSync(openSync(KERNEL_LOG, 'r'));
    return undefined;
  } catch (error) {
    return `the kernel's log of network namespaces cannot be read: ${String(error)}`;
  }
}

/** Run `body` while the kernel logs for network namespaces. */
export async function withNamespacesLogged<T>(body: () => Promise<T>): Promise<T> {
  const lock = await hold();
  const before = readFileSync(SWITCH);
  const restore = (): void => writeFileSync(SWITCH, before);
  process.once('exit', restore);
  writeFileSync(SWITCH, '1');
  try {
    return await body();
  } finally {
    process.off('exit', restore);
    restore();
    lock.close();
  }
}

/** Wait for the lock. Throws LabError when others hold it too long. */
async function hold(): Promise<Server> {
  const end = Date.now() + LOCK_PATIENCE_MILLISECONDS;
  for (;;) {
    const lock = await listen();
    if (lock !== null) return lock;
    if (Date.now() > end) throw new LabError('ERR_LAB_TIMEOUT', `waited in vain for ${SWITCH}: another test holds it`);
    await sleep(100);
  }
}

const listen = (): Promise<Server | null> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(null) : reject(error),
    );
    server.listen(LOCK, () => resolve(server));
  });

export interface KernelLine {
  /** 0 (emerg) to 7 (debug). */
  readonly level: number;
  readonly text: string;
}

/** /dev/kmsg writes octets that are not printable, and the backslash, as `\x5c`. */
const unescaped = (text: string): string => {
  const octets = text.replace(/\\x([0-9a-f]{2})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
  return Buffer.from(octets, 'latin1').toString('utf8');
};

/** `4,3339,12587611211,-;text`, and lines of fields after it. */
export function parseRecord(record: string): KernelLine {
  const [head = ''] = record.split('\n', 1);
  const semicolon = head.indexOf(';');
  return { level: Number(head.split(',', 1)[0]) & 7, text: unescaped(head.slice(semicolon + 1)) };
}

/** What the kernel has logged since the last call; null once there is nothing more. */
function nextRecord(descriptor: number, buffer: Buffer): string | null {
  for (;;) {
    try {
      return buffer.toString('latin1', 0, readSync(descriptor, buffer));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EAGAIN') return null;
      // The oldest records were overwritten before they were read; the next read goes on behind the gap.
      if (code !== 'EPIPE') throw error;
    }
  }
}

/**
 * Lines that `isOurs` takes while `body` runs, in order. Waits for `count` lines, for a moment; `count` may be unknown, then for the
 * log to be quiet.
 */
export async function linesDuring(
  isOurs: (text: string) => boolean,
  count: number | undefined,
  body: () => void | Promise<void>,
): Promise<KernelLine[]> {
  const descriptor = openSync(KERNEL_LOG, constants.O_RDONLY | constants.O_NONBLOCK);
  const buffer = Buffer.alloc(RECORD_LIMIT);
  try {
    while (nextRecord(descriptor, buffer) !== null);
    await body();
    const lines: KernelLine[] = [];
    const end = Date.now() + (count === undefined ? PATIENCE_MILLISECONDS / 6 : PATIENCE_MILLISECONDS);
    while (lines.length < (count ?? Number.POSITIVE_INFINITY) && Date.now() < end) {
      for (let record = nextRecord(descriptor, buffer); record !== null; record = nextRecord(descriptor, buffer)) {
        const line = parseRecord(record);
        if (isOurs(line.text)) lines.push(line);
      }
      await sleep(10);
    }
    return lines;
  } finally {
    closeSync(descriptor);
  }
}
