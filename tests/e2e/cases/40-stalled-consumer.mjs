// A consumer that stops reading for a minute, while thousands of events a second pass by, costs the
// relay nothing that grows; then it reads all it missed, and a newcomer the whole log, while the
// load goes on. Nobody misses anything.
import { execFileSync } from 'node:child_process';

import { InventedHosts } from '../lib/invented.mjs';
import { Tally, compareTallies } from '../lib/tally.mjs';
import { check, expectSame, sleep, until } from '../lib/util.mjs';

export const name = 'stalled consumer, catch-up under load';

const stallSeconds = 60;
const catchUpSeconds = 10;
const tailBytes = 16 * 2 ** 20;
const limits = { rssGrowthBytes: 8 * 2 ** 20, socketBytes: 2 ** 20, queueRise: 0.25 };

// The smallest memory tail and small files: the stalled consumer must fall back from memory to a
// file, and over many of their boundaries.
const settings = { RELAY_TAIL_BYTES: '16MiB', RELAY_SEGMENT_BYTES: '4MiB' };

// What the kernel holds for the relay's side of the connection to this client port: what it queued
// for sending, and what was sent to it. Null where there is no `ss`.
function socketMemory(relayPort, clientPort) {
    let text;
    try {
        const filter = ['sport', '=', `:${relayPort}`, 'dport', '=', `:${clientPort}`];
        text = execFileSync('ss', ['-Htmn', ...filter]).toString();
    } catch {
        return null;
    }
    const memory = /skmem:\(r(\d+),rb\d+,t\d+,tb\d+,f\d+,w(\d+)/.exec(text);
    return memory && Number(memory[1]) + Number(memory[2]);
}

// -> Map from the name of a queue to { depth, bound }
function queues(metrics) {
    const found = new Map();
    for (const [key, { name: metric, value }] of metrics) {
        const part = /^relay_queue_(depth|bound)$/.exec(metric)?.[1];
        const queue = /queue="([^"]+)"/.exec(key)?.[1];
        if (part && queue) found.set(queue, { ...found.get(queue), [part]: value });
    }
    return found;
}

async function watch(relay, stalled) {
    const samples = [];
    const end = performance.now() + stallSeconds * 1000;
    while (performance.now() < end) {
        samples.push({
            rss: relay.rssBytes,
            socket: socketMemory(relay.port, stalled.localPort),
            queues: queues(await relay.metrics()),
        });
        await sleep(1000);
    }
    return samples;
}

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
const mib = (n) => (n / 2 ** 20).toFixed(1);

// No queue is ever fuller than its bound, or fuller in the second half than in the first.
function expectFlatQueues(t, samples) {
    check(samples[0].queues.size > 3, '/metrics shows no queues');
    const told = [];
    for (const [queue, { bound }] of samples[0].queues) {
        const depths = samples.map((s) => s.queues.get(queue)?.depth);
        const most = Math.max(...depths);
        check(Number.isFinite(most) && bound > 0, `the queue ${queue} has no depth or no bound`);
        check(most <= bound, `the queue ${queue} held ${most}, its bound is ${bound}`);
        const half = depths.length >> 1;
        const rise = median(depths.slice(half)) - median(depths.slice(0, half));
        check(
            rise <= bound * limits.queueRise,
            `the queue ${queue} rose by ${rise} during the stall (bound ${bound})`,
            [`depths: ${depths.join(' ')}`],
        );
        told.push(`${queue} ${Math.min(...depths)}-${most}`);
    }
    t.note(`depths of queues: ${told.join(', ')}`);
}

function expectFlat(t, samples, bytes) {
    // The first fifth is the warm-up of the stall itself: the socket's buffer, a new rate of load.
    const rss = samples.slice(Math.ceil(samples.length / 5)).map((s) => s.rss);
    const growth = Math.max(...rss) - rss[0];
    const sockets = samples.map((s) => s.socket).filter((n) => n !== null);
    t.note(
        `${mib(bytes)} MiB passed by in ${stallSeconds} s; RSS ${mib(rss[0])} MiB, grew by at most ` +
            `${mib(growth)}; socket at most ${(Math.max(...sockets) / 1024).toFixed(0)} KiB`,
    );
    check(bytes > 4 * tailBytes, `only ${mib(bytes)} MiB passed by, too little to prove anything`);
    // A sanitizer's quarantine grows by itself.
    if (!t.sanitized)
        check(growth <= limits.rssGrowthBytes, `RSS grew by ${mib(growth)} MiB during the stall`, [
            `RSS in MiB: ${rss.map(mib).join(' ')}`,
        ]);
    check(
        sockets.every((n) => n <= limits.socketBytes),
        `the kernel held ${Math.max(...sockets)} bytes for the stalled consumer`,
    );
    expectFlatQueues(t, samples);
}

// The stalled consumer reads on, and a newcomer begins at the oldest event, under the same load.
async function catchUp(t, { relay, follower, stalled, invented }) {
    const begin = performance.now();
    const newcomer = t.rawReader(relay.port, { cursor: 0, name: 'newcomer', tally: new Tally() });
    const before = stalled.tally.bytes;
    stalled.resume();
    const told = [];
    for (const r of [stalled, newcomer]) {
        await until(
            () => r.ended || r.tally.lastSeq >= follower.tally.lastSeq,
            t.sanitized ? 150 : 75,
            () => `${r.name} did not catch up: ${r.state()}; follower: ${follower.state()}`,
        );
        const seconds = (performance.now() - begin) / 1000;
        told.push(
            `${r.name}: ${mib(r.tally.bytes - (r === stalled ? before : 0))} MiB in ${seconds.toFixed(1)} s`,
        );
    }
    const isLive = follower.tally.count < invented.totalEvents;
    t.note(`${told.join(', ')}, ${isLive ? 'while the load went on' : 'but the load was over'}`);
    return newcomer;
}

export async function run(t) {
    const rate = t.sanitized ? 500 : 2500;
    const invented = await InventedHosts.start(t.buildDir, t.dir, {
        hosts: 8,
        accounts: 25,
        rate,
        // Until everybody has caught up; longer where the machine cannot keep up with the rate.
        events: rate * (stallSeconds + catchUpSeconds + 5),
    });
    t.readers.push(invented);
    const relay = await t.startRelay({ hosts: invented.hosts, plc: invented.plc, settings });
    const tallied = (label, cursor) =>
        t.rawReader(relay.port, { cursor, name: label, tally: new Tally() });

    const follower = tallied('follower', 0);
    await follower.opened();
    // Until the tail has been filled and gone round: what the relay allocates once is not growth.
    await until(() => follower.tally.bytes > tailBytes * 1.3, 60, 'the warm-up made too few bytes');

    const from = follower.tally.lastSeq;
    const stalled = tallied('stalled consumer', from);
    await until(() => stalled.tally.count > 20, 20, 'the consumer got nothing before its stall');
    stalled.stall();
    const [readBefore, bytesBefore] = [stalled.tally.count, follower.tally.bytes];
    const samples = await watch(relay, stalled);
    check(!stalled.ended, 'the stalled consumer was disconnected', [stalled.state()]);
    check(stalled.tally.count === readBefore, 'the stalled consumer read: this proves nothing');
    expectFlat(t, samples, follower.tally.bytes - bytesBefore);

    const newcomer = await catchUp(t, { relay, follower, stalled, invented });
    await until(
        () => follower.ended || follower.tally.count >= invented.totalEvents,
        75,
        () => `follower: ${follower.tally.count} of ${invented.totalEvents} events`,
    );
    for (const r of [stalled, newcomer, follower]) {
        await until(
            () => r.ended || r.tally.lastSeq >= follower.tally.lastSeq,
            20,
            () => `${r.name}: ${r.state()}; follower: ${follower.state()}`,
        );
        r.expectClean();
        check(!r.others.length, `${r.name}: an #info or error frame`);
    }
    check(
        follower.tally.count === invented.totalEvents,
        `${follower.tally.count} events, but the hosts sent ${invented.totalEvents}`,
    );
    check(
        follower.tally.links > follower.tally.count / 2,
        `only ${follower.tally.links} of ${follower.tally.count} events name the one before`,
    );
    expectSame(compareTallies(follower.tally, newcomer.tally, {}, newcomer.name));
    expectSame(compareTallies(follower.tally, stalled.tally, { from }, stalled.name));
    t.note(
        `RSS ${mib(relay.rssBytes)} MiB at the end, of ${follower.tally.count} events, ` +
            `${mib(follower.tally.bytes)} MiB`,
    );
}
