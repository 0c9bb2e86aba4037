/**
 * DNAT, SNAT, MASQUERADE and REDIRECT (libxt_NAT.c), in the nat table only. Port shifting (`--to-destination
 * ADDRESS:LOW-HIGH/BASE`) is not understood.
 */
import { formatIpv4 } from '../../wire/address.ts';
import type { NatRange, PortRange } from '../model.ts';
import {
  fail,
  joined,
  type OptionSpec,
  optionalValue,
  type RuleContext,
  required,
  type TargetModule,
  type TargetOf,
  type Written,
} from '../text/module.ts';
import { PROTOCOL } from '../text/protocols.ts';
import { readAddressRange, readPortRange } from '../text/values.ts';
import type { Word } from '../text/words.ts';

const PORT_PROTOCOLS: readonly number[] = [PROTOCOL.TCP, PROTOCOL.UDP, PROTOCOL.SCTP, PROTOCOL.DCCP, PROTOCOL.ICMP];
const FLAGS = { random: '--random', randomFully: '--random-fully', persistent: '--persistent' } as const;
const FLAG_NAMES = Object.keys(FLAGS) as (keyof typeof FLAGS)[];

function readPorts(word: Word, text: string, { protocol }: RuleContext): PortRange {
  if (!PORT_PROTOCOLS.includes(protocol)) {
    fail('ERR_RULE_OPTION', word, 'ports need -p tcp, udp, sctp, dccp or icmp');
  }
  return readPortRange(word, text, '-', protocol, false);
}

/** `[LOW[-HIGH]][:LOW[-HIGH]]` */
function readAddressesAndPorts(word: Word, rule: RuleContext): Partial<NatRange> {
  const colon = word.text.indexOf(':');
  const spelled = colon < 0 ? word.text : word.text.slice(0, colon);
  const addresses = spelled === '' && colon >= 0 ? undefined : readAddressRange(word, spelled);
  if (addresses !== undefined && addresses.low > addresses.high) {
    fail('ERR_RULE_VALUE', word, `address range ${spelled} ends below its start`);
  }
  const ports = colon < 0 ? undefined : readPorts(word, word.text.slice(colon + 1), rule);
  return {
    ...(addresses && { addressLow: addresses.low, addressHigh: addresses.high }),
    ...(ports && { portLow: ports.low, portHigh: ports.high }),
  };
}

const readFlags = (written: Written) => ({
  random: written.options.has(FLAGS.random),
  randomFully: written.options.has(FLAGS.randomFully),
  persistent: written.options.has(FLAGS.persistent),
});

const printRange = (low: string, high: string): string => (low === high ? low : `${low}-${high}`);

const printPorts = ({ portLow, portHigh }: NatRange): string =>
  portLow === undefined ? '' : printRange(`${portLow}`, `${portHigh ?? portLow}`);

function printAddressesAndPorts(to: NatRange): string {
  const { addressLow, addressHigh, portLow } = to;
  const addresses =
    addressLow === undefined ? '' : printRange(formatIpv4(addressLow), formatIpv4(addressHigh ?? addressLow));
  return portLow === undefined ? addresses : `${addresses}:${printPorts(to)}`;
}

const flagsOf = (to: NatRange): string[] => FLAG_NAMES.filter((flag) => to[flag]).map((flag) => FLAGS[flag]);

/** How one of the four is written: its option, and what `iptables -L` puts before the value. */
interface Spelling {
  readonly name: '--to-destination' | '--to-source' | '--to-ports';
  readonly flags: readonly (keyof typeof FLAGS)[];
  readonly listed: string;
}

const DNAT: Spelling = { name: '--to-destination', flags: ['random', 'persistent'], listed: 'to:' };
const SNAT: Spelling = { name: '--to-source', flags: ['random', 'randomFully', 'persistent'], listed: 'to:' };
const MASQUERADE: Spelling = { name: '--to-ports', flags: ['random', 'randomFully'], listed: 'masq ports: ' };
const REDIRECT: Spelling = { name: '--to-ports', flags: ['random'], listed: 'redir ports ' };

function parseTo({ name }: Spelling, written: Written, rule: RuleContext): NatRange {
  const flags = readFlags(written);
  if (name !== '--to-ports') return { ...readAddressesAndPorts(required(written, name).values[0]!, rule), ...flags };
  const word = optionalValue(written, name);
  if (word === undefined) return flags;
  const { low, high } = readPorts(word, word.text, rule);
  return { portLow: low, portHigh: high, ...flags };
}

/** What the four have in common. */
function family({ name, flags, listed }: Spelling) {
  const print = name === '--to-ports' ? printPorts : printAddressesAndPorts;
  const before = (text: string, value: string): string => (value === '' ? '' : text + value);
  return {
    tables: ['nat'],
    options: [{ name }, ...flags.map((flag): OptionSpec => ({ name: FLAGS[flag], values: 0 }))],
    save: ({ to }: { to: NatRange }) => joined(before(`${name} `, print(to)), ...flagsOf(to)),
    list: ({ to }: { to: NatRange }) => joined(before(listed, print(to)), ...flagsOf(to).map((flag) => flag.slice(2))),
  } as const;
}

export const dnat: TargetModule<TargetOf<'DNAT'>> = {
  kind: 'DNAT',
  ...family(DNAT),
  parse: (written, rule) => ({ kind: 'DNAT', to: parseTo(DNAT, written, rule) }),
};

export const snat: TargetModule<TargetOf<'SNAT'>> = {
  kind: 'SNAT',
  ...family(SNAT),
  parse: (written, rule) => ({ kind: 'SNAT', to: parseTo(SNAT, written, rule) }),
};

export const masquerade: TargetModule<TargetOf<'MASQUERADE'>> = {
  kind: 'MASQUERADE',
  ...family(MASQUERADE),
  parse: (written, rule) => ({ kind: 'MASQUERADE', to: parseTo(MASQUERADE, written, rule) }),
};

export const redirect: TargetModule<TargetOf<'REDIRECT'>> = {
  kind: 'REDIRECT',
  ...family(REDIRECT),
  parse: (written, rule) => ({ kind: 'REDIRECT', to: parseTo(REDIRECT, written, rule) }),
};
