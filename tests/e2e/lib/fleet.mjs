// The real network in small: one PLC directory and two PDSes for all cases, each PDS recorded live
// from its first event on (a PDS forgets the events of an account once it is deleted, so a later
// read with cursor 0 would not tell what it sent).
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import { fileURLToPath } from 'node:url';

import { Account } from './account.mjs';
import { compareStreams } from './frames.mjs';
import { Reader } from './reader.mjs';
import { Failure, check, freePorts, until } from './util.mjs';

export class Fleet {
    // Takes some 5 s.
    static async start(dir, hostCount = 2) {
        const fleet = new Fleet();
        const ports = await freePorts(1 + hostCount);
        fleet.logPath = path.join(dir, 'fleet.log');
        const here = path.dirname(fileURLToPath(import.meta.url));
        const log = fs.openSync(fleet.logPath, 'w');
        const args = [
            '--import',
            path.join(here, 'packages.mjs'),
            path.join(here, 'pds.mjs'),
            dir,
            ...ports,
        ];
        fleet.child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', log] });
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
            adminPassword: info.adminPassword,
            recorder: new Reader(url.replace('http', 'ws'), { cursor: 0 }),
            writer: null,
        }));
        for (const host of fleet.hosts) {
            await host.recorder.opened();
            host.writer = await Account.create(host, 'writer');
        }
        return fleet;
    }

    logTail() {
        return fs.readFileSync(this.logPath, 'utf8').split('\n').slice(-40);
    }

    relayHosts() {
        return this.hosts.map((h) => h.url).join(',');
    }

    hostOf(did) {
        const host = this.hosts.find((h) => h.recorder.dids.has(did));
        check(host, `the relay emitted an event of ${did}, which no host ever sent`);
        return host;
    }

    // Writes to each host until `reader` (of a relay that has just been started, and so began live)
    // shows an event of each: from there on nothing may be lost.
    async joined(reader) {
        for (const host of this.hosts) {
            const seen = () => reader.frames.some((f) => f.did === host.writer.did);
            await until(
                async () => {
                    if (seen()) return true;
                    await host.writer.createNote();
                    await reader.until(seen, 0.25);
                    return seen();
                },
                30,
                `the relay emitted nothing of ${host.url}`,
            );
        }
    }

    // Writes one last event to each host, and waits until the host's recorder and every one of
    // `readers` has it: the load is over, and everything before has arrived or is lost.
    async settle(readers, seconds = 30) {
        for (const host of this.hosts) {
            const { rev } = await host.writer.createNote();
            const has = (r) => r.frames.findLast((f) => f.did === host.writer.did)?.rev === rev;
            await until(
                () => has(host.recorder),
                20,
                `${host.url} did not send its own last event`,
            );
            for (const reader of readers) {
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

    // Everything a relay emitted since it joined against everything the hosts sent since then.
    // -> the first difference, or null. `sums` (optional) collects counts over all hosts.
    compare(frames, what, sums = {}) {
        let first = null;
        for (const host of this.hosts) {
            const emitted = frames.filter((f) => this.hostOf(f.did) === host);
            check(emitted.length > 0, `${what}: no event of ${host.url}`);
            const sent = host.recorder.frames;
            const from = sent.findIndex((f) => f.key === emitted[0].key);
            check(from >= 0, `${what}: the first event of ${host.url} is not one that it sent`);
            const difference = compareStreams(sent.slice(from), emitted, `${what}, ${host.url}`);
            sums.events = (sums.events ?? 0) + emitted.length;
            for (const k of ['missing', 'foreign', 'repeated'])
                sums[k] = (sums[k] ?? 0) + (difference?.[k] ?? 0);
            first ??= difference;
        }
        return first;
    }

    async stop() {
        for (const host of this.hosts ?? []) host.recorder.close();
        if (this.child.exitCode !== null) return;
        this.child.removeAllListeners('exit');
        const gone = new Promise((resolve) => this.child.once('exit', resolve));
        this.child.kill('SIGTERM');
        await gone;
    }
}
