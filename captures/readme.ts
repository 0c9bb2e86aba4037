/** The part of README.md that describes one capture: its flows with what became of them, versions, and files. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Foundation } from '../src/foundation/model.ts';
import { formatIpv4 } from '../src/wire/address.ts';
import { HOST_VETH_ADDRESS } from '../test/conformance/lab-names.ts';
import { type Packet, PROTOCOL } from './frames.ts';
import type { Scenario } from './scenarios.ts';
import type { TapFrames, TruthLine } from './truth.ts';

const table = (rows: readonly (readonly string[])[]): string => rows.map((row) => `| ${row.join(' | ')} |\n`).join('');

/** Who an address belongs to, in the words of the foundation. */
function ownerOf({ apps, cells }: Foundation, address: number): string {
  const text = formatIpv4(address);
  if (text === HOST_VETH_ADDRESS) return "the container's own cell";
  const cell = cells.find(({ lease }) => lease.address === address);
  if (cell !== undefined) return `VTEP of ${cell.name}`;
  for (const { name, instances } of apps) {
    const index = instances.findIndex((instance) => instance.address === address);
    if (index >= 0) return `${name}/${index}`;
  }
  return text;
}

interface Flow {
  readonly from: string;
  readonly to: string;
  readonly what: string;
  /** Group ids as hexadecimal digits, of packets in the direction of the first one and of replies. */
  readonly tags: Set<string>;
  readonly replyTags: Set<string>;
  readonly truths: Map<string, number>;
}

const KIND: Readonly<Record<number, string>> = { [PROTOCOL.TCP]: 'tcp', [PROTOCOL.UDP]: 'udp' };

/** Both directions of a conversation share a key; fragments after the first are counted with their datagram's hosts. */
function flowKeys({ source, destination, protocol, fragment, payload }: Packet): {
  there: string;
  back: string;
  what: string;
} {
  const kind = KIND[protocol];
  if (kind === undefined) {
    const what = `icmp ${payload[0]}/${payload[1]}`;
    return { there: `${source} ${destination} ${what}`, back: '', what };
  }
  if ((fragment & 0x1fff) !== 0) {
    const what = `${kind}, later fragments`;
    return { there: `${source} ${destination} ${what}`, back: `${destination} ${source} ${what}`, what };
  }
  const [sourcePort, destinationPort] = [payload.readUInt16BE(0), payload.readUInt16BE(2)];
  return {
    there: `${kind} ${source}:${sourcePort} ${destination}:${destinationPort}`,
    back: `${kind} ${destination}:${destinationPort} ${source}:${sourcePort}`,
    what: `${kind} ${destinationPort}`,
  };
}

/** One row for every flow, in the order of first packets: where it was seen, and what became of its packets. */
export function flowTable(foundation: Foundation, taps: readonly TapFrames[], lines: readonly TruthLine[]): string {
  const seenAt = new Map<string, string[]>();
  for (const tap of taps.filter(({ kind }) => kind !== 'container')) {
    for (const flow of flowsAt(foundation, tap, lines)) {
      const packets = [...flow.truths].map(([truth, times]) => `${times} ${truth}`).join(', ');
      const row = [flow.from, flow.to, flow.what, [...flow.tags].join(), [...flow.replyTags].join(), packets].join(
        ' | ',
      );
      const places = seenAt.get(row);
      if (places === undefined) seenAt.set(row, [tap.name]);
      else places.push(tap.name);
    }
  }
  const head = ['from', 'to', 'what', 'tag', 'tag of replies', 'packets', 'seen at'];
  return table([head, head.map(() => '---'), ...[...seenAt].map(([row, places]) => [row, places.join(', ')])]);
}

function flowsAt(foundation: Foundation, tap: TapFrames, lines: readonly TruthLine[]): Flow[] {
  const flows = new Map<string, Flow>();
  for (const line of lines.filter((one) => one.tap === tap.name)) {
    const { inner, groupId } = tap.frames[line.packet - 1]!;
    if (inner === null) continue;
    const { there, back, what } = flowKeys(inner);
    const [from, to] = [ownerOf(foundation, inner.source), ownerOf(foundation, inner.destination)];
    const isReply = flows.has(back);
    const flow = flows.get(isReply ? back : there) ?? {
      from,
      to,
      what,
      tags: new Set<string>(),
      replyTags: new Set<string>(),
      truths: new Map<string, number>(),
    };
    flows.set(isReply ? back : there, flow);
    if (groupId !== null) (isReply ? flow.replyTags : flow.tags).add(tagText(groupId));
    flow.truths.set(line.truth, (flow.truths.get(line.truth) ?? 0) + 1);
  }
  return [...flows.values()];
}

const tagText = (groupId: number): string =>
  groupId === 0 ? 'none' : groupId.toString(16).toUpperCase().padStart(4, '0');

const output = (program: string, args: readonly string[]): string =>
  execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();

/** Hash of every file, to see that none was changed by hand. */
const fileTable = (directory: string): string =>
  table([
    ['file', 'octets', 'sha256'],
    ['---', '---', '---'],
    ...readdirSync(directory)
      .sort()
      .map((name) => {
        const octets = readFileSync(join(directory, name));
        return [name, `${octets.length}`, `\`${createHash('sha256').update(octets).digest('hex')}\``];
      }),
  ]);

/** Everything that README.md says of one capture. */
export function sectionOf(scenario: Scenario, flows: string, directory: string): string {
  const backend = output(`xtables-${scenario.options.backend}-multi`, ['iptables', '-V']);
  return [
    `## ${scenario.name}\n`,
    `${scenario.summary[0]!.toUpperCase()}${scenario.summary.slice(1)}.\n`,
    `Made by \`node dist/captures/make.js ${scenario.name}\` on Linux ${output('uname', ['-r'])} with ${backend}.\n`,
    flows,
    fileTable(directory),
  ].join('\n');
}

/** Put `section` between the marks of `name`, or at the end. */
export function replaceSection(text: string, name: string, section: string): string {
  const [begin, end] = [`<!-- ${name} -->\n`, `<!-- /${name} -->\n`];
  const marked = `${begin}${section}${end}`;
  const at = text.indexOf(begin);
  if (at < 0) return `${text.trimEnd()}\n\n${marked}`;
  return text.slice(0, at) + marked + text.slice(text.indexOf(end, at) + end.length);
}
