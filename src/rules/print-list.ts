/**
 * Rules as `iptables -L [-n] [-v] [--line-numbers]` lists them (iptables 1.8.9, both backends alike). Addresses are never
 * resolved to host names, so a listing without -n differs from iptables' own where the resolver knows an address.
 */
import { formatIpv4 } from '../wire/address.ts';
import { matchModule } from './matches/modules.ts';
import type { Chain, Counters, InterfaceName, Masked, Match, Rule, Table, Target } from './model.ts';
import { targetModule } from './targets/modules.ts';
import { joined, type ListContext } from './text/module.ts';
import { nameOfProtocol } from './text/protocols.ts';
import { printNetwork } from './text/values.ts';

export interface ListOptions {
  /** `-n`: protocols, ports and addresses as numbers. */
  readonly numeric?: boolean;
  /** `-v`: counters and interfaces. */
  readonly verbose?: boolean;
  /** `--line-numbers`. */
  readonly lineNumbers?: boolean;
  /** Only this chain, as `iptables -L CHAIN`. */
  readonly chain?: string;
}

/** List the chains of `table`; an unknown `chain` lists nothing. */
export function printList(table: Table, options: ListOptions = {}): string {
  const references = countReferences(table);
  return table.chains
    .filter(({ name }) => options.chain === undefined || name === options.chain)
    .map((chain) => printChain(chain, references.get(chain.name) ?? 0, options))
    .join('\n');
}

/** How many rules jump or go to each chain. */
function countReferences(table: Table): Map<string, number> {
  const references = new Map<string, number>();
  for (const chain of table.chains) {
    for (const { target } of chain.rules) {
      if (target.kind !== 'jump' && target.kind !== 'goto') continue;
      references.set(target.chain, (references.get(target.chain) ?? 0) + 1);
    }
  }
  return references;
}

function printChain(chain: Chain, references: number, options: ListOptions): string {
  const lines = [`Chain ${chain.name} (${printHead(chain, references, options)})`, printColumns(options)];
  for (const [index, rule] of chain.rules.entries()) lines.push(printRow(rule, index + 1, options));
  return lines.map((line) => `${line}\n`).join('');
}

function printHead({ policy, counters }: Chain, references: number, { verbose }: ListOptions): string {
  if (policy === null) return `${references} references`;
  if (!verbose) return `policy ${policy}`;
  return `policy ${policy} ${abbreviate(counters?.packets ?? 0)} packets, ${abbreviate(counters?.bytes ?? 0)} bytes`;
}

const printColumns = ({ verbose, lineNumbers }: ListOptions): string =>
  `${lineNumbers ? 'num  ' : ''}${verbose ? ' pkts bytes ' : ''}target     prot opt` +
  `${verbose ? ' in     out    ' : ''} source               destination         `;

/** iptables' xtables_print_num: five digits, then thousands, rounded at each step. */
function abbreviate(value: number): string {
  if (value <= 99_999) return `${value}`;
  let rest = value;
  for (const unit of ['K', 'M', 'G']) {
    rest = Math.floor((rest + 500) / 1000);
    if (rest <= 9999) return `${rest}${unit}`;
  }
  return `${Math.floor((rest + 500) / 1000)}T`;
}

function printRow({ ip, matches, target, counters }: Rule, number: number, options: ListOptions): string {
  const { numeric = false, verbose, lineNumbers } = options;
  const protocol = ip.protocol?.number ?? 0;
  const context: ListContext = { numeric, protocol: ip.protocol?.negated ? 0 : protocol };
  const details = joined(...matches.map((match) => listMatch(match, context)), listTarget(target, context));
  return (
    (lineNumbers ? `${number}`.padEnd(5) : '') +
    (verbose ? printCounters(counters) : '') +
    `${targetName(target).padEnd(9)} ${ip.protocol?.negated ? '!' : ' '}` +
    `${(numeric ? `${protocol}` : nameOfProtocol(protocol)).padEnd(4)} ` +
    `${ip.fragment === undefined ? '--' : ip.fragment.negated ? '!f' : '-f'} ` +
    (verbose ? ` ${interfaceName(ip.inInterface).padEnd(6)} ${interfaceName(ip.outInterface).padEnd(6)} ` : '') +
    `${printAddress(ip.source, numeric)} ${printAddress(ip.destination, numeric)} ` +
    (target.kind === 'goto' ? '[goto] ' : '') +
    (details === '' ? '' : ` ${details}`)
  );
}

const printCounters = (counters: Counters | null): string =>
  `${printCounter(counters?.packets ?? 0)}${printCounter(counters?.bytes ?? 0)}`;

const printCounter = (value: number): string => `${abbreviate(value).padStart(5)} `;

function targetName(target: Target): string {
  if (target.kind === 'none') return '';
  if (target.kind === 'jump' || target.kind === 'goto') return target.chain;
  return target.kind === 'unknown' ? target.name : target.kind;
}

const interfaceName = (named: InterfaceName | undefined): string =>
  named === undefined ? '*' : `${named.negated ? '!' : ''}${named.name}`;

/** 20 columns: the sign of a negation, then the address. */
function printAddress(address: Masked | undefined, numeric: boolean): string {
  const sign = address?.negated ? '!' : ' ';
  if (address === undefined || address.mask === 0) return sign + (numeric ? '0.0.0.0/0' : 'anywhere').padEnd(19);
  return sign + (address.mask === 0xffffffff ? formatIpv4(address.address) : printNetwork(address)).padEnd(19);
}

function listMatch(match: Match, context: ListContext): string {
  if (match.kind === 'unknown') return joined(match.module, match.text);
  return matchModule(match.kind)!.list(match, context);
}

function listTarget(target: Target, context: ListContext): string {
  switch (target.kind) {
    case 'none':
    case 'jump':
    case 'goto':
      return '';
    case 'unknown':
      return target.text;
    default:
      return targetModule(target.kind)!.list(target, context);
  }
}
