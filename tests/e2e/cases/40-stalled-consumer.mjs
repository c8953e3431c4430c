// A consumer that stops reading for a minute under load costs the relay nothing that grows, and
// misses nothing afterwards.
//
// RINGLAY_E2E_STALL_SECONDS says how long. With RINGLAY_E2E_LOAD_HOSTS=URL,... the relay follows
// those hosts, which send by themselves and faster than a PDS can (such as bench/ringlay-fleet).
import { execFileSync } from 'node:child_process';

import { Account, startLoad } from '../lib/account.mjs';
import { compareBytes } from '../lib/frames.mjs';
import { check, expectSame, sleep, until } from '../lib/util.mjs';

export const name = 'stalled consumer';

const stallSeconds = Number(process.env.RINGLAY_E2E_STALL_SECONDS ?? 60);
const loadHosts = process.env.RINGLAY_E2E_LOAD_HOSTS;
const tailBytes = 16 * 2 ** 20;
const limits = { rssGrowthBytes: 8 * 2 ** 20, socketBytes: 2 ** 20, queueGrowth: 2 ** 20 };

// The smallest memory tail and small files: the stalled consumer must fall back from memory to a
// file, and over many of their boundaries.
const settings = { RELAY_TAIL_BYTES: '16MiB', RELAY_SEGMENT_BYTES: '4MiB' };

// What the kernel holds for the relay's side of the connection to this client port: what it queued
// for sending, and what was sent to it. Null where there is no `ss`.
function socketMemory(relayPort, clientPort) {
    let text;
    try {
        text = execFileSync('ss', [
            '-Htmn',
            'sport',
            '=',
            `:${relayPort}`,
            'dport',
            '=',
            `:${clientPort}`,
        ]).toString();
    } catch {
        return null;
    }
    const memory = /skmem:\(r(\d+),rb\d+,t\d+,tb\d+,f\d+,w(\d+)/.exec(text);
    return memory && Number(memory[1]) + Number(memory[2]);
}

// Gauges that count what waits: by the house's names they say so.
function queueGauges(metrics) {
    const waits = /queue|pending|inflight|in_flight|waiting|backlog|mailbox|buffer|pool/;
    return [...metrics].filter(([, m]) => m.type === 'gauge' && waits.test(m.name));
}

// -> { relay, reader, load(textBytes) } over real PDSes, or over hosts that send by themselves.
async function startUnderLoad(t) {
    if (loadHosts) {
        const relay = await t.startRelay({ hosts: loadHosts, settings });
        const reader = await t
            .reader(relay.url, { cursor: 0, name: 'follower', light: true })
            .opened();
        await reader.waitFor(1);
        return { relay, reader, load: () => ({ stop: async () => {} }) };
    }
    const { relay, reader, sent } = await t.startFollowedRelay({ settings });
    const accounts = (
        await Promise.all(t.fleet.hosts.map((h) => Account.createMany(h, 4, 'stall')))
    ).flat();
    return { relay, reader, load: (textBytes) => startLoad(accounts, { textBytes }) };
}

// Until the memory tail has been filled and gone round: what the relay allocates once is not growth.
async function warmUp(reader, load) {
    const running = load(100_000);
    let bytes = 0;
    reader.onFrame = (frame) => {
        bytes += frame.bytes;
    };
    await reader.until(() => bytes > tailBytes * 1.3, 60);
    await running.stop();
    reader.onFrame = null;
    check(bytes > tailBytes * 1.3, `the warm-up made only ${bytes} bytes in 60 s`);
}

async function watch(relay, stalled) {
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
    return { samples, gauges };
}

// The first fifth of the samples is warm-up of the stall itself: pools of cold reads, the socket's buffer.
function expectFlat(t, { samples, gauges }, bytes) {
    const mib = (n) => (n / 2 ** 20).toFixed(1);
    const first = Math.ceil(samples.length / 5);
    const rss = samples.slice(first).map((s) => s.rss);
    const growth = Math.max(...rss) - rss[0];
    const sockets = samples.map((s) => s.socket).filter((n) => n !== null);
    t.note(
        `${mib(bytes)} MiB passed by in ${stallSeconds} s; RSS ${mib(rss[0])} MiB, grew by at most ${mib(growth)}; ` +
            `socket at most ${sockets.length ? (Math.max(...sockets) / 1024).toFixed(0) : '?'} KiB`,
    );
    for (const [key, values] of gauges)
        t.note(`${key}: ${Math.min(...values)} to ${Math.max(...values)}`);
    check(
        bytes > 4 * limits.socketBytes,
        `only ${mib(bytes)} MiB passed by, too little to prove anything`,
    );
    // A sanitizer's quarantine grows by itself.
    if (!t.sanitized)
        check(growth <= limits.rssGrowthBytes, `RSS grew by ${mib(growth)} MiB during the stall`);
    check(
        sockets.every((n) => n <= limits.socketBytes),
        `the kernel held ${Math.max(...sockets)} bytes for the stalled consumer`,
    );
    for (const [key, values] of gauges) {
        const rise = Math.max(...values.slice(-5)) - Math.max(...values.slice(first, first + 5));
        check(rise <= limits.queueGrowth, `${key} rose by ${rise} during the stall`);
    }
}

export async function run(t) {
    const { relay, reader, load } = await startUnderLoad(t);
    await warmUp(reader, load);

    const from = reader.frames.length;
    const cursor = reader.frames[from - 1].seq;
    const stalled = t.rawReader(relay.port, { cursor, name: 'stalled consumer', light: true });
    await stalled.opened();
    const running = load(9_000);
    await until(
        () => stalled.frames.length > 20,
        20,
        'the consumer got nothing before it was to stall',
    );
    stalled.stall();
    const readBefore = stalled.frames.length;
    const seen = await watch(relay, stalled);
    check(!stalled.ended, 'the stalled consumer was disconnected', [stalled.state()]);
    check(
        stalled.frames.length === readBefore,
        'the stalled consumer read something: this proves nothing',
    );
    await running.stop();
    if (!loadHosts) await sent.settle([reader]);

    const goal = reader.frames.at(-1).seq;
    stalled.resume();
    await until(
        () => stalled.frames.at(-1).seq >= goal || stalled.ended,
        60,
        () => `the stalled consumer did not catch up: ${stalled.state()}`,
    );
    for (const r of [reader, stalled]) r.expectClean();
    check(!stalled.others.length, 'the stalled consumer got an #info or error frame');
    const upToGoal = (frames) => frames.filter((f) => f.seq <= goal);
    expectSame(
        compareBytes(
            upToGoal(reader.frames.slice(from)),
            upToGoal(stalled.frames),
            'the stalled consumer and one that kept reading',
        ),
    );
    if (!loadHosts) expectSame(sent.compare(reader.frames, reader.name));
    expectFlat(
        t,
        seen,
        reader.frames.slice(from).reduce((n, f) => n + f.bytes, 0),
    );
}
