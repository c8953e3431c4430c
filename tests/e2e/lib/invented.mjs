// The fleet of invented hosts (bench/fleet): what real PDSes send, but as fast as is asked for.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';

import { runCommand } from './relay.mjs';
import { Failure, check } from './util.mjs';

export class InventedHosts {
    // flags: { rate: 3000, tls: true, ... } as the program's --help lists them, but for the ports.
    // With tls, `ca` is the file with the certificate that the hosts have.
    static async start(buildDir, dir, flags) {
        const binary = path.join(buildDir, 'bench', 'ringlay-fleet');
        check(fs.existsSync(binary), `there is no ${binary}: build it first`);
        const invented = new InventedHosts();
        fs.mkdirSync(dir, { recursive: true });
        const args = Object.entries(flags).flatMap(([name, value]) =>
            value === true ? [`--${name}`] : [`--${name}`, String(value)],
        );
        if (flags.tls) {
            invented.ca = path.join(dir, 'ca.pem');
            args.push('--ca-out', invented.ca);
        }
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
        const { hosts, hostile, events, plc } = JSON.parse(first);
        invented.binary = binary;
        invented.plc = plc;
        invented.hosts = hosts.join(',');
        invented.hostile = hostile ?? {}; // URLs by what they do
        invented.totalEvents = events + (flags.events ?? 0);
        return invented;
    }

    // What came out of a relay so far against what the hosts have sent: { exact, sent, ... }. Needs
    // the flag `ledger`.
    async verdict(relayUrl, seconds) {
        const { code, signal, stdout, stderr } = await runCommand(
            this.binary,
            ['drain', relayUrl, '--cursor', '0', '--ledger', this.plc],
            { seconds: seconds + 30, terminateAfter: seconds },
        );
        check(
            stdout.startsWith('{'),
            `no verdict: exit ${code ?? signal}: ${stdout}`,
            stderr.split('\n'),
        );
        return JSON.parse(stdout).ledger;
    }

    // Reads until there is nothing missing behind the first event of each account that came out: what
    // a relay has missed that begins live, it does not miss in between. The hosts have to be done.
    async expectNoGap(relayUrl, seconds) {
        return this.#expect(relayUrl, seconds, (verdict) => verdict.missing === 0);
    }

    // Reads until all that was sent has come out, each event once and in order. The hosts have to
    // be done with sending.
    async expectExact(relayUrl, seconds) {
        return this.#expect(relayUrl, seconds, (verdict) => verdict.exact);
    }

    async #expect(relayUrl, seconds, isAll) {
        let verdict;
        const end = performance.now() + seconds * 1000;
        do {
            verdict = await this.verdict(relayUrl, 3);
            check(
                verdict.doubled + verdict.misplaced + verdict.unexpected === 0,
                `not what was sent: ${JSON.stringify(verdict)}`,
            );
        } while (!isAll(verdict) && performance.now() < end);
        check(isAll(verdict), `not all came out: ${JSON.stringify(verdict)}`);
        return verdict;
    }

    // For the end of a case, beside its readers.
    close() {
        this.child.kill('SIGKILL');
        return this.exited;
    }
}
