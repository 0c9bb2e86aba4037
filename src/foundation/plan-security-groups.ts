/**
 * The chain of one container's security groups, in final order.
 *
 * silk collects the rules in one order and inserts each at position 1, so the chain reads backwards: established and
 * invalid first, then the connection limit, denied networks, the groups' rules from the last to the first, and at the end
 * what is refused. Source: cni-wrapper-plugin/netrules/netout_chain.go, rule_converter.go.
 */
import type { IpPart, Match, Rule, Target } from '../rules/model.ts';
import { logChainName, rateLimitLogChainName } from './chain-names.ts';
import type { App, Foundation, Instance, SecurityGroupRule, Settings } from './model.ts';
import * as parts from './rule-parts.ts';

/** Rules of the groups that apply to a container: those for every space, then those of its own, by workload. */
export function groupRulesOf(foundation: Foundation, app: App, workload: Instance['workload']): SecurityGroupRule[] {
  const staging = workload === 'staging';
  const space = app.spaceGuid ?? app.space;
  const everywhere = foundation.securityGroups.filter((group) =>
    staging ? group.stagingDefault : group.runningDefault,
  );
  const here = foundation.securityGroups.filter((group) => {
    if (everywhere.includes(group) || space === null) return false;
    return (staging ? group.stagingSpaces : group.runningSpaces).includes(space);
  });
  return [...everywhere, ...here].flatMap((group) => group.rules);
}

/** The rules of the chain `asg-...`, or of `netout--...` where security groups are not dynamic. */
export function securityGroupRules(
  groupRules: readonly SecurityGroupRule[],
  { handle, workload }: Instance,
  settings: Settings,
): Rule[] {
  const accepted = groupRules.flatMap((one) => acceptRules(one, handle, settings.logging));
  return [
    parts.rule({}, [parts.RELATED_ESTABLISHED], parts.ACCEPT),
    parts.rule({ protocol: parts.protocol('tcp') }, [parts.INVALID], parts.DROP),
    ...rateLimitRules(handle, settings),
    ...denyRules(workload, settings),
    ...withoutRepeats(accepted).reverse(),
    ...(settings.logging
      ? [parts.rule({}, [parts.limit(settings.deniedLogsPerSecond)], parts.log(`DENY_${handle}`))]
      : []),
    parts.rule({}, [], parts.REJECT),
  ];
}

function rateLimitRules(handle: string, { outboundConnections }: Settings): Rule[] {
  const { limit, logging, dryRun, ratePerSecond, burst } = outboundConnections;
  if (!limit && !dryRun) return [];
  const target = logging || dryRun ? parts.jump(rateLimitLogChainName(handle)) : parts.REJECT;
  const matches = [parts.NEW_CONNECTION, parts.aboveRate(ratePerSecond, burst, handle)];
  return [parts.rule({ protocol: parts.protocol('tcp') }, matches, target)];
}

/** Networks denied to a workload and then those denied to all, each list from its end. */
function denyRules(workload: Instance['workload'], { denyNetworks }: Settings): Rule[] {
  const own = workload === 'staging' ? denyNetworks.staging : denyNetworks.running;
  return [...denyNetworks.always, ...own]
    .reverse()
    .map((block) => parts.rule({ destination: parts.network(block) }, [], parts.REJECT));
}

/** One rule per address range and port range. Logging anywhere sends what is accepted through the log chain. */
function acceptRules(group: SecurityGroupRule, handle: string, logging: boolean): Rule[] {
  const target: Target = group.log || logging ? parts.goTo(logChainName(handle)) : parts.ACCEPT;
  return group.destinations.flatMap(({ low, high }) => {
    const range = parts.destinationRange(low, high);
    return transports(group).map(([ip, matches]) => parts.rule(ip, [range, ...matches], target));
  });
}

/** The protocol part of a group's rule, once per port range. */
function transports({ protocol, ports, type, code }: SecurityGroupRule): [IpPart, Match[]][] {
  switch (protocol) {
    case 'all':
      return [[{}, []]];
    case 'icmp':
      // -1 (any) becomes 255 on silk's way through an unsigned octet.
      return [[{ protocol: parts.protocol('icmp') }, [parts.icmp((type ?? -1) & 0xff, (code ?? -1) & 0xff)]]];
    case 'tcp':
    case 'udp':
      return ports.map(({ start, end }) => [
        { protocol: parts.protocol(protocol) },
        [parts.destinationPorts(protocol, start, end)],
      ]);
  }
}

/** The first of equal rules. */
function withoutRepeats(rules: readonly Rule[]): Rule[] {
  const seen = new Set<string>();
  return rules.filter((one) => {
    const key = JSON.stringify(one);
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
