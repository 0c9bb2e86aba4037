/** `-m tcp` (libxt_tcp.c): ports and flags. `--syn` is `--tcp-flags FIN,SYN,RST,ACK SYN`. */
import { fail, joined, type MatchModule, type MatchOf, not, type Written } from '../text/module.ts';
import { PROTOCOL } from '../text/protocols.ts';
import { printBits } from '../text/values.ts';
import type { Word } from '../text/words.ts';
import { listPorts, PORT_OPTIONS, parsePorts, savePorts } from './ports.ts';

type Tcp = MatchOf<'tcp'>;
type Flags = NonNullable<Tcp['flags']>;

const FLAGS = { FIN: 1, SYN: 2, RST: 4, PSH: 8, ACK: 16, URG: 32 } as const;
const ALL = 0x3f;
const SYN_MASK = FLAGS.FIN | FLAGS.SYN | FLAGS.RST | FLAGS.ACK;

function readFlags(word: Word): number {
  let bits = 0;
  for (const name of word.text.toUpperCase().split(',')) {
    if (name === 'ALL') bits |= ALL;
    else if (Object.hasOwn(FLAGS, name)) bits |= FLAGS[name as keyof typeof FLAGS];
    else if (name !== 'NONE') fail('ERR_RULE_VALUE', word, `'${name}' is no TCP flag, ALL or NONE`);
  }
  return bits;
}

const printFlags = (bits: number): string => (bits === 0 ? 'NONE' : printBits(bits, FLAGS));
const flagsInHex = (bits: number): string => `0x${bits.toString(16).toUpperCase().padStart(2, '0')}`;

/** Both empty and not negated tests nothing, and is the same as no option. */
function parseFlags(written: Written): Flags | undefined {
  const syn = written.options.get('--syn');
  const given = written.options.get('--tcp-flags');
  if (syn !== undefined && given !== undefined) {
    fail('ERR_RULE_OPTION', syn.word, '--syn and --tcp-flags cannot be used together');
  }
  if (syn !== undefined) return { mask: SYN_MASK, set: FLAGS.SYN, negated: syn.negated };
  if (given === undefined) return undefined;
  const mask = readFlags(given.values[0]!);
  const set = readFlags(given.values[1]!);
  return mask === 0 && set === 0 && !given.negated ? undefined : { mask, set, negated: given.negated };
}

export const tcp: MatchModule<Tcp> = {
  kind: 'tcp',
  protocols: [PROTOCOL.TCP],
  options: [
    ...PORT_OPTIONS,
    { name: '--tcp-flags', values: 2, negatable: true },
    { name: '--syn', values: 0, negatable: true },
  ],
  parse(written) {
    const flags = parseFlags(written);
    return { kind: 'tcp', ...parsePorts(written, PROTOCOL.TCP), ...(flags && { flags }) };
  },
  save({ flags, ...ports }) {
    if (flags === undefined) return savePorts(ports);
    return joined(
      savePorts(ports),
      `${not(flags.negated)}--tcp-flags ${printFlags(flags.mask)} ${printFlags(flags.set)}`,
    );
  },
  list({ flags, ...ports }, { numeric }) {
    const listed = joined('tcp', listPorts(ports, PROTOCOL.TCP, numeric));
    if (flags === undefined) return listed;
    const print = numeric ? flagsInHex : printFlags;
    return `${listed} flags:${flags.negated ? '!' : ''}${print(flags.mask)}/${print(flags.set)}`;
  },
};
