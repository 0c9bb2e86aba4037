/**
 * Planned rules as the lines that `iptables-save` prints, for comparing plans with dumps. It knows what plans contain and
 * no more; the rules floor has the printer that knows all.
 */
import type { Chain, IpPart, Match, Rule, Ruleset, Target } from '../../src/rules/model.ts';
import { formatIpv4 } from '../../src/wire/address.ts';

const PROTOCOL: Readonly<Record<number, string>> = { 1: 'icmp', 6: 'tcp', 17: 'udp' };
const STATES: readonly (readonly [number, string])[] = [
  [1, 'INVALID'],
  [8, 'NEW'],
  [4, 'RELATED'],
  [2, 'ESTABLISHED'],
  [64, 'UNTRACKED'],
];

const hex = (value: number): string => `0x${value.toString(16)}`;
const not = (negated: boolean): string => (negated ? '! ' : '');
const prefixLength = (mask: number): number => 32 - Math.log2(2 ** 32 - mask);
const states = (bits: number): string =>
  STATES.filter(([bit]) => (bits & bit) !== 0)
    .map(([, name]) => name)
    .join(',');
const quoted = (text: string): string => (/^[\w-]+$/.test(text) ? text : `"${text}"`);

function ipText(ip: IpPart): string[] {
  const words: string[] = [];
  const block = (option: string, part: IpPart['source']): void => {
    if (part) words.push(`${not(part.negated)}${option} ${formatIpv4(part.address)}/${prefixLength(part.mask)}`);
  };
  block('-s', ip.source);
  block('-d', ip.destination);
  if (ip.inInterface) words.push(`${not(ip.inInterface.negated)}-i ${ip.inInterface.name}`);
  if (ip.outInterface) words.push(`${not(ip.outInterface.negated)}-o ${ip.outInterface.name}`);
  if (ip.protocol) words.push(`${not(ip.protocol.negated)}-p ${PROTOCOL[ip.protocol.number]}`);
  return words;
}

function matchText(match: Match): string {
  switch (match.kind) {
    case 'tcp':
    case 'udp': {
      const ports = match.destinationPorts;
      if (ports === undefined) return `-m ${match.kind}`;
      const range = ports.low === ports.high ? `${ports.low}` : `${ports.low}:${ports.high}`;
      return `-m ${match.kind} --dport ${range}`;
    }
    case 'icmp':
      return `-m icmp --icmp-type ${match.type === 255 ? 'any' : `${match.type}/${match.codeLow}`}`;
    case 'iprange': {
      const { low, high } = match.destination!;
      return `-m iprange --dst-range ${formatIpv4(low)}-${formatIpv4(high)}`;
    }
    case 'mark':
      return `-m mark ${not(match.negated)}--mark ${hex(match.value)}`;
    case 'state':
      // This match prints its states in an order of its own.
      return `-m state --state ${states(match.states)}`;
    case 'conntrack':
      return `-m conntrack --ctstate ${states(match.states)}`;
    case 'comment':
      return `-m comment --comment ${quoted(match.text)}`;
    case 'limit':
      return `-m limit --limit ${match.rate.count}/${match.rate.per}${match.burst === 5 ? '' : ` --limit-burst ${match.burst}`}`;
    case 'hashlimit': {
      const expire =
        match.expireMilliseconds === undefined ? '' : ` --hashlimit-htable-expire ${match.expireMilliseconds}`;
      return `-m hashlimit --hashlimit-above ${match.rate.count}/${match.rate.per} --hashlimit-burst ${match.burst} --hashlimit-mode ${match.key.join(',')} --hashlimit-name ${match.name}${expire}`;
    }
    default:
      throw new Error(`plans have no ${match.kind} match`);
  }
}

function targetText(target: Target): string {
  switch (target.kind) {
    case 'jump':
      return `-j ${target.chain}`;
    case 'goto':
      return `-g ${target.chain}`;
    case 'REJECT':
      return `-j REJECT --reject-with ${target.with}`;
    case 'LOG':
      return `-j LOG --log-prefix "${target.prefix}"`;
    case 'MARK':
      return `-j MARK --set-xmark ${hex(target.value)}/${hex(target.mask)}`;
    case 'DNAT':
      return `-j DNAT --to-destination ${formatIpv4(target.to.addressLow!)}:${target.to.portLow!}`;
    case 'ACCEPT':
    case 'DROP':
    case 'MASQUERADE':
      return `-j ${target.kind}`;
    default:
      throw new Error(`plans have no ${target.kind} target`);
  }
}

const ruleText = (chain: Chain, rule: Rule): string =>
  ['-A', chain.name, ...ipText(rule.ip), ...rule.matches.map(matchText), targetText(rule.target)].join(' ');

/** The lines of each table, without counters and remarks. */
export const saveText = (ruleset: Ruleset): string[] =>
  ruleset.tables.flatMap((table) => [
    `*${table.name}`,
    ...table.chains.map((chain) => `:${chain.name} ${chain.policy ?? '-'}`),
    ...table.chains.flatMap((chain) => chain.rules.map((rule) => ruleText(chain, rule))),
    'COMMIT',
  ]);

/** The lines of a dump in the same form. */
export const dumpLines = (dump: string): string[] =>
  dump
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.replace(/ \[\d+:\d+\]$/, ''));
