/**
 * tshark as the judge of `decode`: capinfos says which files can be read and how many packets each has, mergecap joins
 * whole files so that one tshark reads hundreds of them, and tshark prints the fields of every packet.
 *
 * tshark runs with a configuration of its own, in which every protocol is off that `decode` does not know. What is on
 * reads one packet at a time: nothing is reassembled, checksums are verified, lengths of 0 are not taken for segmentation
 * offload, and no heuristic looks into payload.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** What stays on. `data` is what tshark calls the rest; `ah` counts as an IPv6 extension header. */
const PROTOCOLS = new Set(
  `frame eth ethertype vlan ieee8021ad sll null raw arp ip ipv6 ipv6.hopopts ipv6.routing ipv6.dstopts ipv6.fraghdr ah udp
  tcp icmp icmpv6 vxlan data`.split(/\s+/),
);

const PREFERENCES = [
  'ip.defragment:FALSE',
  'ip.check_checksum:TRUE',
  'ip.tso_support:FALSE',
  'ipv6.defragment:FALSE',
  'udp.check_checksum:TRUE',
  'udp.ignore_ipv6_zero_checksum:FALSE',
  'tcp.check_checksum:TRUE',
  'tcp.desegment_tcp_streams:FALSE',
  'tcp.analyze_sequence_numbers:FALSE',
  'tcp.relative_sequence_numbers:FALSE',
  'vlan.qinq_ethertype:0x88a8',
];

export const hasTshark = (): boolean =>
  ['tshark', 'capinfos', 'mergecap'].every((program) => spawnSync(program, ['--version']).status === 0);

function output(program: string, args: readonly string[], cwd: string, allowed: readonly number[]): string[] {
  const result = spawnSync(program, args, { cwd, encoding: 'utf8', maxBuffer: 1 << 28 });
  if (!allowed.includes(result.status ?? -1)) throw new Error(`${program}: exit ${result.status}: ${result.stderr}`);
  return [result.stdout, result.stderr];
}

/** Write the configuration into `folder`; every protocol of this tshark but those above is off. */
export function configure(folder: string): void {
  mkdirSync(folder, { recursive: true });
  const [list] = output('tshark', ['-G', 'protocols'], folder, [0]);
  const names = list!.split('\n').map((line) => line.split('\t')[2] ?? '');
  const off = names.filter((name) => name !== '' && !PROTOCOLS.has(name));
  writeFileSync(join(folder, 'disabled_protos'), `${off.join('\n')}\n`);
}

export interface Counted {
  /** As Wireshark calls the format: `pcap`, `nsecpcap`, `pcapng`, `snoop`. */
  readonly format: string;
  readonly packets: number;
}

/** What Wireshark reads to its end; files that it refuses or cuts short are not in the map. */
export function countPackets(root: string, files: readonly string[]): Map<string, Counted> {
  const [table, complaints] = output('capinfos', ['-T', '-r', '-t', '-c', '-M', ...files], root, [0, 1, 2]);
  const counts = new Map<string, Counted>();
  for (const line of table!.split('\n').filter((text) => text !== '')) {
    const columns = line.split('\t');
    counts.set(columns[0]!, { format: columns[1]!, packets: Number(columns.at(-1)) });
  }
  for (const [, file] of complaints!.matchAll(/"([^"\n]+)"/g)) counts.delete(file!);
  return counts;
}

/** Join whole `files` into `into`, packet after packet in the order of the files. */
export function merge(root: string, files: readonly string[], into: string): void {
  output('mergecap', ['-a', '-F', 'pcapng', '-w', into, ...files], root, [0]);
}

/**
 * Run tshark over `file` and hand each packet's values to `row`, one per name of `fields`; several occurrences of a field
 * are joined by commas. Gives the exit code.
 */
export async function readFields(
  file: string,
  fields: readonly string[],
  configuration: string,
  row: (values: readonly string[]) => void,
): Promise<number> {
  const args = ['-n', '-r', file, '-T', 'fields', '-E', 'occurrence=a', '-E', 'aggregator=,'];
  for (const preference of PREFERENCES) args.push('-o', preference);
  for (const field of fields) args.push('-e', field);
  const child = spawn('tshark', args, {
    env: { ...process.env, WIRESHARK_CONFIG_DIR: configuration },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? -1));
  });
  for await (const line of createInterface({ input: child.stdout })) row(line.split('\t'));
  return ended;
}
