// Small things that every case needs: waiting, free ports, seeded randomness, failures with detail.
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export { sleep };

// What a case throws: `reason` goes on the "not ok" line, `details` below it.
export class Failure extends Error {
    constructor(reason, details = []) {
        super(reason);
        this.details = details;
    }
}

export class Skip extends Error {}

export function check(condition, reason, details) {
    if (!condition) throw new Failure(typeof reason === 'function' ? reason() : reason, details);
}

// For the { reason, details } | null of the comparisons in frames.mjs.
export function expectSame(difference) {
    if (difference) throw new Failure(difference.reason, difference.details);
}

// Polls; the last resort of a test, but it holds for any program under test.
export async function until(condition, seconds, what) {
    const end = performance.now() + seconds * 1000;
    for (;;) {
        const value = await condition();
        if (value) return value;
        if (performance.now() > end) {
            throw new Failure(
                `${typeof what === 'function' ? what() : what} (waited ${seconds} s)`,
            );
        }
        await sleep(20);
    }
}

// `count` ports that were free a moment ago, all different.
export async function freePorts(count) {
    const servers = await Promise.all(
        Array.from(
            { length: count },
            () =>
                new Promise((resolve, reject) => {
                    const server = net.createServer();
                    server.once('error', reject);
                    server.listen(0, '127.0.0.1', () => resolve(server));
                }),
        ),
    );
    const ports = servers.map((s) => s.address().port);
    await Promise.all(servers.map((s) => new Promise((resolve) => s.close(resolve))));
    return ports;
}

export function seededRandom(seed) {
    let state = seed >>> 0;
    return () => {
        state = (state + 0x6d2b79f5) >>> 0;
        let t = Math.imul(state ^ (state >>> 15), state | 1);
        t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
        return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
    };
}
