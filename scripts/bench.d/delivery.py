"""Benchmarks of the delivery side: a distant destination, and dead ones among the living."""
import asyncio
import json
import multiprocessing
import smtplib
import socket
import statistics
import subprocess
import time

from servers import BENCH, BIN, PATIENCE, Ours, Postfix, free_port, load, medians, report

DELAY = 0.1  # of one way and back
CONNECTIONS = 20  # both servers' default for one destination
DOMAINS = 1000
TURNS = 20  # messages to each domain
DEAD = "127.0.0.3"


class DelayingProxy:
    """Passes on what it reads half of DELAY later, in both directions: a round trip costs DELAY."""

    def __init__(self, target):
        self.port = free_port()
        self.process = multiprocessing.Process(target=self.run, args=(self.port, target), daemon=True)
        self.process.start()
        for _ in range(PATIENCE * 10):
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.1)

    @staticmethod
    def run(port, target):
        async def pipe(reader, writer):
            loop = asyncio.get_running_loop()
            late = asyncio.Queue()

            async def write():
                while True:
                    due, data = await late.get()
                    await asyncio.sleep(max(0, due - loop.time()))
                    if not data:
                        writer.close()
                        return
                    writer.write(data)

            task = asyncio.create_task(write())
            data = b"-"
            while data:
                try:
                    data = await reader.read(65536)
                except OSError:
                    data = b""
                late.put_nowait((loop.time() + DELAY / 2, data))
            await task

        async def connected(reader, writer):
            try:
                far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target)
            except OSError:
                writer.close()
                return
            await asyncio.gather(pipe(reader, far_writer), pipe(far_reader, writer), return_exceptions=True)

        async def serve():
            server = await asyncio.start_server(connected, "127.0.0.1", port, backlog=1000)
            await server.serve_forever()

        asyncio.run(serve())

    def stop(self):
        self.process.terminate()
        self.process.join()


def bench_delay(options):
    """Relay to one destination that is 100 ms away, over 20 connections at most on both sides."""
    ours, theirs = [], []
    for _ in range(options.rounds):
        for make, into in ((lambda port: Ours(relay_to=port), ours), (lambda port: Postfix("relay", port), theirs)):
            if into is theirs and not options.postfix:
                continue
            sink = free_port()
            proxy = DelayingProxy(sink)
            server = make(proxy.port)
            count = "3000" if into is ours else "600"
            text = load("relay", f"127.0.0.1:{server.port}", sink, type(server).__name__, N=count, REPS="1")
            into += medians(text, "relay")
            server.stop()
            proxy.stop()
    report(f"relay 4 KiB to one destination {DELAY * 1000:.0f} ms away, {CONNECTIONS} connections", ours, theirs)


# ---- dead destinations


class FullListener:
    """An address that takes no connection and says so to nobody: a listener whose backlog is full."""

    def __init__(self, address, port):
        self.socket = socket.socket()
        self.socket.bind((address, port))
        self.socket.listen(0)
        self.fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex((address, port))
            self.fillers.append(filler)
        time.sleep(0.2)

    def stop(self):
        for one in [*self.fillers, self.socket]:
            one.close()


class Lab:
    """mailflow-lab: DNS for the domains of the benchmark, and the sink of the living ones."""

    def __init__(self, folder):
        lines = []
        for i in range(DOMAINS):
            for kind, address in (("live", "127.0.0.1"), ("dead", DEAD)):
                lines += [f"mx{i}.{kind}.invalid. 300 IN A {address}", f"d{i}.{kind}.fill.invalid. 300 IN MX 10 mx{i}.{kind}.invalid."]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "zone").write_text("\n".join(lines) + "\n")
        self.output = open(folder / "stdout", "wb")
        self.path = folder / "stdout"
        self.process = subprocess.Popen([str(BIN / "mailflow-lab"), "serve", "--zone", str(folder / "zone"), "--json"],
                                        stdout=self.output, stderr=subprocess.STDOUT)
        end = time.monotonic() + PATIENCE
        while not self.path.read_bytes().endswith(b"\n") and time.monotonic() < end:
            time.sleep(0.05)
        ready = json.loads(self.path.read_text().splitlines()[0])
        self.dns = ready["dns"]
        self.port = int(ready["smtp"][0].rsplit(":", 1)[1])

    def messages(self):
        return self.path.read_bytes().count(b"\n") - 1

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE)
        self.output.close()


def living_rate(with_dead):
    """Messages a second that reach the living domains, one message a domain and turn."""
    lab = Lab(BENCH / "run" / "lab")
    dead = FullListener(DEAD, lab.port) if with_dead else None
    server = Ours(dns=lab.dns, allow="127.0.0.0/8")
    name = "Default Frontend bench.mailflow.invalid"
    server.ctl("accepted-domain", "create", "bench domains", "--domain", "*.fill.invalid", "--type", "external-relay")
    server.ctl("send-connector", "create", "mx", "--address-space", "*.fill.invalid", "--port", str(lab.port))
    server.ctl("receive-connector", "set", name, "--max-recipients-per-message", str(DOMAINS))
    begin = time.monotonic()
    with smtplib.SMTP("127.0.0.1", server.port, timeout=PATIENCE) as client:
        for _ in range(TURNS):
            for kind in ("dead", "live") if with_dead else ("live",):
                to = [f"b@d{i}.{kind}.fill.invalid" for i in range(DOMAINS // 2)]
                client.sendmail("a@from.invalid", to, "Subject: turn\r\n\r\n" + "x" * 4096 + "\r\n")
    wanted = TURNS * DOMAINS // 2
    last, changed = -1, time.monotonic()
    while (count := lab.messages()) < wanted and time.monotonic() - changed < PATIENCE:
        if count != last:
            last, changed = count, time.monotonic()
        time.sleep(0.02)
    rate = lab.messages() / (time.monotonic() - begin)
    if lab.messages() < wanted:
        print(f"  incomplete: {lab.messages()} of {wanted}", flush=True)
    server.stop()
    lab.stop()
    if dead:
        dead.stop()
    return rate


def bench_dead(options):
    """1,000 destinations of which half take no connection and say so to nobody, against the other half alone."""
    print("  changed: an accepted domain *.fill.invalid; --max-recipients-per-message 1000; loopback targets allowed")
    ratios = []
    for _ in range(options.rounds):
        alone, beside = living_rate(False), living_rate(True)
        ratios.append(beside / alone)
        print(f"  living: {alone:.0f}/s alone, {beside:.0f}/s beside the dead", flush=True)
    print(f"dead: throughput of the living beside as many dead destinations, ratio {statistics.median(ratios):.2f} "
          f"(rounds: {', '.join(f'{r:.2f}' for r in ratios)})", flush=True)
