"""Many requests on their way to one chat server: each sent when it may go, and again when it fails.

A task per request, never more than the concurrency. `step` starts tasks and waits until something
is finished; `take` hands that out. The first error that no retry mends ends the run: nothing new is
sent, and what was sent is still waited for, because it is paid.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import msgspec

from skythought import __version__
from skythought.backends import chat
from skythought.backends.chat import NEWER, Fault
from skythought.backends.limits import Limits, backoff, jitter, retry_after
from skythought.backends.proxy import proxy_of
from skythought.core import presets, progress
from skythought.core.errors import UserError, plain
from skythought.core.records import Completion, Request, Sampling

if TYPE_CHECKING:
    import aiohttp

TICK_S = 0.5  # between two looks whether the run is to be stopped
A_FEW = 32  # requests started, and answers handed out, between two looks at the connections
CONNECT_S = 30.0  # to open a connection
ADDRESS = (301, 302, 303, 307, 308, 401, 403, 404, 405)  # said before any answer: all will be so
NO_LOGIN = 407  # what a proxy says
LOGIN = re.compile(r"//[^/@\s]*@")  # the user and password in an address
MANY = 20  # attempts in a row that find nobody, before the end is believed
PAID_RETRIES = 2  # of answers that were charged and are of no use
PATIENCE = 2  # the attempt, counted from 0, that may not find nobody, before any answer


Affords = Callable[[Request, int, int], bool]


class Server(Protocol):
    """Where to ask, and how fast."""

    identity: str
    url: str
    key: str
    key_env: str
    concurrency: int
    rpm: float
    tpm: float
    timeout: float  # seconds for a request, from when it is first sent, all attempts and waits
    attempt_timeout: float
    retries: int
    backoff: float


def reason(error: Exception) -> str:
    """Say why no connection could be opened: refused, no such host, a wrong certificate."""
    cause: Any = getattr(error, "os_error", None) or getattr(error, "certificate_error", error)
    if "Connect call failed" in str(cause) and cause.errno:  # what asyncio makes of any number
        return os.strerror(cause.errno)
    return plain(" ".join(str(getattr(cause, "strerror", None) or cause).split()))


class Asking:
    """The requests of one run on their way."""

    def __init__(self, server: Server, requests: Iterable[Request], sampling: Sampling) -> None:
        self.server, self.sampling = server, sampling
        self.todo = iter(requests)
        # A queue that holds money back says whether there is enough for what was thrown away.
        self.affords: Affords | None = getattr(requests, "affords", None)
        # And whether it has ended for want of money only, which answers may give back.
        self.again: Callable[[], bool] = getattr(requests, "again", lambda: False)
        self.more = True  # as far as known
        self.stopped = False  # nothing new is sent, nothing asked again
        self.wake = asyncio.Event()  # something is finished, or to be stopped
        self.limits = Limits(server.concurrency, server.rpm, server.tpm)
        self.limit_field = NEWER if presets.fixed(server.identity) else "max_tokens"
        self.typical = float(sampling.max_tokens)  # completion tokens of an answer, learned
        self.tasks: set[asyncio.Task[Completion | None]] = set()
        self.sending: set[asyncio.Task[Completion | None] | None] = set()
        self.finished: deque[Completion] = deque()
        self.failure: BaseException | None = None  # ends the run once the answers paid for are in
        self.met = False  # the server has given an answer
        self.secrets = [server.key] if server.key else []
        self.heard = self.deaf = 0  # attempts that reached a server; that found nobody since
        self.told = False  # that it asks us to slow down

    async def open(self) -> None:
        """Open the session; connections are opened when needed."""
        import aiohttp

        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"skythought/{__version__}",
            **({"Authorization": f"Bearer {self.server.key}"} if self.server.key else {}),
        }
        proxy = proxy_of(self.server.url)
        if proxy is not None and proxy.password:
            self.secrets.append(proxy.password)
        login = None
        if proxy is not None and (proxy.user or proxy.password):
            login = aiohttp.BasicAuth(proxy.user, proxy.password, "utf-8")
        self.within = partial(aiohttp.ClientTimeout, sock_connect=CONNECT_S)
        self.network = (aiohttp.ClientError, TimeoutError, OSError)
        self.refused = aiohttp.ClientHttpProxyError
        self.nobody = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
        self.tick()
        self.session: aiohttp.ClientSession = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=self.within(total=min(self.server.attempt_timeout, self.server.timeout)),
            headers=headers,
            proxy=proxy.url if proxy else None,
            proxy_auth=login,
        )

    def tick(self) -> None:
        """Wake who takes the answers, every so often, to look whether the run is to be stopped."""
        self.wake.set()
        self.timer = asyncio.get_running_loop().call_later(TICK_S, self.tick)

    async def step(self) -> None:
        """Start a few requests where there is room, and wait until something is finished.

        A few at a time, with a look at the connections between: what is sent in one go comes back
        in one go, and waits.
        """
        short = False
        for _ in range(A_FEW):
            if not self.room():
                break
            request = next(self.todo, None)
            if request is None:
                short = bool(self.tasks or self.finished) and self.again()
                self.more = short
                break
            task = asyncio.create_task(self.ask(request))
            self.tasks.add(task)
            task.add_done_callback(self.done)
        if self.finished or (self.room() and not short):
            await asyncio.sleep(0)
        elif self.tasks:
            await self.wake.wait()
        self.wake.clear()

    def room(self) -> bool:
        """Say whether another request may be started; what is not taken yet counts too."""
        held = len(self.tasks) + len(self.finished)
        return self.more and self.failure is None and held < self.server.concurrency

    def take(self, most: int = A_FEW) -> Iterator[Completion]:
        """Hand out what is finished, each once."""
        for _ in range(min(most, len(self.finished))):
            yield self.finished.popleft()

    def done(self, task: asyncio.Task[Completion | None]) -> None:
        """Keep what a task gives; its error ends the run, after what is being sent came back."""
        self.tasks.discard(task)
        self.wake.set()
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and self.failure is None:
            self.failure = error
            self.stop()
        elif error is None and (completion := task.result()) is not None:
            self.finished.append(completion)

    def stop(self) -> None:
        """Send nothing new; what was sent, and is paid, is still waited for."""
        self.stopped, self.more = True, False
        for task in self.tasks - self.sending:
            task.cancel()

    async def close(self) -> None:
        """Give up what is on its way."""
        self.failure = self.failure or asyncio.CancelledError()
        for task in self.tasks:
            task.cancel()
        if self.tasks:
            await asyncio.wait(self.tasks)
            await asyncio.sleep(0)  # so that `done` has seen them
        if hasattr(self, "session"):
            self.timer.cancel()
            await self.session.close()

    async def ask(self, request: Request) -> Completion | None:
        """Ask until there is an answer or no retry is left; None where the run ends before."""
        fault = Fault("not asked")
        attempt = paid = read = written = 0
        heard, clock, ends = self.heard, self.limits.clock, 0.0
        while True:
            field = self.limit_field
            data = chat.body(self.server.identity, request, self.sampling, field)
            found, wait, sent = await self.attempt(request, data, attempt, ends)
            ends = ends or sent + self.server.timeout
            if isinstance(found, Completion):
                return msgspec.structs.replace(found, wasted=(read, written)) if paid else found
            if found is None:
                fault = self.late(fault)
                break
            fault = found._replace(reason=self.safe(found.reason))
            if fault.status == 429 or (wait and fault.retry):
                self.tell(fault)
            if fault.stop or (fault.status in ADDRESS and not self.met):
                raise self.refusal(fault)
            if fault.status == 400 and field == "max_tokens" and NEWER in fault.reason:
                self.limit_field = NEWER
                if self.stopped:
                    return None
                continue
            if fault.paid:
                paid += 1
                read, written = read + fault.prompt_tokens, written + fault.completion_tokens
                if not self.pays(request, fault):
                    fault = fault._replace(reason=f"{fault.reason}; no money is left to ask again")
                    break
            if not fault.retry or paid > PAID_RETRIES:
                break
            if self.stopped:
                if read or written:  # a row, so that what it cost is known
                    break
                return None
            pause = backoff(attempt, self.server.backoff, wait, jitter)
            attempt, late = attempt + 1, clock() + pause >= ends
            if late or attempt > self.server.retries:
                if self.deaf >= MANY and self.heard == heard:
                    raise self.refusal(fault)
                fault = self.late(fault) if late else fault
                break
            await asyncio.sleep(pause)
        return Completion(
            id=request.id,
            text="",
            finish="error",
            error=fault.reason,
            prompt_tokens=read,
            completion_tokens=written,
        )

    def late(self, fault: Fault) -> Fault:
        """Say that a request has no time left to be asked again."""
        told = f"no time is left to ask again (timeout={self.server.timeout:g})"
        return fault._replace(reason=f"{fault.reason}; {told}")

    def pays(self, request: Request, fault: Fault) -> bool:
        """Count what an answer cost that is of no use; False where another cannot be paid."""
        tokens = fault.prompt_tokens, fault.completion_tokens
        return self.affords is None or self.affords(request, *tokens)

    async def attempt(
        self, request: Request, data: bytes, number: int, ends: float
    ) -> tuple[Completion | Fault | None, float, float]:
        """Send a request once, and wait no longer than to `ends` (0: not sent before).

        Gives the answer (None where its turn did not come in time), the seconds the server asks to
        wait, and when it was sent.
        """
        limits, wait, within = self.limits, 0.0, self.session.timeout
        reserved = len(data) / 4 + self.typical
        used: float | None = None
        if not ends:
            await limits.enter(reserved)
        else:
            try:
                async with asyncio.timeout(ends - limits.clock()):
                    await limits.enter(reserved)
            except TimeoutError:
                return None, 0.0, 0.0
            left = ends - limits.clock()
            within = self.within(total=min(left, self.server.attempt_timeout))
        task, sent = asyncio.current_task(), limits.clock()
        self.sending.add(task)
        try:
            found: Completion | Fault
            try:
                async with self.session.post(
                    self.server.url, data=data, allow_redirects=False, timeout=within
                ) as response:
                    self.heard, self.deaf = self.heard + 1, 0
                    data = self.masked(await response.read(), response.status)
                    found = chat.read(request, response.status, data)
                    asked = response.headers.get("Retry-After")
            except self.refused as error:  # the proxy does; before `nobody`, whose kind it may be
                used = 0
                told = f"the proxy says {error.status} {plain(error.message)}".strip()
                stop, retry = error.status == NO_LOGIN, error.status >= 500 or error.status == 429
                return Fault(told, retry=retry, status=error.status, stop=stop), wait, sent
            except self.nobody as error:
                used = 0
                self.deaf += 1
                told = f"nobody answers ({reason(error)})"
                return Fault(told, retry=True, stop=not self.met and number >= PATIENCE), wait, sent
            except TimeoutError:
                return Fault(f"no answer within {within.total:.6g} s", retry=True), wait, sent
            except self.network as error:
                what = str(error) or type(error).__name__
                return Fault(f"the connection was cut ({what})", retry=True), wait, sent
            if isinstance(found, Completion):
                self.met = True
                limits.answered()
                if tokens := found.prompt_tokens + found.completion_tokens:
                    used = tokens
                    self.typical += (found.completion_tokens - self.typical) / 20
            elif found.paid:
                if tokens := found.prompt_tokens + found.completion_tokens:
                    used = tokens
            elif found.status:
                used, wait = 0, retry_after(asked)
                if found.status == 429 or (wait and found.retry):
                    limits.refused(sent, wait)
            return found, wait, sent
        finally:
            self.sending.discard(task)
            limits.leave(reserved, used)

    def tell(self, fault: Fault) -> None:
        """Say once that the server wants to be asked less."""
        if not self.told:
            self.told = True
            progress.say(f"openai backend: {fault.reason}; asking for less at once")

    def masked(self, data: bytes, status: int) -> bytes:
        """Take the key out of what a server says, and a password, maybe a word, out of errors."""
        for secret in self.secrets if status != 200 else filter(None, [self.server.key]):
            data = data.replace(secret.encode(), b"***")
        return data

    def safe(self, text: str) -> str:
        """Take the key, and the login of a proxy, out of what is said."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return LOGIN.sub("//***@", text)

    def refusal(self, fault: Fault) -> UserError:
        """Say in one line what no retry mends, and what to do."""
        key, model = self.server.key_env, self.server.identity
        if fault.status in (401, 403) and not key:
            todo = "name the variable that holds its key: --backend-args api_key_env=NAME"
        elif fault.status == 401:
            todo = f"put a valid key into the environment variable {key}"
        elif fault.status == NO_LOGIN:
            variable = f"{urlsplit(self.server.url).scheme}_proxy"
            todo = f"put the proxy's user and password into the environment variable {variable}"
        elif fault.status in (402, 429):
            todo = "add credit with the provider"
        elif fault.status == 403:
            todo = f"check that the key in {key} may use the model {model!r}"
        elif fault.status:
            todo = f"check base_url (it mostly ends in /v1) and the model {model!r}"
        else:
            todo = "check base_url and that the server is running"
        return UserError(
            f"{self.server.url}: {fault.reason}; {todo}, then run the same command again"
        )
