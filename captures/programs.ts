/** The real programs that make the traffic: servers inside containers, and clients with fixed source ports. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatIpv4 } from '../src/wire/address.ts';
import type { Lab } from '../test/conformance/lab.ts';
import { LabError, run } from '../test/conformance/lab-shell.ts';

/** Everything that these functions start. */
export const PROGRAMS = ['python3', 'curl', 'openssl', 'ping', 'conntrack'];

/** What a client's user sees. */
export type Seen = 'answered' | 'refused' | 'no answer';

const ECHO = `
import socket, sys
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((sys.argv[1], int(sys.argv[2])))
while True:
    data, client = server.recvfrom(65535)
    server.sendto(data, client)
`;

const SEND = `
import socket, sys
source, sourcePort, destination, port, text, times = sys.argv[1:]
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.settimeout(2)
client.bind((source, int(sourcePort)))
client.connect((destination, int(port)))
data = (text * int(times)).encode()
try:
    client.send(data)
    sys.exit(0 if client.recv(65535) == data else 3)
except ConnectionRefusedError:
    sys.exit(7)
except TimeoutError:
    sys.exit(28)
`;

/** A container of a lab: `app/index` and its overlay address. */
export interface Place {
  readonly name: string;
  readonly address: string;
}

export function placeOf({ foundation }: Lab, name: string): Place {
  const [app, index] = name.split('/');
  const instance = foundation.apps.find((one) => one.name === app)?.instances[Number(index)];
  if (instance === undefined) throw new RangeError(`no instance ${name} in this foundation`);
  return { name, address: formatIpv4(instance.address) };
}

/** `python3 -m http.server` over `directory`. */
export async function serveHttp(lab: Lab, at: Place, port: number, directory: string): Promise<void> {
  lab.serve(at.name, 'python3', ['-m', 'http.server', `${port}`, '--bind', at.address, '--directory', directory]);
  await lab.listening(at.name, 'tcp', port);
}

export async function serveUdpEcho(lab: Lab, at: Place, port: number): Promise<void> {
  lab.serve(at.name, 'python3', ['-c', ECHO, at.address, `${port}`]);
  await lab.listening(at.name, 'udp', port);
}

/** `openssl s_server` with a certificate made for this run; the key never leaves `directory`. */
export async function serveTls(lab: Lab, at: Place, port: number, hostname: string, directory: string): Promise<void> {
  const [key, certificate] = [join(directory, 'tls.key'), join(directory, 'tls.crt')];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  run('openssl', [
    'req',
    '-x509',
    ...curve,
    '-subj',
    `/CN=${hostname}`,
    '-keyout',
    key,
    '-out',
    certificate,
    '-days',
    '1',
  ]);
  const server = ['s_server', '-accept', `${at.address}:${port}`, '-cert', certificate, '-key', key, '-WWW', '-quiet'];
  lab.serve(at.name, 'openssl', server, directory);
  await lab.listening(at.name, 'tcp', port);
}

/** The page that web servers answer with: `octets` of fixed text. */
export function writePage(directory: string, name: string, octets: number): void {
  writeFileSync(
    join(directory, name),
    '{"service":"shop","status":"ok"}\n'.repeat(Math.ceil(octets / 33)).slice(0, octets),
  );
}

function judge(program: string, code: number, meanings: Readonly<Record<number, Seen>>): Seen {
  const seen = meanings[code];
  if (seen === undefined) throw new LabError('ERR_LAB_COMMAND', `${program} ended with ${code}`);
  return seen;
}

const CURL: Readonly<Record<number, Seen>> = { 0: 'answered', 7: 'refused', 28: 'no answer' };
const curl = (lab: Lab, from: Place, port: number, url: string): Seen => {
  const args = ['-sk', '--noproxy', '*', '-o', '/dev/null', '--max-time', '4', '--local-port', `${port}`, url];
  return judge('curl', lab.inContainer(from.name, 'curl', args, { allow: [0, 7, 28] }).code, CURL);
};

export const http = (lab: Lab, from: Place, sourcePort: number, to: Place, port: number, path = 'status'): Seen =>
  curl(lab, from, sourcePort, `http://${to.address}:${port}/${path}`);

export const https = (lab: Lab, from: Place, sourcePort: number, to: Place, port: number, path = 'status'): Seen =>
  curl(lab, from, sourcePort, `https://${to.address}:${port}/${path}`);

/** One datagram of `text` repeated `times`, from a connected socket, so that ICMP errors come back to the program. */
export function datagram(
  lab: Lab,
  from: Place,
  sourcePort: number,
  to: Place,
  port: number,
  text: string,
  times = 1,
): Seen {
  const args = ['-c', SEND, from.address, `${sourcePort}`, to.address, `${port}`, text, `${times}`];
  const { code } = lab.inContainer(from.name, 'python3', args, { allow: [0, 7, 28] });
  return judge('the datagram client', code, CURL);
}

/** One ICMP echo request. */
export function ping(lab: Lab, from: Place, to: string, identifier: number, ttl = 64): Seen {
  const args = ['-n', '-c', '1', '-W', '1', '-e', `${identifier}`, '-t', `${ttl}`, to];
  return judge('ping', lab.inContainer(from.name, 'ping', args, { allow: [0, 1] }).code, {
    0: 'answered',
    1: 'no answer',
  });
}

/** A TLS session that stays open until the lab is taken down. */
export function openTls(lab: Lab, from: Place, sourcePort: number, to: Place, port: number): void {
  const args = ['s_client', '-quiet', '-bind', `${from.address}:${sourcePort}`, '-connect', `${to.address}:${port}`];
  lab.serve(from.name, 'openssl', args);
}
