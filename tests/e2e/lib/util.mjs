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

function isFree(port) {
    return new Promise((resolve) => {
        const server = net.createServer();
        server.once('error', () => resolve(false));
        server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
}

// `count` ports that were free a moment ago, all different. None is of those that the kernel gives to
// outgoing connections (from 32768 on): while a relay is dead, such a connection would take its port.
export async function freePorts(count) {
    const ports = new Set();
    while (ports.size < count) {
        const port = 10_000 + Math.floor(Math.random() * 22_000);
        if (await isFree(port)) ports.add(port);
    }
    return [...ports];
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
