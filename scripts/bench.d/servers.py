"""The servers that scripts/bench measures, the load that is put on them, and how figures are told."""
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BIN = ROOT / "build" / "release" / "bin"
TOOLS = ROOT / "scripts" / "bench.d"
BENCH = pathlib.Path(os.environ.get("BENCH", "/var/tmp/bench"))
PATIENCE = 120


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Ours:
    """A mailflowd whose mail for to.invalid rests in Unreachable, or goes to a smart host."""

    def __init__(self, relay_to=None, fresh=True, environment=None, dns="127.0.0.1:9", allow=None):
        self.folder = BENCH / "run" / "mailflow"
        if fresh:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
            (self.folder / "mailflowd.toml").write_text(
                'state_dir = "state"\n[node]\nfqdn = "bench.mailflow.invalid"\ndomain = "mailflow.invalid"\n[listen]\n'
                'address = "127.0.0.1"\nsmtp = 0\nsubmission = 0\nsubmissions = 0\n[admin]\nsocket = "admin.sock"\n[dns]\n'
                f'servers = ["{dns}"]\n' + (f'[deliver]\nallow_destinations = ["{allow}"]\n' if allow else "") +
                '[log]\ntarget = "file:mailflowd.log"\n')
        self.out = open(self.folder / "stdout", "wb")
        begin = time.monotonic()
        self.process = subprocess.Popen([str(BIN / "mailflowd"), "--config", str(self.folder / "mailflowd.toml")],
                                        stdout=self.out, stderr=subprocess.STDOUT,
                                        env=dict(os.environ, **(environment or {})))
        self.wait_ready()
        self.port = self.port_of("Default Frontend")
        self.start_seconds = self.first_greeting(begin)
        if fresh:
            self.ctl("accepted-domain", "create", "bench", "--domain", "to.invalid", "--type", "external-relay")
            if relay_to:
                self.ctl("send-connector", "create", "sink", "--address-space", "to.invalid", "--smart-host", "127.0.0.1",
                         "--port", str(relay_to))

    def port_of(self, connector):
        for listener in self.ctl_json("status")["listeners"]:
            if listener["connector"].startswith(connector):
                return int(listener["endpoint"].rsplit(":", 1)[1])
        sys.exit(f"bench: no listener of {connector}")

    def wait_ready(self):
        end = time.monotonic() + PATIENCE
        while b"ready" not in (self.folder / "stdout").read_bytes():
            if self.process.poll() is not None or time.monotonic() > end:
                sys.exit("bench: mailflowd did not start:\n" + (self.folder / "stdout").read_text())
            time.sleep(0.01)

    def first_greeting(self, begin):
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as probe:
            probe.recv(100)
        return time.monotonic() - begin

    def ctl(self, *words):
        result = subprocess.run([str(BIN / "smtpctl"), "--socket", str(self.folder / "admin.sock"), "--yes", *words],
                                text=True, capture_output=True)
        if result.returncode != 0:
            sys.exit(f"bench: smtpctl {' '.join(words)}: {result.stderr}")
        return result.stdout

    def ctl_json(self, *words):
        return json.loads(self.ctl("--json", *words))

    def pss_kib(self):
        text = pathlib.Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return int(re.search(r"^Pss:\s+(\d+)", text, re.M).group(1))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE)
        self.out.close()


class Postfix:
    def __init__(self, mode, sink=None, **environment):
        self.port = free_port()
        self.call("install", "postfix")
        self.call("start", "postfix", str(self.port), mode, *([str(sink)] if sink else []), **environment)

    @staticmethod
    def call(*words, **environment):
        result = subprocess.run([str(TOOLS / "peers.sh"), *words], text=True, capture_output=True,
                                env=dict(os.environ, BENCH=str(BENCH), **environment))
        if result.returncode != 0:
            sys.exit(f"bench: peers.sh {' '.join(words)}: {result.stdout}{result.stderr}")

    def stop(self):
        self.call("stop", "postfix")
        self.call("wipe", "postfix")


def load(*words, **environment):
    """One run of run.sh; the medians of its lines by their words."""
    result = subprocess.run([str(TOOLS / "run.sh"), *map(str, words)], text=True, capture_output=True,
                            env=dict(os.environ, BENCH=str(BENCH), **environment))
    print("  " + result.stdout.strip().replace("\n", "\n  "), flush=True)
    if result.returncode != 0:
        sys.exit(f"bench: run.sh {' '.join(map(str, words))}: {result.stderr}")
    return result.stdout


def medians(text, kind):
    return [float(m.group(1)) for m in re.finditer(rf"^{kind} .*?median=([0-9.]+)", text, re.M)]


def report(name, ours, theirs):
    line = f"{name}: ours {statistics.median(ours):.0f}/s"
    if theirs:
        ratios = [a / b for a, b in zip(ours, theirs)]
        line += (f", Postfix {statistics.median(theirs):.0f}/s, ratio {statistics.median(ratios):.2f} "
                 f"(rounds: {', '.join(f'{r:.2f}' for r in ratios)})")
    print(line, flush=True)


