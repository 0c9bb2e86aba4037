/**
 * The kernel's log read while it is written: what a lab logs in seconds is more than the kernel keeps (2^CONFIG_LOG_BUF_SHIFT
 * octets), and the lab may not return to the event loop meanwhile. So a program of its own reads, into a file.
 */
import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type KernelLine, parseRecord } from './kernel-log.ts';
import { LabError, sleep } from './lab-shell.ts';

/** Copies records to standard output, until standard input ends and nothing more comes. Lost records end it with an error. */
const READ = `
import errno, os, select, sys
log = os.open('/dev/kmsg', os.O_RDONLY | os.O_NONBLOCK)
os.lseek(log, 0, os.SEEK_END)
# To be in time for every record, whoever else is busy.
os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
os.write(2, b'ready')
ending = False
while True:
    readable = select.select([log] if ending else [log, 0], [], [], 0.2 if ending else None)[0]
    if 0 in readable:
        ending = True
    elif log in readable:
        os.write(1, os.read(log, 8192))
    elif ending:
        sys.exit(0)
`;

/** A record's first line; the others begin with a blank. */
const isHead = (line: string): boolean => /^\d+,\d+,/.test(line);

/** Lines that `isOurs` takes while `body` runs, in order, and what `body` gives. Throws LabError when the kernel's log lost some. */
export async function followLog<T>(
  isOurs: (text: string) => boolean,
  body: () => Promise<T>,
): Promise<{ readonly lines: readonly KernelLine[]; readonly result: T }> {
  const directory = mkdtempSync(join(tmpdir(), 'tagplane-log-'));
  const file = join(directory, 'kmsg');
  const output = openSync(file, 'w');
  const child = spawn('python3', ['-c', READ], { stdio: ['pipe', output, 'pipe'] });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  let said = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (said += text));
  try {
    while (!said.startsWith('ready') && child.exitCode === null) await sleep(10);
    const result = await body();
    child.stdin!.end();
    const code = await ended;
    if (code !== 0) throw new LabError('ERR_LAB_COMMAND', `the kernel's log could not be read to its end: ${said}`);
    const records = readFileSync(file, 'latin1').split('\n').filter(isHead);
    return { lines: records.map(parseRecord).filter(({ text }) => isOurs(text)), result };
  } finally {
    child.kill('SIGKILL');
    closeSync(output);
    rmSync(directory, { recursive: true });
  }
}
