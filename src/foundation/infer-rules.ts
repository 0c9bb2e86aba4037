/**
 * What the rules of one cell say about the cell: reading silk's and the policy agent's chains backwards.
 *
 *     filter INPUT      -s IP -j input--HANDLE                                a container and its handle
 *     filter FORWARD    -s IP -o IFACE -j netout--HANDLE                      the same, and an interface of the host
 *     overlay--HANDLE   -s IP -o silk-vtep ..., -d IP ... -j REJECT           the same
 *     vpa--TIME         -s IP -m comment "src:APP" -j MARK TAG                the container's app and its tag
 *     vpa--TIME         -d IP -p P --dport S:E -m mark TAG "src:A_dst:B"      a policy, its source's tag, the container's app
 *     nat netin--HANDLE -d UNDERLAY --dport HOST -j DNAT IP:PORT              the cell's address and a host port
 *     mangle netin--... -d UNDERLAY -i IFACE ... -j MARK                      the cell's address and an interface
 *     nat POSTROUTING   -s IP ! -d BLOCK ! -o silk-vtep -j MASQUERADE         the lease or the overlay network
 *
 * Rules that somebody else wrote are passed over. Chain names keep 19 to 21 characters of a handle; log prefixes and the
 * names of hash tables keep more.
 */
import type { Chain, IpPart, Masked, Match, Rule, Ruleset, Table, TableName } from '../rules/model.ts';
import { type Cidr, maskOf } from '../wire/address.ts';
import type { Policy } from './model.ts';
import { LAST_TAG } from './tags.ts';

/** A value and the line of the rules file that says it. */
export interface Seen<T> {
  readonly value: T;
  readonly line: number;
}

export interface SeenContainer {
  readonly address: number;
  readonly line: number;
  /** As much of the handle as the rules show; empty when they show none. */
  handle: string;
  /** GUIDs that the policy agent's comments give the container, the first one first. */
  readonly apps: Set<string>;
  readonly ports: { readonly host: number; readonly container: number }[];
}

interface SeenTag {
  readonly app: string;
  readonly tag: number;
  readonly line: number;
}

export interface CellEvidence {
  /** By overlay address. */
  readonly containers: Map<number, SeenContainer>;
  readonly underlays: Seen<number>[];
  readonly interfaces: Set<string>;
  /** From the cell's own containers first. */
  readonly tags: SeenTag[];
  readonly policies: Seen<Policy>[];
  /** Blocks that masquerading leaves alone. */
  readonly unmasqueraded: Seen<Cidr>[];
}

const TCP = 6;
const UDP = 17;
const LAST_PORT = 0xffff;
const WHOLE = 0xffffffff;
const GUID = '[0-9A-Za-z_-]{1,64}';
const SOURCE_COMMENT = new RegExp(`^src:(${GUID})$`);
const POLICY_COMMENT = new RegExp(`^src:(${GUID}?)_dst:(${GUID})$`);
const HANDLE_CHAIN = /^(?:input|netout|overlay|netin)--([0-9A-Za-z_.-]+)$/;
const LOG_PREFIX = /^(?:OK|DENY_C2C|DENY_ORL|DENY)_([0-9A-Za-z_.-]+) ?$/;

/** Read everything that `ruleset` says about its cell. */
export function readEvidence(ruleset: Ruleset): CellEvidence {
  const evidence: CellEvidence = {
    containers: new Map(),
    underlays: [],
    interfaces: new Set(),
    tags: [],
    policies: [],
    unmasqueraded: [],
  };
  const tables = new Map<TableName, Table>(ruleset.tables.map((table) => [table.name, table]));
  const chainsOf = (name: TableName): readonly Chain[] => tables.get(name)?.chains ?? [];
  for (const chain of chainsOf('filter')) readContainerChain(chain, evidence);
  for (const chain of policyChains(chainsOf('filter'))) readPolicyChain(chain, evidence);
  for (const chain of chainsOf('nat')) readNatChain(chain, evidence);
  for (const chain of chainsOf('mangle')) readMangleChain(chain, evidence);
  lengthenHandles(evidence, chainsOf('filter'));
  return evidence;
}

/** The address of `-s IP` or `-d IP`; undefined for a block or a negation. */
const hostOf = (part: Masked | undefined): number | undefined =>
  part === undefined || part.negated || part.mask !== WHOLE ? undefined : part.address;

const nameOf = (part: IpPart['inInterface']): string | undefined =>
  part === undefined || part.negated || part.name.endsWith('+') ? undefined : part.name;

function containerAt(evidence: CellEvidence, address: number, line: number): SeenContainer {
  const known = evidence.containers.get(address);
  if (known !== undefined) return known;
  const container: SeenContainer = { address, line, handle: '', apps: new Set(), ports: [] };
  evidence.containers.set(address, container);
  return container;
}

/** Remember the part of a handle that a chain's name shows, unless more of it is known. */
function nameContainer(container: SeenContainer, chain: string): void {
  const shown = HANDLE_CHAIN.exec(chain)?.[1] ?? '';
  if (shown.length > container.handle.length) container.handle = shown;
}

/** Chain of a rule that jumps or goes to one. */
const jumpOf = ({ target }: Rule): string => (target.kind === 'jump' || target.kind === 'goto' ? target.chain : '');

/** INPUT, FORWARD and the overlay-- chains: who lives here. */
function readContainerChain(chain: Chain, evidence: CellEvidence): void {
  const overlay = chain.name.startsWith('overlay--');
  if (!overlay && chain.policy === null) return;
  for (const rule of chain.rules) {
    const to = jumpOf(rule);
    const source = hostOf(rule.ip.source);
    if (to.startsWith('input--') || to.startsWith('netout--')) {
      if (source === undefined) continue;
      nameContainer(containerAt(evidence, source, rule.line), to);
      const out = nameOf(rule.ip.outInterface);
      if (out !== undefined) evidence.interfaces.add(out);
    } else if (overlay) {
      const address = source ?? hostOf(rule.ip.destination);
      if (address !== undefined) nameContainer(containerAt(evidence, address, rule.line), chain.name);
    }
  }
}

/** The agent's chains that FORWARD walks, in that order; while it replaces its rules there are two. */
function policyChains(chains: readonly Chain[]): Chain[] {
  const forward = chains.find((chain) => chain.name === 'FORWARD');
  const names = (forward?.rules ?? []).map(jumpOf).filter((name) => name.startsWith('vpa--'));
  return names.flatMap((name) => chains.find((chain) => chain.name === name) ?? []);
}

function commentOf(matches: readonly Match[]): string {
  for (const match of matches) if (match.kind === 'comment') return match.text;
  return '';
}

function readPolicyChain(chain: Chain, evidence: CellEvidence): void {
  for (const rule of chain.rules) {
    const comment = commentOf(rule.matches);
    if (rule.target.kind === 'MARK') readSource(rule, rule.target.value, comment, evidence);
    else if (rule.target.kind === 'ACCEPT') readPolicy(rule, comment, evidence);
  }
}

/** `-s IP -m comment --comment src:APP -j MARK --set-xmark TAG` */
function readSource(rule: Rule, tag: number, comment: string, evidence: CellEvidence): void {
  const app = SOURCE_COMMENT.exec(comment)?.[1];
  const address = hostOf(rule.ip.source);
  if (app === undefined || address === undefined || tag < 1 || tag > LAST_TAG) return;
  containerAt(evidence, address, rule.line).apps.add(app);
  evidence.tags.push({ app, tag, line: rule.line });
}

/** `-d IP -p tcp --dport START:END -m mark --mark TAG -m comment --comment src:A_dst:B -j ACCEPT` */
function readPolicy(rule: Rule, comment: string, evidence: CellEvidence): void {
  const [, source, destination] = POLICY_COMMENT.exec(comment) ?? [];
  const address = hostOf(rule.ip.destination);
  const number = rule.ip.protocol?.negated === false ? rule.ip.protocol.number : 0;
  if (source === undefined || destination === undefined || address === undefined) return;
  if (number !== TCP && number !== UDP) return;
  containerAt(evidence, address, rule.line).apps.add(destination);
  const value: Policy = { source, destination, protocol: number === TCP ? 'tcp' : 'udp', ports: portsOf(rule) };
  evidence.policies.push({ value, line: rule.line });
  for (const match of rule.matches) {
    if (match.kind !== 'mark' || match.negated || match.mask !== WHOLE) continue;
    if (match.value >= 1 && match.value <= LAST_TAG) {
      evidence.tags.push({ app: source, tag: match.value, line: rule.line });
    }
  }
}

/** Destination ports of a rule; iptables prints no ports for all of them. */
function portsOf({ matches }: Rule): Policy['ports'] {
  for (const match of matches) {
    if ((match.kind !== 'tcp' && match.kind !== 'udp') || match.destinationPorts === undefined) continue;
    return { start: Math.max(1, match.destinationPorts.low), end: match.destinationPorts.high };
  }
  return { start: 1, end: LAST_PORT };
}

function readNatChain(chain: Chain, evidence: CellEvidence): void {
  for (const rule of chain.rules) {
    if (chain.name.startsWith('netin--')) readHostPort(chain.name, rule, evidence);
    else if (chain.name === 'POSTROUTING') readMasquerade(rule, evidence);
  }
}

/** `-d UNDERLAY -p tcp --dport HOST -j DNAT --to-destination IP:PORT` */
function readHostPort(chain: string, rule: Rule, evidence: CellEvidence): void {
  if (rule.target.kind !== 'DNAT') return;
  const { addressLow, portLow } = rule.target.to;
  const underlay = hostOf(rule.ip.destination);
  if (underlay !== undefined) evidence.underlays.push({ value: underlay, line: rule.line });
  if (addressLow === undefined) return;
  const container = containerAt(evidence, addressLow, rule.line);
  nameContainer(container, chain);
  const { start, end } = portsOf(rule);
  if (start === end && portLow !== undefined) container.ports.push({ host: start, container: portLow });
}

/** `-s IP ! -d BLOCK ! -o silk-vtep -j MASQUERADE` */
function readMasquerade({ ip, target, line }: Rule, evidence: CellEvidence): void {
  const source = hostOf(ip.source);
  if (target.kind !== 'MASQUERADE' || source === undefined || ip.destination?.negated !== true) return;
  const prefixLength = Math.clz32(~ip.destination.mask);
  if (maskOf(prefixLength) !== ip.destination.mask) return;
  containerAt(evidence, source, line);
  evidence.unmasqueraded.push({ value: { address: ip.destination.address, prefixLength }, line });
}

function readMangleChain(chain: Chain, evidence: CellEvidence): void {
  if (!chain.name.startsWith('netin--')) return;
  for (const { ip, target, line } of chain.rules) {
    const underlay = hostOf(ip.destination);
    const name = nameOf(ip.inInterface);
    if (target.kind !== 'MARK' || underlay === undefined) continue;
    evidence.underlays.push({ value: underlay, line });
    if (name !== undefined) evidence.interfaces.add(name);
  }
}

/** Log prefixes keep up to 25 characters of a handle, the hash table of the connection limit all of them. */
function lengthenHandles({ containers }: CellEvidence, chains: readonly Chain[]): void {
  const longer = new Set<string>();
  for (const { rules } of chains) {
    for (const { target, matches } of rules) {
      const logged = target.kind === 'LOG' ? LOG_PREFIX.exec(target.prefix)?.[1] : undefined;
      if (logged !== undefined) longer.add(logged);
      for (const match of matches) if (match.kind === 'hashlimit') longer.add(match.name);
    }
  }
  const sorted = [...longer].sort((a, b) => a.length - b.length);
  for (const container of containers.values()) {
    if (container.handle === '') continue;
    const fitting = sorted.filter((one) => one.startsWith(container.handle));
    const longest = fitting.at(-1);
    if (longest !== undefined && fitting.every((one) => longest.startsWith(one))) container.handle = longest;
  }
}
