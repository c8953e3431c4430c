// One relay process: starts it, asks it, kills it, and keeps what it logged for the day it fails.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

import { Failure, check, freePorts, until } from './util.mjs';

// The settings of a test are those it names: none leak in from the caller's environment.
function environment(settings) {
    const env = Object.fromEntries(
        Object.entries(process.env).filter(([k]) => !k.startsWith('RELAY_')),
    );
    return { ...env, ...settings };
}

// Runs a command to its end; with terminateAfter (seconds), which it is told then.
// -> { code, signal, stdout, stderr }
export function runCommand(
    binary,
    args,
    { seconds = 30, terminateAfter = null, settings = {} } = {},
) {
    return new Promise((resolve, reject) => {
        const child = spawn(binary, args, {
            env: environment(settings),
            stdio: ['ignore', 'pipe', 'pipe'],
        });
        const out = [];
        const err = [];
        child.stdout.on('data', (d) => out.push(d));
        child.stderr.on('data', (d) => err.push(d));
        const timer = setTimeout(() => child.kill('SIGKILL'), seconds * 1000);
        if (terminateAfter) setTimeout(() => child.kill('SIGTERM'), terminateAfter * 1000).unref();
        child.on('error', reject);
        child.on('close', (code, signal) => {
            clearTimeout(timer);
            resolve({
                code,
                signal,
                stdout: Buffer.concat(out).toString(),
                stderr: Buffer.concat(err).toString(),
            });
        });
    });
}

export class Relay {
    // plc: the URL of its directory. settings: RELAY_* variables beside that, hosts and data
    // directory.
    constructor({ binary, hosts, plc, dir, settings = {}, expectSlow = false }) {
        Object.assign(this, { binary, dir, expectSlow });
        this.dataDir = path.join(dir, 'data');
        this.logPath = path.join(dir, 'relay.log');
        this.settings = {
            RELAY_HOSTS: hosts,
            RELAY_PLC_URL: plc,
            RELAY_DATA_DIR: this.dataDir,
            RELAY_LOG_FORMAT: 'text',
            ...settings,
        };
        this.child = null;
        this.starts = 0;
        fs.mkdirSync(dir, { recursive: true });
    }

    async start() {
        check(!this.child, 'the relay runs already');
        if (!this.port) [this.port, this.httpPort] = await freePorts(2);
        const log = fs.openSync(this.logPath, 'a');
        fs.writeSync(log, `--- start ${++this.starts}\n`);
        const args = ['--port', String(this.port), '--http-port', String(this.httpPort)];
        const child = spawn(this.binary, args, {
            env: environment(this.settings),
            stdio: ['ignore', log, log],
        });
        fs.closeSync(log);
        this.child = child;
        this.exit = null;
        this.exited = new Promise((resolve) =>
            child.once('exit', (code, signal) => {
                this.exit = { code, signal };
                resolve(this.exit);
            }),
        );
        child.once('error', (error) => {
            this.exit = { code: null, signal: String(error) };
        });
        return this;
    }

    // Waits until it answers. A relay that is to be killed early is not waited for.
    async ready(seconds = 15) {
        await until(
            async () => {
                if (this.exit)
                    throw new Failure(
                        `the relay ended at its start (${this.exit.signal ?? this.exit.code})`,
                    );
                const response = await fetch(`${this.httpUrl}/_health`).catch(() => null);
                return response?.status === 200;
            },
            this.expectSlow ? seconds * 4 : seconds,
            'GET /_health did not answer 200',
        );
        return this;
    }

    get url() {
        return `ws://127.0.0.1:${this.port}`;
    }

    get httpUrl() {
        return `http://127.0.0.1:${this.httpPort}`;
    }

    get pid() {
        return this.child.pid;
    }

    async kill() {
        this.child.kill('SIGKILL');
        const exit = await this.exited;
        check(
            exit.signal === 'SIGKILL',
            `the relay had ended by itself (${exit.signal ?? exit.code})`,
        );
        this.child = null;
    }

    // SIGTERM. -> { code, signal, seconds }
    async terminate(limitSeconds = 10) {
        const begin = performance.now();
        this.child.kill('SIGTERM');
        const late = setTimeout(() => this.child?.kill('SIGKILL'), limitSeconds * 1000);
        const exit = await this.exited;
        clearTimeout(late);
        this.child = null;
        return { ...exit, seconds: (performance.now() - begin) / 1000 };
    }

    // For the end of a case, whatever state it is in. -> a complaint, or null
    async stop() {
        if (!this.child) return null;
        if (this.exit) return `the relay ended by itself (${this.exit.signal ?? this.exit.code})`;
        const exit = await this.terminate(this.expectSlow ? 40 : 10);
        return exit.code === 0
            ? null
            : `the relay ended with ${exit.signal ?? exit.code} on SIGTERM`;
    }

    command(args, options) {
        return runCommand(this.binary, args, options);
    }

    // `ringlay log check|verify` over the data directory.
    async expectSoundLog(how, when) {
        const done = await this.command(['log', how, this.dataDir]);
        check(
            done.code === 0,
            `ringlay log ${how} ${when}: exit ${done.signal ?? done.code}`,
            (done.stdout + done.stderr).split('\n').slice(-15),
        );
    }

    status(field) {
        const text = fs.readFileSync(`/proc/${this.pid}/status`, 'utf8');
        return Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(text)[1]);
    }

    get rssBytes() {
        return this.status('VmRSS') * 1024;
    }

    async metrics() {
        const response = await fetch(`${this.httpUrl}/metrics`);
        check(response.status === 200, `GET /metrics: ${response.status}`);
        return parseMetrics(await response.text());
    }

    // The value of one sample, written as on the page: 'relay_events_total{verdict="verified"}'.
    async metric(sample) {
        const found = (await this.metrics()).get(sample);
        check(found, `/metrics has no ${sample}`);
        return found.value;
    }

    // Of each check how many events have failed it: { size: 0, fields: 0, ... }
    async failedChecks() {
        const failed = {};
        for (const [key, { name, value }] of await this.metrics())
            if (name === 'relay_checks_failed_total')
                failed[/check="([^"]+)"/.exec(key)[1]] = value;
        return failed;
    }

    // A query of com.atproto.sync. -> { status, body, location }
    async query(method, parameters) {
        const url = `${this.httpUrl}/xrpc/com.atproto.sync.${method}?${new URLSearchParams(parameters)}`;
        const response = await fetch(url, { redirect: 'manual' });
        const text = await response.text();
        return {
            status: response.status,
            body: text ? JSON.parse(text) : null,
            location: response.headers.get('location'),
        };
    }

    // Every repo that listRepos gives, page by page. -> Map from DID to its entry
    async listRepos(limit = 1000) {
        const repos = new Map();
        for (let cursor; ; ) {
            const { status, body } = await this.query('listRepos', {
                limit,
                ...(cursor && { cursor }),
            });
            check(status === 200, `listRepos: ${status}`, [JSON.stringify(body)]);
            for (const repo of body.repos) {
                check(!repos.has(repo.did), `listRepos gives ${repo.did} twice`);
                repos.set(repo.did, repo);
            }
            cursor = body.cursor;
            if (!cursor) return repos;
        }
    }

    logTail(lines = 40) {
        return fs.existsSync(this.logPath)
            ? fs.readFileSync(this.logPath, 'utf8').trimEnd().split('\n').slice(-lines)
            : [];
    }
}

// The text format of Prometheus, read strictly: every sample after a TYPE of its family, no sample
// twice. -> Map from 'name{labels}' to { name, type, value }
export function parseMetrics(text) {
    const samples = new Map();
    const types = new Map();
    check(text.endsWith('\n'), '/metrics does not end with a line feed');
    for (const line of text.split('\n').slice(0, -1)) {
        const comment = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/.exec(line);
        if (comment?.[1] === 'TYPE') {
            check(
                /^(counter|gauge|histogram|summary|untyped)$/.test(comment[3]),
                `/metrics: ${line}`,
            );
            check(!types.has(comment[2]), `/metrics: a second TYPE of ${comment[2]}`);
            types.set(comment[2], comment[3]);
        }
        if (comment || line === '') continue;
        const sample =
            /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\.)*",?)*\})? (\S+)$/.exec(
                line,
            );
        check(sample, `/metrics: a line that is no sample: ${JSON.stringify(line)}`);
        const [, name, labels = '', value] = sample;
        const family = types.has(name) ? name : name.replace(/_(bucket|sum|count)$/, '');
        check(types.has(family), `/metrics: ${name} without a TYPE`);
        check(
            value === '+Inf' || value === 'NaN' || Number.isFinite(Number(value)),
            `/metrics: ${line}`,
        );
        check(!samples.has(name + labels), `/metrics: ${name}${labels} twice`);
        samples.set(name + labels, { name, type: types.get(family), value: Number(value) });
    }
    return samples;
}
