/**
 * Application security groups: their rules as Cloud Controller, the policy server and `cf create-security-group` write
 * them.
 *
 *     {"protocol": "tcp", "destination": "10.0.0.0/8,192.168.0.1-192.168.0.9", "ports": "80,443,8000-8100",
 *      "type": 0, "code": 0, "description": "", "log": false}
 *
 * `destination` is a list of addresses, blocks and ranges with commas between; `ports` belongs to tcp and udp, `type` and
 * `code` to icmp (-1 is any). Rules for IPv6 are read and left out: container-to-container traffic is IPv4.
 */
import { maskOf, parseIpv4 } from '../wire/address.ts';
import * as fields from './fields.ts';
import { type Item, type ObjectItem, refusal } from './item.ts';
import type { SecurityGroup, SecurityGroupRule } from './model.ts';
import * as scalars from './scalars.ts';

type Range = SecurityGroupRule['destinations'][number];

const RULE_KEYS = ['protocol', 'destination', 'ports', 'type', 'code', 'description', 'log'] as const;
const GROUP_KEYS = [
  'name',
  'guid',
  'rules',
  'running_default',
  'staging_default',
  'running_space_guids',
  'staging_space_guids',
] as const;
/** Any type or code, as Cloud Controller writes it. */
const ANY = -1;
/** What an IPv6 address, block or range is made of; enough to leave it out. */
const IPV6 = /^[0-9A-Fa-f:./-]+$/;

/** Read one group of a foundation file. Without a GUID it is known by its name. */
export function readGroup(item: Item): SecurityGroup {
  const from = fields.object(item, GROUP_KEYS);
  const name = scalars.name(fields.required(from, 'name', 'the name of a security group'));
  return {
    name,
    guid: fields.optional(from, 'guid', scalars.guid, name),
    rules: readRules(fields.required(from, 'rules', 'a list of security group rules')),
    runningDefault: fields.optional(from, 'running_default', fields.boolean, false),
    stagingDefault: fields.optional(from, 'staging_default', fields.boolean, false),
    runningSpaces: fields.optional(from, 'running_space_guids', readNames, []),
    stagingSpaces: fields.optional(from, 'staging_space_guids', readNames, []),
  };
}

/** Read a list of names (or GUIDs). */
export const readNames = (item: Item): string[] => fields.list(item).map(scalars.name);

/** Read the rules of one group. */
export const readRules = (item: Item): SecurityGroupRule[] => fields.list(item).flatMap((one) => readRule(one) ?? []);

/** One rule; undefined when it is for IPv6 only. */
function readRule(item: Item): SecurityGroupRule | undefined {
  const from = fields.object(item, RULE_KEYS);
  const protocol = fields.oneOf(fields.required(from, 'protocol', '"tcp", "udp", "icmp", "icmpv6" or "all"'), [
    'tcp',
    'udp',
    'icmp',
    'icmpv6',
    'all',
  ]);
  const where = fields.required(from, 'destination', 'an address, a block or a range');
  fields.optional(from, 'description', (one) => fields.text(one), '');
  const destinations = readDestinations(where);
  if (protocol === 'icmpv6' || destinations.length === 0) return undefined;
  const withPorts = protocol === 'tcp' || protocol === 'udp';
  return {
    protocol,
    destinations,
    ports: withPorts
      ? readPortList(fields.required(from, 'ports', `the ports of a ${protocol} rule`))
      : refusePorts(from),
    type: readIcmp(from, 'type', protocol === 'icmp'),
    code: readIcmp(from, 'code', protocol === 'icmp'),
    log: fields.optional(from, 'log', fields.boolean, false),
  };
}

/** Address ranges in the order written, IPv6 ones left out. */
function readDestinations(item: Item): Range[] {
  const expected = 'an address, a block or a range such as 10.0.0.0/8 or 10.0.0.1-10.0.0.9';
  const written = fields.text(item, expected);
  const ranges: Range[] = [];
  for (const part of written.split(',')) {
    const trimmed = part.trim();
    if (trimmed.includes(':') && IPV6.test(trimmed)) continue;
    const range = parseRange(trimmed);
    if (range === undefined) throw refusal('ERR_FOUNDATION_VALUE', item, expected);
    ranges.push(range);
  }
  return ranges;
}

/** Cloud Controller takes blocks with host bits set, as iptables does. */
function parseRange(written: string): Range | undefined {
  const [first = '', last, more] = written.split('-', 3);
  if (last !== undefined) {
    const [low, high] = [parseIpv4(first), parseIpv4(last)];
    return low === undefined || high === undefined || low > high || more !== undefined ? undefined : { low, high };
  }
  const [host = '', length = '32', rest] = written.split('/', 3);
  const address = parseIpv4(host);
  if (address === undefined || rest !== undefined || !/^(?:[0-9]|[12][0-9]|3[0-2])$/.test(length)) return undefined;
  const mask = maskOf(Number(length));
  return { low: (address & mask) >>> 0, high: (address | ~mask) >>> 0 };
}

function readPortList(item: Item): SecurityGroupRule['ports'] {
  const expected = 'ports such as "80,443" or "8000-8100"';
  const written = item.kind === 'number' ? item.text : fields.text(item, expected);
  return written.split(',').map((part) => {
    const found = /^\s*([0-9]{1,5})\s*(?:-\s*([0-9]{1,5})\s*)?$/.exec(part);
    const [start, end] = [Number(found?.[1]), Number(found?.[2] ?? found?.[1])];
    if (found === null) throw refusal('ERR_FOUNDATION_VALUE', item, expected);
    const complaint = scalars.portsComplaint(start, end);
    if (complaint !== undefined) throw refusal('ERR_FOUNDATION_VALUE', item, expected, complaint);
    return { start, end };
  });
}

/** `ports` may only be there empty in a rule that has none. */
function refusePorts(from: ObjectItem): SecurityGroupRule['ports'] {
  const ports = from.entries.get('ports');
  if (ports === undefined || ports.kind === 'null' || (ports.kind === 'text' && ports.value === '')) return [];
  throw refusal('ERR_FOUNDATION_VALUE', ports, 'no ports in a rule for icmp or all');
}

/** Type or code of an icmp rule, which Cloud Controller demands; null where the rule is for something else. */
function readIcmp(from: ObjectItem, key: 'type' | 'code', icmp: boolean): number | null {
  if (!icmp) return null;
  return fields.integer(fields.required(from, key, `the ICMP ${key}, ${ANY} for any`), ANY, 255);
}
