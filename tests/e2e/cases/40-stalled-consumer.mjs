// A consumer that stops reading for a minute under load costs the relay nothing that grows, and
// misses nothing afterwards.
import { execFileSync } from 'node:child_process';

import { Account, startLoad } from '../lib/account.mjs';
import { compareBytes } from '../lib/frames.mjs';
import { check, expectSame, sleep } from '../lib/util.mjs';

export const name = 'stalled consumer';

const stallSeconds = Number(process.env.RINGLAY_E2E_STALL_SECONDS ?? 60);
const tailBytes = 16 * 2 ** 20;
const limits = { rssGrowthBytes: 8 * 2 ** 20, socketBytes: 2 ** 20, queueGrowth: 2 ** 20 };

// What the kernel holds of the relay's side of the connection to this client port: bytes queued for
// sending, and the memory they take.
function socketMemory(relayPort, clientPort) {
    let text;
    try {
        text = execFileSync('ss', ['-Htmn', 'sport', '=', `:${relayPort}`, 'dport', '=', `:${clientPort}`]).toString();
    } catch {
        return null;
    }
    const memory = /skmem:\(r(\d+),rb\d+,t(\d+),tb\d+,f(\d+),w(\d+)/.exec(text);
    return memory && Number(memory[4]) + Number(memory[1]);
}

// Gauges that count what waits: by the house's names they say so.
function queueGauges(metrics) {
    const waits = /queue|pending|inflight|in_flight|waiting|backlog|mailbox|buffer|pool/;
    return [...metrics].filter(([, m]) => m.type === 'gauge' && waits.test(m.name));
}

export async function run(t) {
    // The smallest memory tail and small files: the stalled consumer must fall back from memory to
    // a file, and over many of their boundaries.
    const settings = { RELAY_TAIL_BYTES: '16MiB', RELAY_SEGMENT_BYTES: '4MiB' };
    const { relay, reader } = await t.startFollowedRelay({ settings });
    const accounts = (await Promise.all(t.fleet.hosts.map((h) => Account.createMany(h, 4, 'stall')))).flat();

    // Warm-up: until the memory tail has been filled and gone round.
    const warmUp = startLoad(accounts, { textBytes: 100_000 });
    let warmBytes = 0;
    reader.onFrame = (frame) => { warmBytes += frame.raw.length; };
    await reader.until(() => warmBytes > tailBytes * 1.3, 60);
    await warmUp.stop();
    check(warmBytes > tailBytes * 1.3, `the warm-up made only ${warmBytes} bytes in 60 s`);
    reader.onFrame = null;

    const from = reader.frames.length;
    const stalled = t.rawReader(relay.port, { cursor: reader.frames[from - 1].seq, name: 'stalled consumer' });
    await stalled.opened();
    const load = startLoad(accounts, { textBytes: 9_000 });
    await sleep(1000);
    stalled.stall();

    const samples = [];
    const gauges = new Map();
    const end = performance.now() + stallSeconds * 1000;
    while (performance.now() < end) {
        samples.push({ rss: relay.rssBytes, socket: socketMemory(relay.port, stalled.localPort) });
        for (const [key, metric] of queueGauges(await relay.metrics())) {
            gauges.set(key, [...(gauges.get(key) ?? []), metric.value]);
        }
        await sleep(1000);
    }
    const commits = await load.stop();
    check(!stalled.ended, 'the stalled consumer was disconnected', [stalled.state()]);
    const readWhileStalled = stalled.frames.length;
    stalled.resume();
    await t.fleet.settle([reader, stalled], 60);

    for (const r of [reader, stalled]) r.expectClean();
    check(!stalled.others.length, 'the stalled consumer got an #info or error frame');
    expectSame(compareBytes(reader.frames.slice(from), stalled.frames, 'the stalled consumer and one that kept reading'));
    expectSame(t.fleet.compare(reader.frames, reader.name));

    const bytes = reader.frames.slice(from).reduce((n, f) => n + f.raw.length, 0);
    const mib = (n) => (n / 2 ** 20).toFixed(1);
    // The first fifth is warm-up of the stall itself: pools of cold reads, the socket's buffer.
    const settled = samples.slice(Math.ceil(samples.length / 5));
    const growth = Math.max(...settled.map((s) => s.rss)) - settled[0].rss;
    const sockets = samples.map((s) => s.socket).filter((n) => n !== null);
    t.note(`${commits} commits, ${mib(bytes)} MiB in ${stallSeconds} s, of which ${readWhileStalled} events were read before; `
        + `RSS ${mib(settled[0].rss)} MiB, grew by at most ${mib(growth)}; `
        + `socket at most ${sockets.length ? (Math.max(...sockets) / 1024).toFixed(0) : '?'} KiB`);
    for (const [key, values] of gauges) t.note(`${key}: ${Math.min(...values)} to ${Math.max(...values)}`);
    check(bytes > 2 * limits.socketBytes, 'too little load to stall anything');
    check(samples.length >= 10 || stallSeconds < 20, `only ${samples.length} samples in ${stallSeconds} s`);
    if (!t.sanitized) {
        check(growth <= limits.rssGrowthBytes, `RSS grew by ${mib(growth)} MiB during the stall`);
    }
    check(sockets.every((n) => n <= limits.socketBytes), `the kernel held ${Math.max(...sockets)} bytes for the stalled consumer`);
    for (const [key, values] of gauges) {
        const late = values.slice(Math.ceil(values.length / 5));
        const rise = Math.max(...late.slice(-5)) - Math.max(...late.slice(0, 5));
        check(rise <= limits.queueGrowth, `${key} rose by ${rise} during the stall`);
    }
}
