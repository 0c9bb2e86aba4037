/** `-m icmp` (libipt_icmp.c): type and code, by number or by iptables' names (RFC 792, RFC 1256, RFC 950, RFC 1812). */
import { fail, type MatchModule, type MatchOf, not, required } from '../text/module.ts';
import { PROTOCOL } from '../text/protocols.ts';
import { readIntegerText } from '../text/values.ts';
import type { Word } from '../text/words.ts';

interface Types {
  readonly type: number;
  readonly codeLow: number;
  readonly codeHigh: number;
}

const ANY_TYPE = 255;

/** `NAME[|ALIAS] TYPE[/CODE]`; without a code the name stands for all codes. */
const NAMES = `
any 255, echo-reply|pong 0, destination-unreachable 3, network-unreachable 3/0, host-unreachable 3/1,
protocol-unreachable 3/2, port-unreachable 3/3, fragmentation-needed 3/4, source-route-failed 3/5,
network-unknown 3/6, host-unknown 3/7, network-prohibited 3/9, host-prohibited 3/10, TOS-network-unreachable 3/11,
TOS-host-unreachable 3/12, communication-prohibited 3/13, host-precedence-violation 3/14, precedence-cutoff 3/15,
source-quench 4, redirect 5, network-redirect 5/0, host-redirect 5/1, TOS-network-redirect 5/2, TOS-host-redirect 5/3,
echo-request|ping 8, router-advertisement 9, router-solicitation 10, time-exceeded|ttl-exceeded 11,
ttl-zero-during-transit 11/0, ttl-zero-during-reassembly 11/1, parameter-problem 12, ip-header-bad 12/0,
required-option-missing 12/1, timestamp-request 13, timestamp-reply 14, address-mask-request 17, address-mask-reply 18
`;

/** `TYPE` or `TYPE/CODE` of each name and alias, and the first name of each of those. */
const typeOfName = new Map<string, string>();
const nameOfType = new Map<string, string>();
for (const entry of NAMES.trim().split(/,\s+/)) {
  const [spelled, type] = entry.split(' ') as [string, string];
  const [name, ...aliases] = spelled.split('|') as [string, ...string[]];
  for (const one of [name, ...aliases]) typeOfName.set(one.toLowerCase(), type);
  nameOfType.set(type, name);
}

const allCodes = ({ codeLow, codeHigh }: Types): boolean => codeLow === 0 && codeHigh === 255;

function readTypes(word: Word): Types {
  const spelled = /^[0-9]/.test(word.text) ? word.text : typeOfName.get(word.text.toLowerCase());
  if (spelled === undefined) fail('ERR_RULE_VALUE', word, `'${word.text}' is no ICMP type known here`);
  const slash = spelled.indexOf('/');
  const type = readIntegerText(word, slash < 0 ? spelled : spelled.slice(0, slash), 0, 255);
  if (slash < 0) return { type, codeLow: 0, codeHigh: 255 };
  const code = readIntegerText(word, spelled.slice(slash + 1), 0, 255);
  return { type, codeLow: code, codeHigh: code };
}

function listNumbers(types: Types): string {
  if (allCodes(types)) return `type ${types.type}`;
  const { codeLow, codeHigh } = types;
  return codeLow === codeHigh
    ? `type ${types.type} code ${codeLow}`
    : `type ${types.type} codes ${codeLow}-${codeHigh}`;
}

export const icmp: MatchModule<MatchOf<'icmp'>> = {
  kind: 'icmp',
  protocols: [PROTOCOL.ICMP],
  options: [{ name: '--icmp-type', negatable: true }],
  parse(written) {
    const given = required(written, '--icmp-type');
    return { kind: 'icmp', ...readTypes(given.values[0]!), negated: given.negated };
  },
  save(match) {
    if (match.type === ANY_TYPE) return `${not(match.negated)}--icmp-type any`;
    return `${not(match.negated)}--icmp-type ${match.type}${allCodes(match) ? '' : `/${match.codeLow}`}`;
  },
  list(match, { numeric }) {
    const key = allCodes(match) ? `${match.type}` : `${match.type}/${match.codeLow}`;
    const name = numeric ? undefined : nameOfType.get(key);
    if (name !== undefined) return `icmp ${match.negated ? '!' : ''}${name}`;
    // Not a slip: iptables writes "icmptype 8" but "icmp !type 8".
    return `icmp${match.negated ? ' !' : ''}${listNumbers(match)}`;
  },
};
