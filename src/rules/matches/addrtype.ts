/** `-m addrtype` (libxt_addrtype.c): what the routing table says of the addresses. */
import { ADDRESS_TYPE } from '../model.ts';
import { fail, joined, type MatchModule, type MatchOf, not, type Written } from '../text/module.ts';
import { printBits, readBits } from '../text/values.ts';

type Types = NonNullable<MatchOf<'addrtype'>['source']>;

function parseTypes(written: Written, name: string): Types | undefined {
  const given = written.options.get(name);
  return given && { types: readBits(given.values[0]!, ADDRESS_TYPE), negated: given.negated };
}

const saveTypes = (name: string, types: Types | undefined): string =>
  types === undefined ? '' : `${not(types.negated)}${name} ${printBits(types.types, ADDRESS_TYPE)}`;

const listTypes = (name: string, types: Types | undefined): string =>
  types === undefined ? '' : `${name} ${types.negated ? '!' : ''}${printBits(types.types, ADDRESS_TYPE)}`;

export const addrtype: MatchModule<MatchOf<'addrtype'>> = {
  kind: 'addrtype',
  options: [
    { name: '--src-type', negatable: true },
    { name: '--dst-type', negatable: true },
    { name: '--limit-iface-in', values: 0 },
    { name: '--limit-iface-out', values: 0 },
  ],
  parse(written) {
    const source = parseTypes(written, '--src-type');
    const destination = parseTypes(written, '--dst-type');
    if (source === undefined && destination === undefined) {
      fail('ERR_RULE_OPTION', written.at, 'addrtype: --src-type or --dst-type must be given');
    }
    const [limitIn, limitOut] = [written.options.has('--limit-iface-in'), written.options.has('--limit-iface-out')];
    if (limitIn && limitOut)
      fail('ERR_RULE_OPTION', written.at, 'addrtype: only one --limit-iface option can be given');
    return {
      kind: 'addrtype',
      ...(source && { source }),
      ...(destination && { destination }),
      ...((limitIn || limitOut) && { limitInterface: limitIn ? ('in' as const) : ('out' as const) }),
    };
  },
  save: ({ source, destination, limitInterface }) =>
    joined(
      saveTypes('--src-type', source),
      saveTypes('--dst-type', destination),
      limitInterface === undefined ? '' : `--limit-iface-${limitInterface}`,
    ),
  list: ({ source, destination, limitInterface }) =>
    joined(
      'ADDRTYPE match',
      listTypes('src-type', source),
      listTypes('dst-type', destination),
      limitInterface === undefined ? '' : `limit-${limitInterface}`,
    ),
};
