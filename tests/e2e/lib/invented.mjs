// The fleet of invented hosts (bench/fleet): what real PDSes send, but as fast as is asked for.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';

import { Failure, check } from './util.mjs';

export class InventedHosts {
    // flags: { rate: 3000, ... } as the program's --help lists them, but for the ports.
    static async start(buildDir, dir, flags) {
        const binary = path.join(buildDir, 'bench', 'ringlay-fleet');
        check(fs.existsSync(binary), `there is no ${binary}: build it first`);
        const invented = new InventedHosts();
        const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)]);
        fs.mkdirSync(dir, { recursive: true });
        const logPath = path.join(dir, 'invented-hosts.log');
        const log = fs.openSync(logPath, 'w');
        invented.child = spawn(binary, [...args, '--print-hosts'], {
            stdio: ['ignore', 'pipe', log],
        });
        fs.closeSync(log);
        invented.exited = new Promise((resolve) => invented.child.once('exit', resolve));
        const line = new Promise((resolve) => {
            readline.createInterface({ input: invented.child.stdout }).once('line', resolve);
        });
        const first = await Promise.race([line, invented.exited]);
        if (typeof first !== 'string')
            throw new Failure(
                'the invented hosts ended at their start',
                fs.readFileSync(logPath, 'utf8').split('\n').slice(-10),
            );
        const { hosts, events, plc } = JSON.parse(first);
        invented.plc = plc;
        invented.hosts = hosts.join(',');
        invented.totalEvents = events + (flags.events ?? 0);
        return invented;
    }

    // For the end of a case, beside its readers.
    close() {
        this.child.kill('SIGKILL');
        return this.exited;
    }
}
