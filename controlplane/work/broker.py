"""The Celery application that both ends share: the gateway sends hints, workers receive them."""

from __future__ import annotations

from collections.abc import Callable

from celery import Celery

RUN = "celaje.run"
"""Task: look at one key now. Arguments: kind, key."""
SWEEP = "celaje.sweep"
"""Task: look for what is due. Sent by beat."""
SWEEP_SECONDS = 1.0

_CONNECT_SECONDS = 0.5
_SOCKET_SECONDS = 2.0
_HINT_SECONDS = 30
"""A hint that nobody took for so long is useless: the sweeper has been there meanwhile."""


def make_celery(broker: str) -> Celery:
    """A Celery application for a redis-py URL. It keeps no results and no state of its own."""
    celery = Celery("celaje", broker=broker.replace("unix://", "redis+socket://", 1), set_as_current=True)
    celery.conf.update(
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        task_publish_retry=False,
        task_default_queue="celaje",
        task_acks_late=False,
        worker_prefetch_multiplier=0,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_connection_timeout=_CONNECT_SECONDS,
        broker_transport_options={
            "socket_connect_timeout": _CONNECT_SECONDS,
            "socket_timeout": _SOCKET_SECONDS,
            "max_retries": 0,
        },
        beat_scheduler="celery.beat:Scheduler",
        beat_max_loop_interval=SWEEP_SECONDS,
        beat_schedule={
            "sweep": {"task": SWEEP, "schedule": SWEEP_SECONDS, "options": {"expires": 2 * SWEEP_SECONDS}},
        },
    )
    return celery


def publisher(celery: Celery) -> Callable[[str, str], None]:
    """What `hints.start` wants: sends one hint, and raises at once when the broker is away."""

    def publish(kind: str, key: str) -> None:
        celery.send_task(RUN, (kind, key), expires=_HINT_SECONDS, retry=False)

    return publish
