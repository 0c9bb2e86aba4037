/**
 * Frames into a lab and everything that its cells see of them.
 *
 * One program holds a packet socket for every wire that frames are put on, and one for each cell and each container that
 * hears all its devices. It sends a frame, reads until nothing more comes, and sends the next: what a frame caused stands behind it. The
 * kernel hands packets between namespaces on the processor that sent them, so the program stays on one.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { NANOSECONDS_PER_JIFFY } from '../../../src/rules/limit.ts';
import { LabError } from '../lab-shell.ts';

/** A frame at a device of a cell. */
export interface Event {
  /** Number of the frame that was put on a wire last, from 0. */
  readonly step: number;
  readonly cell: string;
  readonly device: string;
  /** The cell sent it; else it received it. */
  readonly outgoing: boolean;
  /** Received, but not addressed to this device (PACKET_OTHERHOST). */
  readonly otherHost: boolean;
  /** Nanoseconds since 1970; as a difference to the first frame it fits a number. */
  readonly time: bigint;
  readonly octets: Uint8Array;
}

/** Whether `device` is the container's end of a veth. */
export const isContainerEnd = (device: string): boolean => device.includes('/');

export interface Wires {
  /** Who listens. `prefix` stands before the names of its devices; a container's is that of its veth, `s-010255001004/`. */
  readonly cells: readonly { readonly name: string; readonly namespace: string; readonly prefix: string }[];
  /** Where frames can be put: sent by `device` of `namespace`. */
  readonly ports: readonly { readonly name: string; readonly namespace: string; readonly device: string }[];
}

export interface WireLab {
  /** Put `octets` (hexadecimal) on the wire `port`, in order; resolves with all that was seen since the last call. */
  readonly send: (frames: readonly { readonly port: string; readonly octets: string }[]) => Promise<Event[]>;
  /** When each frame was put on its wire, in nanoseconds since 1970. */
  readonly times: readonly bigint[];
  /** The moment that counts as 0: a tick of the kernel not long before the first frame. */
  readonly origin: () => bigint;
  readonly close: () => Promise<void>;
}

/**
 * Lines in: `S PORT HEX` sends, `Q` waits until all is quiet and answers `Q DROPPED`. Lines out, one an event:
 * `CELL DEVICE PACKET-TYPE NANOSECONDS HEX`, and `S NANOSECONDS SINCE-TICK` before what a frame caused. VLAN tags that the kernel
 * took off are put back.
 *
 * Limits count in jiffies, which the kernel begins at whole multiples of a tick on its monotonic clock. No frame is sent when
 * a tick is near, so that the time of sending says in which jiffy the frame was dealt with.
 */
const PROGRAM = `
import ctypes, json, os, select, socket, struct, sys, time
TICK, BEHIND, BEFORE = ${NANOSECONDS_PER_JIFFY}, 200000, 1000000
SOL_PACKET, AUXDATA, STATISTICS, RCVBUFFORCE, TIMESTAMPNS = 263, 8, 6, 33, 35
libc = ctypes.CDLL(None, use_errno=True)
home = os.open('/proc/self/ns/net', os.O_RDONLY)
os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
def inside(namespace, body):
    there = os.open('/var/run/netns/' + namespace, os.O_RDONLY)
    if libc.setns(there, 0x40000000): raise OSError(ctypes.get_errno(), namespace)
    try: return body()
    finally:
        os.close(there)
        libc.setns(home, 0x40000000)
def sender(device):
    one = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    one.bind((device, 0))
    return one
def listener():
    one = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    one.setsockopt(socket.SOL_SOCKET, RCVBUFFORCE, 1 << 26)
    one.setsockopt(SOL_PACKET, AUXDATA, 1)
    one.setsockopt(socket.SOL_SOCKET, TIMESTAMPNS, 1)
    one.setblocking(False)
    return one
wires = json.loads(sys.argv[1])
ports = {port['name']: inside(port['namespace'], lambda: sender(port['device'])) for port in wires['ports']}
cells = {}
poll = select.epoll()
for cell in wires['cells']:
    one = inside(cell['namespace'], listener)
    cells[one.fileno()] = (one, cell['name'] + ' ' + cell['prefix'])
    poll.register(one.fileno(), select.EPOLLIN)
out = sys.stdout
def read(one, name):
    while True:
        try: octets, extra, flags, address = one.recvmsg(65600, 512)
        except BlockingIOError: return
        device, kind, stamp = address[0], address[2], 0
        for level, key, value in extra:
            if level == SOL_PACKET and key == AUXDATA:
                status, _, _, _, _, tag, protocol = struct.unpack('IIIHHHH', value[:20])
                if status & 0x10: octets = octets[:12] + struct.pack('!HH', protocol if status & 0x40 else 0x8100, tag) + octets[12:]
            elif level == socket.SOL_SOCKET and key == TIMESTAMPNS:
                seconds, nanoseconds = struct.unpack('qq', value[:16])
                stamp = seconds * 1000000000 + nanoseconds
        out.write('%s%s %d %d %s\\n' % (name, device, kind, stamp, octets.hex()))
def drain(milliseconds):
    quiet = 0
    while quiet < 2:
        ready = poll.poll(milliseconds / 1000)
        if not ready:
            quiet += 1
            os.sched_yield()
        for number, _ in ready: read(*cells[number])
for line in sys.stdin:
    words = line.split()
    if words[0] == 'S':
        while not BEHIND < time.monotonic_ns() % TICK < TICK - BEFORE: pass
        out.write('S %d %d\\n' % (time.time_ns(), time.monotonic_ns() % TICK))
        ports[words[1]].send(bytes.fromhex(words[2]))
        drain(0)
    else:
        drain(4)
        lost = sum(struct.unpack('II', one.getsockopt(SOL_PACKET, STATISTICS, 8))[1] for one, _ in cells.values())
        out.write('Q %d\\n' % lost)
        out.flush()
`;

const PACKET_OTHERHOST = 3;
const PACKET_OUTGOING = 4;

function parseEvent(line: string, step: number): Event {
  const [cell, device, kind, time, octets] = line.split(' ');
  return {
    step,
    cell: cell!,
    device: device!,
    outgoing: Number(kind) === PACKET_OUTGOING,
    otherHost: Number(kind) === PACKET_OTHERHOST,
    time: BigInt(time!),
    octets: Buffer.from(octets!, 'hex'),
  };
}

/** Open every wire. Rejects with ERR_LAB_COMMAND when the program ends early, or lost a frame. */
export function openWires(wires: Wires): WireLab {
  const child = spawn('python3', ['-c', PROGRAM, JSON.stringify(wires)], { stdio: ['pipe', 'pipe', 'pipe'] });
  const said: string[] = [];
  child.stderr.setEncoding('utf8').on('data', (text: string) => said.push(text));
  const lines = createInterface({ input: child.stdout });
  const times: bigint[] = [];
  let origin = 0n;
  let events: Event[] = [];
  let waiting: { done: (events: Event[]) => void; failed: (error: Error) => void } | undefined;
  const fail = (why: string): void => {
    waiting?.failed(
      new LabError('ERR_LAB_COMMAND', `the program that sends and hears frames ${why}: ${said.join('')}`),
    );
    waiting = undefined;
  };
  const ended = new Promise<void>((resolve) => {
    child.on('close', (code) => {
      fail(`ended with ${code}`);
      resolve();
    });
  });
  lines.on('line', (line) => {
    if (line.startsWith('S ')) {
      const [, time, sinceTick] = line.split(' ');
      if (times.length === 0) origin = BigInt(time!) - BigInt(sinceTick!);
      times.push(BigInt(time!));
      return;
    }
    if (!line.startsWith('Q ')) {
      events.push(parseEvent(line, times.length - 1));
      return;
    }
    if (line !== 'Q 0') {
      fail(`lost frames (${line.slice(2)})`);
      return;
    }
    const seen = events;
    events = [];
    waiting?.done(seen);
    waiting = undefined;
  });
  child.stdin.on('error', (error) => fail(error.message));
  return {
    times,
    origin: () => origin,
    send: (frames) =>
      new Promise((done, failed) => {
        waiting = { done, failed };
        child.stdin.write(`${frames.map(({ port, octets }) => `S ${port} ${octets}\n`).join('')}Q\n`);
      }),
    async close() {
      child.stdin.end();
      await ended;
    },
  };
}
