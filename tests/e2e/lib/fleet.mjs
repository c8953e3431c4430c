// The real network in small: one PLC directory and two PDSes for all cases; and what these PDSes
// send to a subscriber that knows nothing of them, which is what a relay on a fresh directory is.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import { fileURLToPath } from 'node:url';

import { Account } from './account.mjs';
import { compareAccounts, describe, withoutHandle } from './frames.mjs';
import { Reader } from './reader.mjs';
import { Failure, check, freePorts, until } from './util.mjs';

export class Fleet {
    // Takes some 5 s. With `plc`, the URL of a directory, there is none of its own; `ports` are those
    // of the PDSes, `crawlers` the relays that they announce themselves to. Without `writers` no
    // account is made, and so there is nothing to announce yet.
    static async start(dir, hostCount = 2, { plc, ports, crawlers = [], writers = true } = {}) {
        const fleet = new Fleet();
        const free = await freePorts(1 + hostCount);
        plc ??= free[0];
        ports ??= free.slice(1);
        fleet.logPath = path.join(dir, 'fleet.log');
        const here = path.dirname(fileURLToPath(import.meta.url));
        const log = fs.openSync(fleet.logPath, 'a');
        const args = [
            '--import',
            path.join(here, 'packages.mjs'),
            path.join(here, 'pds.mjs'),
            dir,
            plc,
            ...ports,
        ];
        fleet.child = spawn(process.execPath, args, {
            env: { ...process.env, PDS_CRAWLERS: crawlers.join(',') },
            stdio: ['pipe', 'pipe', log],
        });
        fs.closeSync(log);
        const exited = new Promise((_, reject) =>
            fleet.child.once('exit', (code, signal) => {
                reject(new Failure(`the PDS fleet ended (${signal ?? code})`, fleet.logTail()));
            }),
        );
        exited.catch(() => {});
        const line = new Promise((resolve) => {
            readline.createInterface({ input: fleet.child.stdout }).once('line', resolve);
        });
        const info = JSON.parse(await Promise.race([line, exited]));
        fleet.plc = info.plc;
        fleet.hosts = info.hosts.map((url, index) => ({
            url,
            index,
            plc: info.plc,
            adminPassword: info.adminPassword,
            rotationKey: info.rotationKeys[index], // hex: for changes at the directory
            writer: null,
        }));
        if (writers)
            for (const host of fleet.hosts) host.writer = await Account.create(host, 'writer');
        return fleet;
    }

    logTail() {
        return fs.readFileSync(this.logPath, 'utf8').split('\n').slice(-40);
    }

    relayHosts() {
        return this.hosts.map((h) => h.url).join(',');
    }

    // A recording that is to be compared with what a relay emits has to begin before the relay does.
    async record() {
        const recording = new Recording(this.hosts);
        await recording.settle([]); // it has all there was, and is live
        return recording;
    }

    async stop() {
        if (this.child.exitCode !== null) return;
        this.child.removeAllListeners('exit');
        const gone = new Promise((resolve) => this.child.once('exit', resolve));
        this.child.kill('SIGTERM');
        await gone;
    }
}

// What each host sends to a subscriber that comes now with cursor 0: what it still has, and then all
// that happens, live. Each recording is a subscriber of its own, because a PDS forgets the events of
// an account that is deleted: what it sent to an earlier one it may not send any more. What follows
// from that: a case that stops its relay for a time must not delete accounts meanwhile.
export class Recording {
    constructor(hosts) {
        this.hosts = hosts.map((host) => ({
            host,
            sent: new Reader(host.url.replace('http', 'ws'), {
                cursor: 0,
                name: `recorder of ${host.url}`,
            }),
        }));
    }

    // Writes one last event to each host, and waits until the recorder and every one of `readers`
    // has it: the load is over, and everything before has arrived or is lost.
    async settle(readers, seconds = 40) {
        for (const { host, sent } of this.hosts) {
            const { rev } = await host.writer.createNote();
            const has = (r) => r.frames.findLast((f) => f.did === host.writer.did)?.rev === rev;
            for (const reader of [sent, ...readers]) {
                await until(
                    () => has(reader),
                    seconds,
                    () =>
                        `${reader.name}: the last event of ${host.url} ` +
                        `did not arrive; ${reader.frames.length} events seen, ${reader.state()}`,
                );
            }
        }
    }

    // Everything that a relay emitted from its first event on against everything the hosts sent, in
    // order for each account. -> the first difference, or null. `sums` (optional) collects counts
    // over all hosts.
    compare(frames, what, sums = {}, { keepsHandles = false } = {}) {
        const emitted = new Map(this.hosts.map(({ host }) => [host, []]));
        for (const frame of frames) {
            const from = this.hosts.find(({ sent }) => sent.dids.has(frame.did));
            check(from, `${what}: an event of ${frame.did}, which no host sent`, [describe(frame)]);
            emitted.get(from.host).push(frame);
        }
        let first = null;
        for (const { host, sent } of this.hosts) {
            sent.expectClean();
            check(!sent.others.length, `${sent.name}: an #info or error frame`);
            const seen = emitted.get(host);
            const want = keepsHandles ? sent.frames : sent.frames.map(withoutHandle);
            const difference = compareAccounts(want, seen, `${what}, ${host.url}`);
            sums.events = (sums.events ?? 0) + seen.length;
            for (const k of ['missing', 'foreign', 'repeated'])
                sums[k] = (sums[k] ?? 0) + (difference?.[k] ?? 0);
            first ??= difference;
        }
        return first;
    }

    close() {
        for (const { sent } of this.hosts) sent.close();
    }
}
