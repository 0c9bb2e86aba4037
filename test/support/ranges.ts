/** Rulesets of ranges: long lists without exact fields, with everything between that a cut must not step over. */
import { formatIpv4 } from '../../src/wire/address.ts';
import { createRandom } from './evaluation.ts';

type Random = ReturnType<typeof createRandom>;

const MASKS = ['/8', '/12', '/15', '/16', '/17', '/23', '/24', '/27', '/31', '/32', '/255.0.255.0', '/255.255.0.255'];
const PORTS = [0, 1, 22, 53, 80, 1023, 1024, 1500, 8080, 30_000, 65_534, 65_535];

function block(random: Random, network: number): string {
  const negated = random(12) === 0 ? '! ' : '';
  const address = (network & 0xffff0000) | (random(6) << 8) | random(12);
  return `${negated}%s ${formatIpv4(address >>> 0)}${MASKS[random(MASKS.length)]!}`;
}

const addresses = (random: Random, flag: string, network: number): string =>
  random(3) === 0 ? '' : block(random, network).replace('%s', flag);

function range(random: Random, flag: string, network: number): string {
  const low = (network & 0xffff0000) | (random(6) << 8) | random(200);
  const negated = random(8) === 0 ? '! ' : '';
  return `-m iprange ${negated}--${flag}-range ${formatIpv4(low >>> 0)}-${formatIpv4((low + random(600)) >>> 0)}`;
}

function ports(random: Random, flag: string): string {
  if (random(3) === 0) return '';
  const [one, other] = [PORTS[random(PORTS.length)]!, PORTS[random(PORTS.length)]!];
  const negated = random(10) === 0 ? '! ' : '';
  return `${negated}--${flag} ${Math.min(one, other)}:${Math.max(one, other)}`;
}

function protocol(random: Random): string {
  switch (random(5)) {
    case 0:
      return '';
    case 1:
      return '-p icmp';
    case 2:
      return `-p udp -m udp ${ports(random, 'sport')} ${ports(random, 'dport')}`;
    default:
      return `-p tcp -m tcp ${ports(random, 'sport')} ${ports(random, 'dport')}`;
  }
}

/** What ends a rule; `plain` for verdicts only. */
function target(random: Random, plain: boolean): string {
  const plainly = ['-j ACCEPT', '-j DROP', '-j ACCEPT', '-j DROP', ''];
  const limit = '-m limit --limit 5/sec';
  const rest = [
    '-j RETURN',
    '-j other',
    '-g other',
    '-j MARK --set-xmark 0x1/0x3',
    `${limit} -j DROP`,
    `${limit} -j other`,
  ];
  const choice = random(24);
  return plain || choice >= rest.length ? plainly[choice % plainly.length]! : rest[choice]!;
}

/** `count` rules in FORWARD and some in a chain that they jump to. Addresses are near `from` and `to`; `plain`: verdicts only. */
export function rangesOf(count: number, seed: number, plain: boolean, from = 0x0aff0200, to = 0x0aff0100): string {
  const random = createRandom(seed);
  const rule = (chain: string): string => {
    const parts = [addresses(random, '-s', from), addresses(random, '-d', to), protocol(random)];
    if (random(12) === 0) parts.push(range(random, random(2) === 0 ? 'src' : 'dst', random(2) === 0 ? from : to));
    if (random(12) === 0) parts.push(`-m mark --mark ${random(3)}`);
    // Without addresses it would decide for most packets, and for all of them make what follows vain.
    const ending = target(random, plain || chain !== 'FORWARD');
    parts.push(parts[0] === '' && parts[1] === '' ? '' : ending);
    return `-A ${chain} ${parts.join(' ')}`.replace(/ +/g, ' ').trimEnd();
  };
  const lines = Array.from({ length: count }, () => rule('FORWARD'));
  const others = Array.from({ length: 30 }, () => rule('other'));
  const chains = [':INPUT ACCEPT [0:0]', ':FORWARD DROP [0:0]', ':OUTPUT ACCEPT [0:0]', ':other - [0:0]'];
  return ['*filter', ...chains, ...lines, ...others, 'COMMIT', ''].join('\n');
}
