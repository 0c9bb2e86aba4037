/**
 * What the CNI plugin writes for one container (cni-wrapper-plugin/netrules), in final order.
 *
 *     input--    what the container may reach on its own cell
 *     netout--   what it may reach through the cell's network interfaces: security groups
 *     overlay--  what may reach it over the overlay: only what vpa-- let pass before
 *     netin--    host ports that lead to it (nat), and the mark that lets them pass overlay-- (mangle)
 */
import type { Rule } from '../rules/model.ts';
import { type Cidr, contains } from '../wire/address.ts';
import * as chains from './chain-names.ts';
import { VTEP_NAME } from './lease.ts';
import type { Cell, Instance, SecurityGroupRule, Settings } from './model.ts';
import { securityGroupRules } from './plan-security-groups.ts';
import * as parts from './rule-parts.ts';

/** Mark of packets that came in through a host port: outside the 16 bits of a tag. */
const INGRESS_MARK = 0xffff0000;
const DNS_PORT = 53;
const LINK_LOCAL: Cidr = { address: 0xa9fe0000, prefixLength: 16 };

/** One container to be planned. */
export interface Container {
  readonly app: string;
  readonly instance: Instance;
  /** Security group rules that apply to it, in their order. */
  readonly groupRules: readonly SecurityGroupRule[];
}

function inputRules(settings: Settings): Rule[] {
  const open = (protocol: 'tcp' | 'udp', address: number, port: number): Rule =>
    parts.rule(
      { destination: parts.host(address), protocol: parts.protocol(protocol) },
      [parts.destinationPorts(protocol, port, port)],
      parts.ACCEPT,
    );
  const linkLocal = settings.dnsServers.filter((address) => contains(LINK_LOCAL, address));
  return [
    parts.rule({}, [parts.RELATED_ESTABLISHED], parts.ACCEPT),
    ...linkLocal.flatMap((address) => [open('tcp', address, DNS_PORT), open('udp', address, DNS_PORT)]),
    ...settings.hostTcpServices.map((service) => open('tcp', service.address, service.port)),
    ...settings.hostUdpServices.map((service) => open('udp', service.address, service.port)),
    parts.rule({}, [], parts.REJECT),
  ];
}

function overlayRules({ address, handle }: Instance, settings: Settings): Rule[] {
  const destination = parts.host(address);
  const egress = { source: destination, outInterface: parts.named(VTEP_NAME) };
  return [
    parts.rule(egress, [parts.mark(0, true)], parts.ACCEPT),
    parts.rule({ destination }, [parts.RELATED_ESTABLISHED], parts.ACCEPT),
    parts.rule({ destination }, [parts.mark(INGRESS_MARK)], parts.ACCEPT),
    ...(settings.logging
      ? [parts.rule({ destination }, [parts.limit(settings.deniedLogsPerSecond)], parts.log(`DENY_C2C_${handle}`))]
      : []),
    parts.rule({ destination }, [], parts.REJECT),
  ];
}

/** Jumps of FORWARD: netout-- per host interface, then overlay-- for whatever is forwarded. */
export const forwardJumps = ({ address, handle }: Instance, cell: Cell): Rule[] => [
  ...cell.interfaces.map((name) =>
    parts.rule(
      { source: parts.host(address), outInterface: parts.named(name) },
      [],
      parts.jump(chains.chainName('netout', handle)),
    ),
  ),
  parts.rule({}, [], parts.jump(chains.chainName('overlay', handle))),
];

export const inputJump = ({ address, handle }: Instance): Rule =>
  parts.rule({ source: parts.host(address) }, [], parts.jump(chains.chainName('input', handle)));

/** The container's filter chains, apart from those of its security groups. */
export function filterChains({ instance, groupRules }: Container, settings: Settings): [string, Rule[]][] {
  const { handle } = instance;
  const groups = securityGroupRules(groupRules, instance, settings);
  const netout = chains.chainName('netout', handle);
  const asg = chains.asgChainName(handle);
  const written: [string, Rule[]][] = [
    [chains.chainName('input', handle), inputRules(settings)],
    [chains.chainName('overlay', handle), overlayRules(instance, settings)],
    [chains.logChainName(handle), acceptedLogRules(handle, settings)],
  ];
  if (chains.hasRateLimitLog(settings)) {
    written.push([chains.rateLimitLogChainName(handle), rateLimitLogRules(handle, settings)]);
  }
  if (!settings.dynamicSecurityGroups) return [...written, [netout, groups]];
  const throughAgent = [parts.rule({}, [], parts.jump(asg)), parts.rule({}, [], parts.REJECT)];
  return [...written, [netout, throughAgent], [asg, groups]];
}

/** Written for every container; only logged security group rules lead there. */
function acceptedLogRules(handle: string, settings: Settings): Rule[] {
  const log = parts.log(`OK_${handle}`);
  return [
    parts.rule({ protocol: parts.protocol('udp', true) }, [parts.NOT_ESTABLISHED], log),
    parts.rule({ protocol: parts.protocol('udp') }, [parts.limit(settings.acceptedUdpLogsPerSecond)], log),
    parts.rule({}, [], parts.ACCEPT),
  ];
}

/** A dry run logs connections that are opened too fast and lets them pass. */
function rateLimitLogRules(handle: string, settings: Settings): Rule[] {
  const log = parts.rule({}, [parts.limit(settings.deniedLogsPerSecond)], parts.log(`DENY_ORL_${handle}`));
  return settings.outboundConnections.dryRun ? [log] : [log, parts.rule({}, [], parts.REJECT)];
}

export const netinNatRules = ({ address, ports }: Instance, cell: Cell): Rule[] =>
  ports.map((one) =>
    parts.rule(
      { destination: parts.host(cell.underlay), protocol: parts.protocol('tcp') },
      [parts.destinationPorts('tcp', one.host, one.host)],
      parts.destinationNat(address, one.container),
    ),
  );

export const netinMangleRules = ({ ports }: Instance, cell: Cell): Rule[] =>
  ports.flatMap((one) =>
    cell.interfaces.map((name) =>
      parts.rule(
        {
          destination: parts.host(cell.underlay),
          inInterface: parts.named(name),
          protocol: parts.protocol('tcp'),
        },
        [parts.destinationPorts('tcp', one.host, one.host)],
        parts.setMark(INGRESS_MARK),
      ),
    ),
  );

/** What leaves the cell by another way than the VTEP takes the cell's address, except towards `kept`. */
export const masqueradeRule = ({ address }: Instance, kept: Cidr): Rule =>
  parts.rule(
    {
      source: parts.host(address),
      destination: parts.network(kept, true),
      outInterface: parts.named(VTEP_NAME, true),
    },
    [],
    parts.MASQUERADE,
  );
