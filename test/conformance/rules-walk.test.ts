/**
 * The reference against the kernel: random tables are loaded with iptables-nft and iptables-legacy into a network namespace
 * made for it, crafted packets leave through OUTPUT, and every rule's counters must be those of the reference.
 *
 * Packets are raw datagrams with marks, cut headers and fragments among them. Sources lie in 10.254.0.0/16, which is a
 * black hole, so that no REJECT's answer comes through OUTPUT too. Limits are hourly: the clock plays no part.
 */
import { spawnSync } from 'node:child_process';
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Backend } from '../../src/rules/evaluator.ts';
import { InterfaceNames } from '../../src/rules/interfaces.ts';
import type { IpPart, Match, NegatablePorts, Rule, Table, Target } from '../../src/rules/model.ts';
import { createOutcome, createPacket, type RulePacket } from '../../src/rules/packet.ts';
import { createReference } from '../../src/rules/reference.ts';
import { formatIpv4 } from '../../src/wire/address.ts';
import { packetsFor, tables } from '../support/evaluation.ts';
import { skip } from '../support/shared.ts';

const test = suite('conformance/rules-walk');
const TABLES = 12;
const PACKETS = 250;
const SEED = Number(process.env.TAGPLANE_SEED ?? Date.now() & 0x7fffffff);

function run(command: string, args: readonly string[], input = ''): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { input, encoding: 'utf8', timeout: 60_000 });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? stderr}\n${input}`);
  return stdout;
}

/** One datagram per line: mark and octets in hexadecimal. Says of each whether the kernel took it. */
const SENDER = `
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
out = []
for line in sys.stdin:
    mark, octets = line.split()
    octets = bytes.fromhex(octets)
    s.setsockopt(socket.SOL_SOCKET, 36, int(mark, 16).to_bytes(4, sys.byteorder))
    try:
        s.sendto(octets, (socket.inet_ntoa(octets[16:20]), 0))
        out.append('1')
    except PermissionError:
        out.append('1')
    except OSError as error:
        out.append('0')
print(''.join(out))
`;

/** Sources are moved from 10.255 to 10.254, in rules and packets. */
const MOVE = 0x00010000;
const TCP_FLAGS = ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG'];

/** What iptables would load of a random rule: matches that need a protocol get it, conntrack is left out. */
function loadable(rule: Rule, builtIn: boolean, nextName: () => string): Rule {
  const matches: Match[] = [];
  let protocol = rule.ip.protocol?.number === 0 ? undefined : rule.ip.protocol;
  let fixed = false;
  for (const match of rule.matches) {
    if (matches.some(({ kind }) => kind === match.kind)) continue;
    const wanted = { tcp: 6, udp: 17, icmp: 1 }[match.kind as string];
    if (wanted !== undefined) {
      if (fixed && protocol?.number !== wanted) continue;
      protocol = { number: wanted, negated: false };
      fixed = true;
    }
    if (match.kind === 'multiport') {
      if (fixed && protocol?.number === 1) continue;
      if (!fixed)
        protocol = { number: protocol?.number === 17 ? 17 : protocol?.number === 132 ? 132 : 6, negated: false };
      fixed = true;
    }
    const loaded = loadableMatch(match, nextName);
    if (loaded !== null) matches.push(loaded);
  }
  const target = loadableTarget(rule.target);
  if (target.kind === 'REJECT' && target.with === 'tcp-reset') {
    if (fixed && protocol?.number !== 6) return loadable({ ...rule, target: { kind: 'DROP' } }, builtIn, nextName);
    protocol = { number: 6, negated: false };
  }
  return {
    ...rule,
    ip: loadableIp({ ...rule.ip, ...(protocol ? { protocol } : {}) }, protocol, builtIn),
    matches,
    target,
  };
}

function loadableIp(ip: IpPart, protocol: IpPart['protocol'], builtIn: boolean): IpPart {
  const { source, destination, inInterface, outInterface, fragment } = ip;
  return {
    ...(source && source.mask !== 0 ? { source: { ...source, address: (source.address ^ MOVE) & source.mask } } : {}),
    ...(destination && destination.mask !== 0 ? { destination } : {}),
    ...(inInterface && !builtIn && inInterface.name !== '+' ? { inInterface } : {}),
    ...(outInterface && outInterface.name !== '+' ? { outInterface } : {}),
    ...(protocol ? { protocol } : {}),
    ...(fragment ? { fragment } : {}),
  };
}

function loadableMatch(match: Match, nextName: () => string): Match | null {
  switch (match.kind) {
    case 'unknown':
    case 'state':
    case 'conntrack':
    case 'connmark':
      return null;
    case 'icmp':
      return match.type === 255 || match.codeHigh === 255
        ? { ...match, codeLow: 0, codeHigh: 255 }
        : { ...match, codeHigh: match.codeLow };
    case 'limit':
      return { ...match, rate: { count: 1, per: 'hour' } };
    case 'hashlimit': {
      const { kind, mode, burst, key, sourceMask, destinationMask } = match;
      const rate = { count: 1, per: 'hour' } as const;
      const masks = {
        ...(sourceMask === undefined || !key.includes('srcip') ? {} : { sourceMask }),
        ...(destinationMask === undefined || !key.includes('dstip') ? {} : { destinationMask }),
      };
      return key.length === 0 ? null : { kind, mode, burst, key, rate, name: nextName(), ...masks };
    }
    case 'iprange': {
      const { kind, source, destination } = match;
      if (source === undefined) return destination === undefined ? null : match;
      const moved = { ...source, low: source.low ^ MOVE, high: source.high ^ MOVE };
      return { kind, source: moved, ...(destination ? { destination } : {}) };
    }
    case 'addrtype':
      return match.destination === undefined ? null : { kind: 'addrtype', destination: match.destination };
    case 'tcp':
      if (match.flags === undefined || match.flags.mask !== 0) return match;
      return { ...match, flags: { mask: 2, set: 2, negated: match.flags.negated } };
    default:
      return match;
  }
}

function loadableTarget(target: Target): Target {
  if (target.kind === 'CONNMARK') return { kind: 'MARK', value: target.value, mask: target.packetMask };
  if (target.kind === 'DNAT') return { kind: 'DROP' };
  return target.kind === 'unknown' ? { kind: 'none' } : target;
}

const not = (one: { readonly negated: boolean }): string => (one.negated ? '! ' : '');
const hex = (value: number): string => `0x${(value >>> 0).toString(16)}`;

function printIp({ source, destination, inInterface, outInterface, protocol, fragment }: IpPart): string[] {
  const words: string[] = [];
  if (source) words.push(`${not(source)}-s ${formatIpv4(source.address)}/${formatIpv4(source.mask)}`);
  if (destination)
    words.push(`${not(destination)}-d ${formatIpv4(destination.address)}/${formatIpv4(destination.mask)}`);
  if (inInterface) words.push(`${not(inInterface)}-i ${inInterface.name}`);
  if (outInterface) words.push(`${not(outInterface)}-o ${outInterface.name}`);
  if (protocol) words.push(`${not(protocol)}-p ${protocol.number}`);
  if (fragment) words.push(`${not(fragment)}-f`);
  return words;
}

const printPorts = (option: string, ports: NegatablePorts | undefined): string =>
  ports ? `${not(ports)}${option} ${ports.low}:${ports.high}` : '';
const printFlags = (bits: number): string =>
  TCP_FLAGS.filter((_, bit) => (bits & (1 << bit)) !== 0).join(',') || 'NONE';
const printRange = (option: string, range: { low: number; high: number; negated: boolean } | undefined): string =>
  range ? `${not(range)}${option} ${formatIpv4(range.low)}-${formatIpv4(range.high)}` : '';

function printMatch(match: Match): string {
  switch (match.kind) {
    case 'tcp': {
      const flags = match.flags;
      const text = flags ? `${not(flags)}--tcp-flags ${printFlags(flags.mask)} ${printFlags(flags.set)}` : '';
      return `-m tcp ${printPorts('--sport', match.sourcePorts)} ${printPorts('--dport', match.destinationPorts)} ${text}`;
    }
    case 'udp':
      return `-m udp ${printPorts('--sport', match.sourcePorts)} ${printPorts('--dport', match.destinationPorts)}`;
    case 'icmp': {
      const code = match.codeLow === match.codeHigh ? `/${match.codeLow}` : '';
      return `-m icmp ${not(match)}--icmp-type ${match.type === 255 ? 'any' : `${match.type}${code}`}`;
    }
    case 'multiport': {
      const option = { source: '--sports', destination: '--dports', either: '--ports' }[match.which];
      const list = match.ranges.map(({ low, high }) => (low === high ? `${low}` : `${low}:${high}`));
      return `-m multiport ${not(match)}${option} ${list.join(',')}`;
    }
    case 'iprange':
      return `-m iprange ${printRange('--src-range', match.source)} ${printRange('--dst-range', match.destination)}`;
    case 'mark':
      return `-m mark ${not(match)}--mark ${hex(match.value)}/${hex(match.mask)}`;
    case 'comment':
      return `-m comment --comment "${match.text}"`;
    case 'limit':
      return `-m limit --limit ${match.rate.count}/${match.rate.per} --limit-burst ${match.burst}`;
    case 'hashlimit': {
      const source = match.sourceMask === undefined ? '' : `--hashlimit-srcmask ${match.sourceMask}`;
      const destination = match.destinationMask === undefined ? '' : `--hashlimit-dstmask ${match.destinationMask}`;
      const rate = `--hashlimit-${match.mode} ${match.rate.count}/${match.rate.per} --hashlimit-burst ${match.burst}`;
      return `-m hashlimit ${rate} --hashlimit-mode ${match.key.join(',')} --hashlimit-name ${match.name} ${source} ${destination}`;
    }
    case 'addrtype': {
      const { types, negated } = match.destination!;
      return `-m addrtype ${negated ? '! ' : ''}--dst-type ${['', '', 'UNICAST', '', 'LOCAL', '', 'UNICAST,LOCAL'][types]}`;
    }
    default:
      throw new Error(`not loadable: ${match.kind}`);
  }
}

function printTarget(target: Target): string {
  switch (target.kind) {
    case 'none':
      return '';
    case 'jump':
      return `-j ${target.chain}`;
    case 'goto':
      return `-g ${target.chain}`;
    case 'REJECT':
      return `-j REJECT --reject-with ${target.with}`;
    case 'MARK':
      return `-j MARK --set-xmark ${hex(target.value)}/${hex(target.mask)}`;
    case 'NFLOG':
      return `-j NFLOG --nflog-group ${target.group}`;
    default:
      return `-j ${target.kind}`;
  }
}

function printTable(table: Table): string {
  const lines = [`*${table.name}`];
  for (const { name, policy } of table.chains) lines.push(`:${name} ${policy ?? '-'} [0:0]`);
  for (const { name, rules } of table.chains) {
    for (const { ip, matches, target } of rules) {
      lines.push(['-A', name, ...printIp(ip), ...matches.map(printMatch), printTarget(target)].join(' '));
    }
  }
  return `${lines.join('\n')}\nCOMMIT\n`;
}

const HEADER_OCTETS: Readonly<Record<number, number>> = { 1: 8, 6: 20, 17: 8 };

/** The datagram behind a RulePacket, whose length is set to what it came out as. */
function craft(packet: RulePacket): Buffer {
  const whole = HEADER_OCTETS[packet.protocol] ?? 8;
  const cut = packet.transport === 1 ? whole : packet.transport === 2 ? (packet.protocol === 6 ? 12 : 4) : 0;
  const payload = Buffer.alloc(20);
  if (packet.protocol === 1) payload.set([packet.icmpType, packet.icmpCode]);
  else {
    payload.writeUInt16BE(packet.sourcePort, 0);
    payload.writeUInt16BE(packet.destinationPort, 2);
  }
  if (packet.protocol === 6) payload[13] = packet.tcpFlags;
  const header = Buffer.alloc(20);
  header.set([0x45, 0]);
  header.writeUInt16BE(packet.fragmentOffset / 8, 6);
  header.set([64, packet.protocol], 8);
  header.writeUInt32BE(packet.source, 12);
  header.writeUInt32BE(packet.destination, 16);
  const datagram = Buffer.concat([header, payload.subarray(0, cut)]);
  packet.length = datagram.length;
  return datagram;
}

/** `[packets, bytes]` of every rule in order, per chain, and of the policies under `:CHAIN`. */
function readCounters(save: string): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const line of save.split('\n')) {
    const policy = /^:(\S+) (ACCEPT|DROP) \[(\d+:\d+)\]/.exec(line);
    if (policy) found.set(`:${policy[1]}`, [policy[3]!]);
    const rule = /^\[(\d+:\d+)\] -A (\S+)/.exec(line);
    if (rule) found.set(rule[2]!, [...(found.get(rule[2]!) ?? []), rule[1]!]);
  }
  return found;
}

const table = (index: number): Table => {
  let names = 0;
  const [sample] = fc.sample(tables, { seed: SEED + index, numRuns: 1 });
  const chains = sample!.chains
    .filter(({ name }) => name !== 'INPUT')
    .map((chain) => ({
      ...chain,
      name: chain.name === 'FORWARD' ? 'OUTPUT' : chain.name,
      rules: chain.rules.map((rule) => loadable(rule, chain.policy !== null, () => `t${index}-${names++}`)),
    }));
  return { name: 'filter', chains };
};

function judge(backend: Backend, namespace: string, index: number): void {
  const inside = (command: string, args: readonly string[], input = ''): string =>
    run('ip', ['netns', 'exec', namespace, command, ...args], input);
  const rules = table(index);
  inside(`iptables-${backend}-restore`, [], printTable(rules));
  const interfaces = new InterfaceNames();
  const reference = createReference(rules, interfaces, { backend });
  const next = packetsFor(rules, interfaces, SEED + index);
  const packets: RulePacket[] = [];
  const lines: string[] = [];
  for (let count = 0; count < PACKETS; count += 1) {
    const packet = createPacket();
    next(packet);
    packet.source = ((packet.source & 0xffff) | 0x0afe0000) >>> 0;
    packet.destination = ((packet.destination & 0xffff) | 0x0aff0000) >>> 0;
    packet.inInterface = 0;
    const odd = packet.destination >>> 8 === 0x0aff01 && (packet.destination & 1) === 1;
    packet.outInterface = interfaces.number(odd ? 'silk-vtep' : 'eth0');
    packet.destinationType = 2;
    // A later fragment carries octets where its header would be, and some of the kernel reads them.
    if (packet.fragmentOffset > 0) packet.transport = 1;
    packet.time = 0;
    packets.push(packet);
    lines.push(`${packet.mark.toString(16)} ${craft(packet).toString('hex')}`);
  }
  const sent = inside('python3', ['-c', SENDER], lines.join('\n')).trim();
  assert.is(sent, '1'.repeat(PACKETS));
  const outcome = createOutcome();
  const chain = reference.prepare('OUTPUT');
  for (const packet of packets) reference.evaluate(chain, packet, outcome);
  const found = readCounters(inside(`iptables-${backend}-save`, ['-c', '-t', 'filter']));
  const { packets: counted, bytes, policyPackets, policyBytes } = reference.counters();
  const where = `table ${index} of TAGPLANE_SEED=${SEED}, ${backend}\n${printTable(rules)}`;
  for (const { id, chain: owner, number } of reference.rules.rules) {
    const kernel = found.get(owner.name)?.[number - 1];
    assert.is(`${counted[id]}:${bytes[id]}`, kernel, `${owner.name} rule ${number} of ${where}`);
  }
  assert.is(`${policyPackets[chain]}:${policyBytes[chain]}`, found.get(':OUTPUT')?.[0], `policy of ${where}`);
}

function inNamespace(name: string, body: () => void): void {
  run('ip', ['netns', 'add', name]);
  try {
    const ip = (...args: string[]): string => run('ip', ['-n', name, ...args]);
    for (const [device, peer] of [
      ['eth0', 'peer0'],
      ['silk-vtep', 'peer1'],
    ] as const) {
      ip('link', 'add', device, 'type', 'veth', 'peer', 'name', peer);
      ip('link', 'set', device, 'arp', 'off', 'up');
      ip('link', 'set', peer, 'up');
    }
    // Without a local routing table (lo down, no address) the kernel takes every address for a broadcast.
    ip('link', 'set', 'lo', 'up');
    ip('route', 'add', 'blackhole', 'default');
    ip('route', 'add', '10.255.0.0/16', 'dev', 'eth0');
    const odd = Array.from({ length: 128 }, (_, host) => `route add 10.255.1.${host * 2 + 1}/32 dev silk-vtep`);
    run('ip', ['-n', name, '-batch', '-'], `${odd.join('\n')}\n`);
    body();
  } finally {
    run('ip', ['netns', 'delete', name]);
  }
}

const missing = (): string | null => {
  if (process.getuid?.() !== 0) return 'only root can make network namespaces';
  for (const command of ['iptables-nft', 'iptables-legacy', 'python3', 'ip']) {
    if (spawnSync('sh', ['-c', `command -v ${command}`]).status !== 0) return `${command} is not on this machine`;
  }
  return spawnSync('ip', ['netns', 'list']).status === 0 ? null : 'network namespaces are not allowed here';
};

const reason = missing();
for (const backend of ['nft', 'legacy'] as const) {
  const name = `iptables-${backend} counts what the reference counts`;
  if (reason !== null) skip(test, name, reason);
  else {
    test(name, () =>
      inNamespace(`tagplane-walk-${backend}-${process.pid}`, () => {
        for (let index = 0; index < TABLES; index += 1)
          judge(backend, `tagplane-walk-${backend}-${process.pid}`, index);
      }),
    );
  }
}

test.run();
