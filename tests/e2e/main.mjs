// Runs the cases in cases/ one after the other over one fleet of real PDSes.
//
//   main.mjs BUILD_DIR [WORD...]     only the cases whose file or name contains one of the words
//
// Prints `ok NAME`, `not ok NAME: reason` or `skip NAME: reason` for each; lines that begin with #
// say more. Exit 1 when a case failed, or when none ran.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { startLoad } from './lib/account.mjs';
import { DirectoryRoad } from './lib/directory.mjs';
import { Fleet } from './lib/fleet.mjs';
import { RawReader } from './lib/raw.mjs';
import { Reader } from './lib/reader.mjs';
import { Relay, runCommand } from './lib/relay.mjs';
import { ScriptedHost } from './lib/scripted-host.mjs';
import { Failure, Skip, check, seededRandom } from './lib/util.mjs';

const caseSeconds = 180;

// What a case is given: the fleet, ways to start things that are ended with it, and a seed.
class Trial {
    constructor({ name, fleet, buildDir, dir, seed, sanitized }) {
        Object.assign(this, { name, fleet, buildDir, dir, seed, sanitized });
        this.binary = path.join(buildDir, 'ringlay');
        this.random = seededRandom(seed);
        this.relays = [];
        this.readers = [];
        this.loads = [];
    }

    note(text) {
        console.log(`#   ${text}`);
    }

    // A relay of both hosts on a fresh data directory, not started yet.
    newRelay({ hosts = this.fleet.relayHosts(), plc = this.fleet.plc, settings } = {}) {
        const dir = path.join(this.dir, `relay-${this.relays.length}`);
        const relay = new Relay({
            binary: this.binary,
            hosts,
            plc,
            dir,
            settings,
            expectSlow: this.sanitized,
        });
        this.relays.push(relay);
        return relay;
    }

    async startRelay(options) {
        const relay = await this.newRelay(options).start();
        return relay.ready();
    }

    // A started relay that has caught up with its hosts, a reader that has seen every event of it,
    // and the recording `sent` of what the hosts send to a newcomer such as it.
    async startFollowedRelay(options) {
        const sent = await this.fleet.record();
        this.readers.push(sent);
        const relay = await this.startRelay(options);
        const reader = await this.reader(relay.url, { cursor: 0, name: 'follower' }).opened();
        await sent.settle([reader]);
        return { relay, reader, sent };
    }

    reader(url, options) {
        const reader = new Reader(url, options);
        this.readers.push(reader);
        return reader;
    }

    // Hosts that send what the case tells them.
    async scriptedHosts(count) {
        const hosts = [];
        while (hosts.length < count) hosts.push(await ScriptedHost.start());
        this.readers.push(...hosts);
        return hosts;
    }

    // A road to the directory that the case can close.
    async directoryRoad() {
        const road = await DirectoryRoad.open(this.fleet.plc);
        this.readers.push(road);
        return road;
    }

    rawReader(port, options) {
        const reader = new RawReader(port, options);
        this.readers.push(reader);
        return reader;
    }

    // Ends with the case at the latest, or it would run into the next one.
    startLoad(accounts, options) {
        const load = startLoad(accounts, options);
        this.loads.push(load);
        return load;
    }

    command(args, options) {
        return runCommand(this.binary, args, options);
    }

    async cleanUp() {
        for (const load of this.loads) await load.stop().catch(() => {});
        for (const reader of this.readers) reader.close();
        const complaints = [];
        for (const relay of this.relays) complaints.push(await relay.stop());
        return complaints.filter(Boolean);
    }
}

async function runCase(test, trial) {
    let timer;
    const late = new Promise((_, reject) => {
        timer = setTimeout(
            () => reject(new Failure(`not done after ${caseSeconds} s`)),
            caseSeconds * 1000,
        );
    });
    let failure = null;
    try {
        await Promise.race([test.run(trial), late]);
    } catch (error) {
        failure = error;
    } finally {
        clearTimeout(timer);
    }
    const complaints = await trial.cleanUp();
    if (!failure && complaints.length) failure = new Failure(complaints[0]);
    if (failure instanceof Failure) failure.details.push(...complaints);
    return failure;
}

function report(name, failure, trial) {
    if (!failure) return console.log(`ok ${name}`);
    if (failure instanceof Skip) return console.log(`skip ${name}: ${failure.message}`);
    const known = failure instanceof Failure;
    console.log(`not ok ${name}: ${failure.message.split('\n')[0]}`);
    for (const line of known ? failure.details : failure.stack.split('\n'))
        console.log(`#   ${line}`);
    trial.relays.forEach((relay, i) => {
        console.log(`#   last lines of the log of relay ${i}:`);
        for (const line of relay.logTail()) console.log(`#   | ${line}`);
    });
}

async function main() {
    const [buildDir, ...words] = process.argv.slice(2);
    check(buildDir, 'usage: run BUILD_DIR [WORD...]');
    const binary = path.join(buildDir, 'ringlay');
    check(fs.existsSync(binary), `there is no ${binary}: build it first`);
    const sanitized =
        fs.readFileSync(binary).includes('__asan_') || fs.readFileSync(binary).includes('__tsan_');
    const seed = Number(process.env.RINGLAY_E2E_SEED ?? Math.floor(Math.random() * 2 ** 31));
    const root = fs.mkdtempSync(path.join(os.tmpdir(), 'ringlay-e2e-'));

    const folder = path.join(path.dirname(fileURLToPath(import.meta.url)), 'cases');
    const files = fs
        .readdirSync(folder)
        .filter((f) => f.endsWith('.mjs'))
        .sort();
    const tests = [];
    for (const file of files) {
        const test = await import(path.join(folder, file));
        if (words.length && !words.some((w) => file.includes(w) || test.name.includes(w))) continue;
        tests.push({ ...test, file });
    }

    const begin = performance.now();
    const fleet = await Fleet.start(root);
    console.log(
        `# seed ${seed} (RINGLAY_E2E_SEED)${sanitized ? ', a sanitizer build' : ''}; fleet up in ` +
            `${((performance.now() - begin) / 1000).toFixed(1)} s`,
    );
    let failed = 0;
    let ran = 0;
    try {
        for (const test of tests) {
            const dir = path.join(root, path.basename(test.file, '.mjs'));
            const trial = new Trial({ name: test.name, fleet, buildDir, dir, seed, sanitized });
            const started = performance.now();
            const failure = await runCase(test, trial);
            report(test.name, failure, trial);
            console.log(`#   ${((performance.now() - started) / 1000).toFixed(1)} s`);
            if (failure && !(failure instanceof Skip)) failed++;
            if (!(failure instanceof Skip)) ran++;
            if (!failure) fs.rmSync(dir, { recursive: true, force: true });
        }
    } finally {
        await fleet.stop();
    }
    console.log(
        `# ${ran - failed} of ${ran} cases passed in ${((performance.now() - begin) / 1000).toFixed(0)} s` +
            (failed ? `; what they left: ${root}` : ''),
    );
    if (!failed) fs.rmSync(root, { recursive: true, force: true });
    return failed || !ran ? 1 : 0;
}

process.exitCode = await main().catch((error) => {
    console.log(`not ok start: ${error.message}`);
    for (const line of error.details ?? error.stack.split('\n')) console.log(`#   ${line}`);
    return 1;
});
// A client library under test may keep the loop alive for ever.
process.exit();
